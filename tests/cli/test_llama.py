"""Whole runs against a real llama.cpp server: the SDKs, the wires, structured output, honest failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import Ran, report, run, scores
from tests.llama_server import llama_server, local_model_path
from tests.tiny import POLITE

pytestmark = pytest.mark.local_model


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with llama_server(local_model_path()) as address:
        yield address


@pytest.fixture(autouse=True)
def files(own_home: Path) -> None:
    messages = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": "On its way, Ms Lee."},
    ]
    Path("in.jsonl").write_text(json.dumps({"id": "a", "messages": messages}) + "\n")
    Path("tiny.yaml").write_text(POLITE)
    # no room for hidden reasoning, which this model would fill with a loop of words
    Path("evalharness.yaml").write_text("models:\n  smollm2: {efforts: [], reasons: false}\n")


def _score(judge: str, *more: str) -> Ran:
    return run(
        "score",
        "in.jsonl",
        "--rubric",
        "tiny.yaml",
        "--judge",
        judge,
        "--max-tokens",
        "200",
        "-o",
        "r",
        *more,
    )


def test_chat_completions_honour_the_schema(server: str):
    ran = _score(f"small=openai:smollm2@{server}/v1")
    assert ran.code == 0, ran.err
    row = next(row for row in scores(Path("r")) if row["criterion"] == "polite")
    assert row["scorer"] == "small"
    # a 135M model may ramble until the answer is cut; what is read must be a level of the scale
    assert (
        row["value"] in (0.0, 1.0) or 0.0 <= row["value"] <= 1.0
        if row["status"] == "scored"
        else row["cause"]
    )
    attempts = json.loads(Path("r/execution.json").read_text())["judges"][0]
    assert attempts["answered"] >= 1
    assert attempts["input_tokens"] > 100
    assert attempts["output_tokens"] > 1


@pytest.mark.parametrize(("judge", "flags"), [("openai", ("--api", "responses")), ("anthropic", ())])
def test_wires_that_ignore_the_schema_are_counted_and_fail_honestly(
    server: str, judge: str, flags: tuple[str, ...]
):
    address = f"{server}/v1" if judge == "openai" else server
    ran = _score(f"small={judge}:smollm2@{address}", *flags)
    assert ran.code == 0, ran.err
    found = next(row for row in report(Path("r"))["criteria"] if row["criterion"] == "polite")
    assert found["scored"] + sum(found["failed"].values()) == found["items"] == 1
    assert set(found["failed"]) <= {"no_verdict", "two_verdicts", "truncated", "out_of_range", "empty"}
    attempts = json.loads(Path("r/execution.json").read_text())["judges"][0]
    assert attempts["answered"] >= 1
    assert attempts["faults"] == {}
    assert attempts["input_tokens"] > 100


def test_judges_test_says_what_such_a_server_can_do(server: str):
    ran = run("judges", "test", f"openai:smollm2@{server}/v1")
    assert ran.code in (0, 3)
    assert "smollm2" in ran.out or "structured" in ran.out or "answer" in ran.out


def test_a_dead_address_is_a_counted_failure(server: str):
    ran = run(
        "score", "in.jsonl", "--rubric", "tiny.yaml", "--judge", "dead=openai:x@http://127.0.0.1:9/v1", "-o", "r",
        "--attempts", "1",
    )  # fmt: skip
    found = next(row for row in report(Path("r"))["criteria"] if row["criterion"] == "polite")
    assert ran.code in (0, 3)
    assert found["failed"] == {"connection": 1}


def test_the_local_judge_runs_in_this_process(server: str):
    ran = run("score", "in.jsonl", "--rubric", "tiny.yaml", "--judge", "local:smollm2", "-o", "r")
    assert ran.code == 0, ran.err
    assert "toy judge" in ran.out
    row = next(row for row in scores(Path("r")) if row["criterion"] == "polite")
    assert set(row["probabilities"]) == {"no", "yes"}
    assert row["value"] == pytest.approx(row["probabilities"]["yes"])
