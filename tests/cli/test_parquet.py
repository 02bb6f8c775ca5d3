"""A run's outcomes as a Parquet table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.cli.runner import DATASETS, run, scores

SAMPLE = DATASETS / "sample.jsonl"


def test_every_outcome_is_a_row_in_the_order_of_scores_jsonl():
    assert run("score", SAMPLE, "--metric", "bleu,surface", "--check", "contains:the", "-o", "r").code == 0
    ran = run("report", "r", "--format", "parquet")
    assert ran.code == 0, ran.err
    lines = scores(Path("r"))
    table = parquet.read_table("r/scores.parquet")
    assert f"{len(lines)} rows" in ran.out
    rows = table.to_pylist()
    for name in ("dialogue", "turn", "group", "system", "criterion", "status", "value", "cause", "signature"):
        assert [row[name] for row in rows] == [line[name] for line in lines], name
    assert {str(field.type) for field in table.schema} == {"string", "int64", "double"}
    assert Path("r/scores.parquet").stat().st_mode & 0o077 == 0


def test_names_of_levels_and_evidence_come_through():
    rubric = """rubric: kind
version: 1
unit: turn
about: "A talk."
criteria:
  kind:
    question: "Which?"
    scale: nominal
    levels: {a: "A.", b: "B."}
"""
    Path("kind.yaml").write_text(rubric)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    Path("in.jsonl").write_text(json.dumps({"id": "x\ud800", "messages": messages}))
    output = json.dumps(
        {"kind": {"evidence": [{"message": "M1", "quote": "Ho"}], "rationale": "r", "value": "b"}}
    )
    Path("rec.jsonl").write_text(
        json.dumps({"dialogue": "x\ud800", "turn": 1, "criterion": "kind", "outputs": [output]})
    )
    ran = run("score", "in.jsonl", "--rubric", "kind.yaml", "--judge", "replay:rec.jsonl", "-o", "r")
    assert ran.code == 0, ran.err
    assert run("report", "r", "--format", "parquet", "--out", "t.parquet").code == 0
    row = next(row for row in parquet.read_table("t.parquet").to_pylist() if row["criterion"] == "kind")
    assert (row["dialogue"], row["label"], row["value"]) == ("x\ufffd", "b", None)
    assert json.loads(row["evidence"]) == [{"message": 1, "quote": "Ho", "found": True}]


def test_parquet_does_not_go_to_stdout():
    assert run("score", SAMPLE, "-o", "r").code == 0
    ran = run("report", "r", "--format", "parquet", "--out", "-")
    assert ran.code == 2
    assert "--out" in ran.err


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    assert run("score", SAMPLE, "-o", "r").code == 0
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    ran = run("report", "r", "--format", "parquet")
    assert ran.code == 2
    assert "evalharness[parquet]" in ran.err
    assert not Path("r/scores.parquet").exists()
