"""Protocols that need no judge of their own, and pairs, end to end: on recordings, scripted text and decision models,
and the local model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evalharness.data.rubrics import load_rubric
from tests.cli.runner import run, scores
from tests.faultd import Faultd
from tests.llama_server import local_model_path
from tests.protocols.files import settings
from tests.tiny import HELPFULNESS

WHERE = [
    "recorded",
    "scripted",
    "decided",
    pytest.param("local", marks=[pytest.mark.local_model, pytest.mark.slow]),
]
"""The local model takes seconds for an answer: one quick test asks it about a pair, see ``test_local`` for the others."""
BACKENDS = {"scripted": "openai", "decided": "decisions"}
GUIDED = """\
rubric: guided
version: 1
unit: turn
about: "A support agent answers."
criteria:
  close:
    question: "Does the reply say what the known good reply says?"
    scale: binary
    good: yes
    needs: [references]
    examples:
      - {reply: "It is on the moon.", answer: no, why: "It is not."}
"""
CALL = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"parcel": 7}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Where is parcel 7?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Lyon"},
    {"role": "assistant", "content": "It is in Lyon.", "references": ["In Lyon."]},
]


@pytest.fixture(autouse=True)
def dialogue() -> None:
    tools = [{"name": "track", "parameters": {"type": "object"}}]
    row = {"id": "d0", "goal": "find parcel 7", "tools": tools, "messages": MESSAGES}
    Path("in.jsonl").write_text(json.dumps(row) + "\n")
    Path("guided.yaml").write_text(GUIDED)


@contextmanager
def judge(where: str, rubric: str) -> Iterator[tuple[str, Faultd | None]]:
    """A judge of this kind, and the server that it asks, if it asks one."""
    if where == "local":
        yield f"j=local:{local_model_path()}", None
    elif where in BACKENDS:
        with Faultd() as server:
            yield f"j={BACKENDS[where]}:m@{server.url}", server
    else:
        asked = load_rubric(rubric)
        turn = 3 if asked.unit.value == "turn" else None
        lines = [
            {"dialogue": "d0", "criterion": c.id, "outputs": [f"Rating: {c.labels[0]}"]}
            | ({} if turn is None else {"turn": turn})
            for c in asked.criteria
        ]
        Path("r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        yield "j=replay:r.jsonl", None


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("rubric", ["session", "agent-trajectory"])
def test_whole_dialogues_are_judged(where: str, rubric: str):
    with judge(where, rubric) as (name, _):
        ran = run("score", "in.jsonl", "-r", rubric, "-j", name, "-o", "r", "-q")
    assert ran.code == 0, ran.err
    found = {row["criterion"]: row for row in scores(Path("r"))}
    statuses = {row["status"] for row in found.values()}
    assert statuses <= {"scored", "skipped"}, found  # the fake judge may say that it can't assess a criterion
    assert found["_overall"]["status"] == "scored"
    assert set(found) == {c.id for c in load_rubric(rubric).criteria} | {"_overall"}


@pytest.mark.parametrize("where", WHERE)
def test_examples_and_references_go_along_and_every_sample_is_kept(where: str):
    with judge(where, "guided.yaml") as (name, server):
        ran = run(
            "score",
            "in.jsonl",
            "-r",
            "guided.yaml",
            "-j",
            name,
            "-o",
            "r",
            "-q",
            "--samples",
            "2",
            "--turns",
            "last",
        )
        seen = [] if server is None else [seen.asked.system + seen.asked.text for seen in server.requests]
    assert ran.code == 0, ran.err
    (row,) = [row for row in scores(Path("r")) if row["criterion"] == "close"]
    assert row["status"] == "scored"
    if where == "scripted":
        assert len(seen) == 2
        assert all("It is on the moon." in text and "In Lyon." in text for text in seen)
    assert len(row["samples"] or [1]) == (1 if where == "recorded" else 2)
    if where in ("local", "decided"):
        assert sum(row["probabilities"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("where", "whole"),
    [
        ("recorded", []),
        ("recorded", ["--whole"]),
        ("scripted", []),
        ("scripted", ["--whole"]),
        ("decided", []),
        pytest.param("local", [], marks=pytest.mark.local_model),
        pytest.param("local", ["--whole"], marks=[pytest.mark.local_model, pytest.mark.slow]),
    ],
)
def test_pairs_and_a_panel_that_judges_them(where: str, whole: list[str]):
    for system in ("old", "new"):
        reply = {"role": "assistant", "content": f"{system}: in Lyon."}
        Path(f"{system}.jsonl").write_text(json.dumps({"id": "d0", "messages": [MESSAGES[0], reply]}) + "\n")
    lines = [
        {"dialogue_a": "d0", "dialogue_b": "d0", "criterion": "preference", "order": order, "outputs": [said]}
        | ({} if whole else {"turn": 1})
        for order, said in (("ab", "a"), ("ba", "b"))
    ]
    Path("p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Faultd() as server:
        name = f"one={BACKENDS[where]}:m@{server.url}" if where in BACKENDS else "one=replay:p.jsonl"
        if where == "local":
            name = f"one=local:{local_model_path()}"
        settings({"jury": {"panel": [name, "two=replay:p.jsonl"]}})
        ran = run(
            "pairwise", "old.jsonl", "new.jsonl", "-r", "mt-bench-pair", "-j", "jury", "-o", "r", "-q", *whole
        )
    assert ran.code == 0, ran.err
    (contest,) = json.loads(Path("r/pairwise.json").read_text())["contests"]
    assert contest["verdicts"]["scored"] == 2
    assert [(seat["name"], seat["pairs"]) for seat in contest["panel"]["members"]] == [("one", 1), ("two", 1)]


def test_the_value_is_the_expectation_where_a_server_gives_probabilities():
    """The fake server lets a number share its mass with its neighbour."""
    Path("tiny.yaml").write_text(HELPFULNESS)
    with judge("scripted", "tiny.yaml") as (name, _):
        assert (
            run("score", "in.jsonl", "-r", "tiny.yaml", "-j", name, "-o", "r", "-q", "--turns", "last").code
            == 0
        )
    (row,) = [row for row in scores(Path("r")) if row["criterion"] == "helpfulness"]
    assert row["value"] == pytest.approx(sum(float(level) * p for level, p in row["probabilities"].items()))
    assert row["value"] != round(row["value"])
    assert 0 < row["extra"]["label_mass"] <= 1
