"""The pytest plugin in pytest runs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runner import ROOT, report, run
from tests.faultd import Answer, Faultd, Status, always
from tests.tiny import HELPFULNESS


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(HELPFULNESS)
    rows = [dialogue(n) for n in range(4)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recorded([5, 4, 4, 1])
    Path("scenarios.yaml").write_text(
        'scenarios:\n  - id: a\n    user: ["hello"]\n  - id: b\n    user: ["bye"]\n'
    )
    return tmp_path


def dialogue(n: int) -> dict[str, object]:
    said = [
        {"role": "user", "content": f"Where is {n}?"},
        {"role": "assistant", "content": f"Reply number {n}."},
    ]
    return {"id": f"d{n}", "messages": said}


def recorded(levels: list[int], name: str = "recorded.jsonl") -> None:
    rows = [
        {
            "dialogue": f"d{n}",
            "turn": 1,
            "criterion": "helpfulness",
            "outputs": [f"It is so. Rating: {level}"],
        }
        for n, level in enumerate(levels)
    ]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in [{"judge": "someone"}, *rows]))


def pytest_run(test: str, *more: str) -> tuple[int, str]:
    """Run one test file in a process of its own; its exit code and output."""
    Path("test_it.py").write_text(test)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(Path("cache").resolve())}
    plugin = [] if installed() else ["-p", "evalharness.pytest_plugin"]
    fixed = ["-q", "-p", "no:cacheprovider", "--basetemp=base"]
    command = [sys.executable, "-m", "pytest", *fixed, *plugin, *more, "test_it.py"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    return ran.returncode, ran.stdout + ran.stderr


def installed() -> bool:
    """Whether the entry point is there: in a development install it is, and naming the plugin twice is an error."""
    from importlib.metadata import entry_points

    return any(point.value == "evalharness.pytest_plugin" for point in entry_points(group="pytest11"))


def asserting(demands: str, dialogues: str = '"in.jsonl"') -> str:
    judged = 'rubric="tiny.yaml", judge="replay:recorded.jsonl"'
    return (
        f"def test_it(dialogue_eval):\n    dialogue_eval.assert_quality({dialogues}, {judged}, {demands})\n"
    )


def test_what_is_reached_passes():
    code, out = pytest_run(asserting('min={"helpfulness": 3.5}'))
    assert code == 0, out
    assert "1 passed" in out


def test_a_judge_that_the_settings_make_of_others_judges_as_it_does_for_score():
    recorded([3, 4, 4, 3], "other.jsonl")
    panel = "jury: {panel: [replay:recorded.jsonl, replay:other.jsonl], combine: mean}"
    Path("evalharness.yaml").write_text(f"judges:\n  {panel}\n")
    assert run("score", "in.jsonl", "-r", "tiny.yaml", "-j", "jury", "-o", "scored", "-q").code == 0
    rows = {row["criterion"]: row for row in report(Path("scored"))["criteria"]}
    assert rows["helpfulness"]["mean"]["value"] == 3.5
    code, out = pytest_run(asserting("min=3.6").replace("replay:recorded.jsonl", "jury"))
    assert code == 1
    assert "helpfulness: 3.50" in out and "< 3.60 demanded" in out
    Path("evalharness.yaml").write_text("judges: [jury]\n")
    code, out = pytest_run(asserting("min=3").replace("replay:recorded.jsonl", "jury"))
    assert code == 1
    assert "judges must hold definitions" in out


def test_what_is_missed_fails_with_figures_and_the_worst_dialogue():
    code, out = pytest_run(asserting("min=4"))
    assert code == 1
    assert "helpfulness: 3.50" in out and "< 4.00 demanded" in out
    assert "worst: d3 turn 1, 1.00" in out
    assert "Reply number 3." in out and "It is so." in out


def bleu_rows(reply: str) -> str:
    rows = []
    for n in range(20):
        reference = f"Parcel number {n} is in Lyon and will be with you on Monday."
        said = [
            {"role": "user", "content": f"Where is {n}?"},
            {"role": "assistant", "content": reply.format(n=n), "references": [reference]},
        ]
        rows.append(json.dumps({"id": f"d{n}", "messages": said}) + "\n")
    return "".join(rows)


def test_a_drop_from_the_baseline_fails_and_no_drop_passes():
    same = "Parcel number {n} is in Lyon and will be with you on Monday."
    Path("in.jsonl").write_text(bleu_rows(same))
    assert run("score", "in.jsonl", "--metric", "bleu", "-o", "old", "-q").code == 0
    test = (
        "def test_it(dialogue_eval):\n"
        "    dialogue_eval.assert_quality('in.jsonl', metrics=['bleu'], baseline='old', max_drop='5%')\n"
    )
    assert pytest_run(test)[0] == 0
    Path("in.jsonl").write_text(bleu_rows("No idea where number {n} went, sorry."))
    code, out = pytest_run(test)
    assert code == 1
    assert "dialogue quality dropped" in out and "bleu" in out


def test_a_judge_that_fails_is_an_error_and_no_failed_test():
    with Faultd(always(Status(401, "invalid_api_key"))) as server:
        judge = f'judge="openai:m@{server.url}"'
        code, out = pytest_run(
            f'def test_it(dialogue_eval):\n    dialogue_eval.score("in.jsonl", rubric="tiny.yaml", {judge})\n'
        )
    assert code == 1
    assert "1 error" in out and "failed" not in out.splitlines()[-1]
    assert "not judged" in out


def test_offline_answers_from_the_cache_alone():
    with Faultd(always(Answer())) as server:
        test = (
            "def test_it(dialogue_eval):\n"
            f'    dialogue_eval.assert_quality("in.jsonl", rubric="tiny.yaml", judge="openai:m@{server.url}", min=1)\n'
        )
        code, out = pytest_run(test, "--eval-offline")
        assert (code, server.count) == (1, 0), out
        assert "offline" in out and "1 error" in out
        assert pytest_run(test)[0] == 0
        sent = server.count
        assert sent == 4
        code, out = pytest_run(test, "--eval-offline")
        assert (code, server.count) == (0, sent), out


def test_dialogues_as_objects_and_a_function_with_scenarios():
    code, out = pytest_run(
        "ROWS = [{'id': 'd0', 'messages': [{'role': 'user', 'content': '?'}, {'role': 'assistant', 'content': 'Yes.'}]}]\n"
        "def bot(messages):\n    return 'You said ' + messages[-1]['content']\n"
        "def broken(messages):\n    raise RuntimeError\n"
        "def test_rows(dialogue_eval):\n    dialogue_eval.assert_quality(ROWS, metrics=['surface'], min={'words': 1})\n"
        "def test_bot(dialogue_eval):\n"
        "    done = dialogue_eval.assert_quality(bot, scenarios='scenarios.yaml', trials=2, metrics=['surface'], min={'words': 3})\n"
        "    assert done.analysis.run.dialogues == 4\n"
        "def test_broken(dialogue_eval):\n    dialogue_eval.score(broken, scenarios='scenarios.yaml', metrics=['surface'])\n"
    )
    assert code == 1
    assert "2 passed, 1 error" in out, out


def test_it_works_under_xdist():
    test = asserting("min=3").replace("test_it", "test_a") + asserting("min=5").replace("test_it", "test_b")
    code, out = pytest_run(test, "-n", "2")
    assert code == 1
    assert "1 failed, 1 passed" in out


def test_it_is_inert_unless_used():
    test = (
        "import sys\n"
        "def test_it():\n"
        "    heavy = {'numpy', 'scipy', 'openai', 'anthropic', 'pydantic', 'evalharness.api'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    code, out = pytest_run(test, "-p", "no:hypothesispytest", "-p", "no:anyio")
    assert code == 0, out
