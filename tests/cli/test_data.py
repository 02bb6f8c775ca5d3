"""`data validate|convert|sample`, and the hostile inputs through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runner import DATASETS, run
from tests.data_io.make_hostile import Hostile, files
from tests.research import research_file

SAMPLE = DATASETS / "sample.jsonl"


def test_validate_says_what_is_there():
    ran = run("data", "validate", SAMPLE)
    assert ran.code == 0
    assert "dialogues   56 in 56 groups" in ran.out
    assert "every line is usable" in ran.out
    assert run("data", "validate", SAMPLE, "--json").json["dialogues"] == 56


def test_validate_names_every_bad_line():
    Path("in.jsonl").write_text('{"id": "a", "messages": [{"role": "user", "content": "x"}]}\n{oops\n[1]\n')
    ran = run("data", "validate", "in.jsonl")
    assert ran.code == 2
    assert "in.jsonl:2" in ran.err
    assert "in.jsonl:3" in ran.err
    assert "Traceback" not in ran.err


def test_validate_names_both_lines_of_equal_ids():
    line = '{"id": "a", "messages": [{"role": "user", "content": "x"}]}\n'
    Path("in.jsonl").write_text(line + line)
    ran = run("data", "validate", "in.jsonl")
    assert ran.code == 2
    assert "in.jsonl:2" in ran.err
    assert "in.jsonl:1" in ran.err


def test_usr_ratings_are_found_and_converted():
    source = research_file("usr-topical-chat/tc_usr_data.json")
    ran = run("data", "validate", source)
    assert "ratings     Overall: 1,080 by 3 raters" in ran.out
    assert run("data", "convert", source, "--out", "usr.jsonl.gz", "--labels", "labels.csv").code == 0
    assert "native in jsonl, 360 records" in run("data", "validate", "usr.jsonl.gz").out
    header, first = Path("labels.csv").read_text().splitlines()[:2]
    assert header.startswith("dialogue,turn,criterion,rater,value")
    assert first.startswith("usr-0-")


def test_a_sample_is_seeded_and_records_its_probabilities():
    for out in ("a.jsonl", "b.jsonl"):
        ran = run("data", "sample", SAMPLE, "-n", "9", "--by", "domain", "--seed", "5", "--out", out)
        assert ran.code == 0
        assert "support: 3 of 19 (probability 0.1579)" in ran.err
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    rows = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert len(rows) == 9
    assert all(0 < row["metadata"]["sampling_probability"] <= 1 for row in rows)


@pytest.mark.parametrize("case", files(), ids=lambda case: case.name)
def test_hostile_inputs_end_as_they_should(case: Hostile):
    Path(case.name).write_bytes(case.data)
    ran = run("data", "validate", case.name, "--json")
    found = ran.json
    assert found["usable"] is (case.outcome == "accept")
    assert ran.code == (0 if case.outcome == "accept" else 2)
    scored = run("score", case.name, "--out", "r")
    assert scored.code == ran.code
    for text in (ran.out, ran.err, scored.out, scored.err):
        assert "Traceback" not in text
        assert not any(ord(char) < 32 and char not in "\t\n" for char in text)
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
