"""`gate --sequential` through the command: looks that go on from each other, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runner import Ran, run
from tests.cli.test_gate import RUBRIC

STABLE, CANARY = "stable", "canary"


def _row(name: str, tag: str, number: int) -> str:
    messages = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]
    metadata = {"time": f"2026-01-{1 + number // 24:02}T{number % 24:02}"}
    return json.dumps({"id": name + tag, "group": name, "messages": messages, "metadata": metadata}) + "\n"


def arrive(count: int, drop: int = 0, *, start: int = 0) -> None:
    """Both versions have answered so many scenarios; the candidate's are lower by ``drop``."""
    Path("tone.yaml").write_text(RUBRIC)
    answers = ""
    for out, tag in ((STABLE, ""), (CANARY, "-new")):
        Path(f"{out}.jsonl").write_text("".join(_row(f"s{n:03}", tag, n) for n in range(start, count)))
        for n in range(400):
            level = 3 + n % 3 - (drop if tag else 0)
            record = {
                "dialogue": f"s{n:03}{tag}",
                "turn": 1,
                "criterion": "polite",
                "outputs": [max(1, level)],
            }
            answers += json.dumps(record) + "\n"
    Path("replay.jsonl").write_text(answers)
    for out in (STABLE, CANARY):
        ran = run(
            "score",
            f"{out}.jsonl",
            "-r",
            "tone.yaml",
            "-j",
            "j=replay:replay.jsonl",
            "-o",
            out,
            "--update",
            "-q",
        )
        assert ran.code == 0, ran.err


def look(*more: str) -> Ran:
    return run("gate", CANARY, "-b", STABLE, "--sequential", *more)


def test_looks_go_on_until_one_decides():
    arrive(20)
    first = look()
    assert first.code == 4, first.out
    assert "go on: look again when more dialogues have arrived" in first.out
    arrive(300)
    second = look()
    assert second.code == 0, second.out
    assert "280 scenarios are new since the last look" in second.out
    document = json.loads(Path(CANARY, "sequential.json").read_text())
    (row,) = document["criteria"]
    assert (row["verdict"], len(row["arrivals"])) == ("pass", 300)
    assert 20 < row["decided_after"] < 300
    assert look().out.splitlines()[2] == second.out.splitlines()[2], "a look without news says the same"


def test_a_drop_stops_the_canary():
    arrive(60, drop=2)
    ran = look()
    assert ran.code == 1, ran.out
    assert ran.out.startswith("FAIL: canary against stable: there is a real drop")


def test_the_same_set_answered_again_is_refused_with_the_reason():
    arrive(20)
    look()
    arrive(20, drop=1)
    ran = look()
    assert ran.code == 2
    assert "was measured otherwise at the last look" in ran.err or "has another result" in ran.err
    assert "is no new evidence" in " ".join(ran.err.split())


def test_what_was_seen_must_stay():
    arrive(20)
    look()
    arrive(20, start=5)
    ran = look()
    assert ran.code == 2
    assert "seen at an earlier look, is gone" in ran.err


def test_failing_verdicts_keep_a_pass_from_counting():
    arrive(300)
    rows = [json.loads(line) for line in Path("replay.jsonl").read_text().splitlines()]
    for row in rows[400:430]:
        row["outputs"] = ["no idea"]
    Path("replay.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for out in (STABLE, CANARY):
        judge = ("-r", "tone.yaml", "-j", "j=replay:replay.jsonl")
        run("score", f"{out}.jsonl", *judge, "-o", out, "--update", "-q")
    ran = look()
    assert ran.code == 4, ran.out
    assert "30 of 300 items have no verdict" in ran.out


def test_split_traffic_needs_its_chance_and_the_times():
    arrive(40)
    assert look("--share", "0.5").code == 2
    ran = look("--share", "0.5", "--order", "metadata.time")
    assert ran.code == 4, ran.err
    assert look("--share", "0.2", "--order", "metadata.time").code == 2
    assert "no metadata 'when'" in look("--share", "0.5", "--order", "metadata.when", "-o", "x").err


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 7}'])
def test_damaged_looks_are_named(text: str):
    arrive(5)
    Path(CANARY, "sequential.json").write_text(text)
    ran = look()
    assert ran.code == 2
    assert "earlier looks can't be read" in ran.err


def test_a_baseline_file_as_the_run_has_no_order():
    arrive(5)
    run("baseline", "save", CANARY, "-o", "c.json")
    ran = run("gate", "c.json", "-b", STABLE, "--sequential")
    assert ran.code == 2
    assert "no order of arrival" in ran.err
