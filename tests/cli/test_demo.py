"""`demo` without a judge: three jobs on the sample data, each with its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.runner import run


def test_the_demo_ends_with_agreement_and_a_gate():
    ran = run("demo", "--no-judge", "-o", "d")
    assert ran.code == 0, ran.err
    assert "Labels by construction (not by humans)" in ran.out
    assert "FAIL: v2-degraded against v1 (" in ran.out
    assert "As a gate, this exits 1" in ran.out
    document = json.loads(Path("d/gate.json").read_text())
    assert {row["criterion"]: row["difference"]["groups"] for row in document["criteria"]}["chrf"] == 8
    assert Path("d/agree.html").exists()


def test_the_commands_that_the_demo_shows_say_the_same():
    run("demo", "--no-judge", "-o", "d", "-q")
    shown = json.loads(Path("d/gate.json").read_text())
    ran = run("gate", "d/v2-degraded.json", "--baseline", "d/v1.json", "-o", "again", "--json")
    assert ran.code == 1
    assert ran.json == shown
    ran = run("agree", "d", "--labels", "d/labels-by-construction.csv", "-q")
    assert ran.code == 0, ran.err


def test_the_labels_are_those_of_the_scored_replies():
    run("demo", "--no-judge", "-o", "d", "-q")
    with Path("d/labels-by-construction.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["rater"] for row in rows} == {"construction"}
    assert {row["criterion"] for row in rows} == {"relevance", "severity"}
    assert len({row["dialogue"] for row in rows}) == 16


def test_a_second_demo_goes_on_from_the_first():
    first = run("demo", "--no-judge", "-o", "d")
    second = run("demo", "--no-judge", "-o", "d")
    assert second.code == 0, second.err
    assert second.out.splitlines()[:5] == first.out.splitlines()[:5]
