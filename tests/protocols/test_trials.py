"""`evalharness trials`: published figures, missing and unnumbered trials, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import report, run
from tests.research import research_file

KEPT = {"calls-answered": 182, "no-repeated-calls": 166, "no-tool-errors": 146, "no-ignored-errors": 181}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*rows: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    lines = (json.dumps({"id": f"d{number}", "messages": messages, **row}) for number, row in enumerate(rows))
    Path("in.jsonl").write_text("\n".join(lines) + "\n")


def trial(group: str, number: int | None, reward: object = None, system: str = "") -> dict[str, Any]:
    known = {"trial": number, "reward": reward, "system": system or None}
    return {"group": group, "metadata": {key: value for key, value in known.items() if value is not None}}


def scored(check: str = "metadata:reward>=1") -> Any:
    assert run("score", "in.jsonl", "--check", check, "-o", "r", "-q").code == 0
    ran = run("trials", "r", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(Path("r/trials.json").read_text()) == ran.json
    return ran.json


def test_the_published_figures_of_tau_bench_come_out_exactly():
    trajectories = research_file("tau-bench/gpt-4o-airline.json")
    assert (
        run("score", trajectories, "--check", "metadata:reward>=1", "-m", "trajectory", "-o", "r", "-q").code
        == 0
    )
    ran = run("trials", "r", "--json")
    found = next(row for row in ran.json["criteria"] if row["criterion"] == "metadata:reward>=1")
    assert (found["tasks"], found["scored"], found["tasks_by_trials"]) == (50, 200, {"4": 50})
    figures = [f"{at['pass_all']['value']:.3f}" for at in found["at"]]
    assert figures == ["0.420", "0.273", "0.220", "0.200"]
    assert [at["pass_all"]["groups"] for at in found["at"]] == [50] * 4
    assert all(at["pass_all"]["low"] < at["pass_all"]["value"] < at["pass_all"]["high"] for at in found["at"])
    rules = {row["criterion"]: row for row in report(Path("r"))["criteria"]}
    kept = {name: round(rules[name]["mean"]["value"] * 182) for name in KEPT}
    assert kept == KEPT, "of the 182 trajectories with a call; 36 have a result that begins with Error"
    assert {rules[name]["scored"] for name in KEPT} == {182}


def test_systems_stand_apart_and_tasks_with_few_trials_are_counted():
    write(
        trial("a", 1, 1, "old"), trial("a", 2, 0, "old"), trial("a", 1, 1, "new"), trial("a", 2, 1, "new"),
        trial("b", 1, 1, "new"),
    )  # fmt: skip
    new, old = scored()["criteria"]
    assert (new["system"], old["system"]) == ("new", "old")
    assert [(at["pass_all"]["value"], at["tasks_left_out"]) for at in new["at"]] == [(1.0, 0), (1.0, 1)]
    assert [at["pass_all"]["value"] for at in old["at"]] == [0.5, 0.0]
    assert [at["pass_any"]["value"] for at in old["at"]] == [0.5, 1.0]


def test_a_trial_without_a_score_is_missing_and_bounds_the_figure():
    write(trial("a", 1, 1), trial("a", 2, "odd"), trial("b", 1, 1), trial("b", 2, 1), trial("b", 3))
    (found,) = scored()["criteria"]
    assert found["failed"] == {"scorer_error": 1}
    assert found["skipped"] == {"nothing_to_judge": 1}
    first, second = found["at"]
    assert first["bounds"] == [0.75, 1.0]
    assert (second["pass_all"]["value"], second["tasks_left_out"], second["bounds"]) == (1.0, 1, [0.5, 1.0])


def test_two_dialogues_that_are_the_same_trial_are_refused():
    write(trial("a", 1, 1), trial("a", 1, 0))
    assert run("score", "in.jsonl", "--check", "metadata:reward>=1", "-o", "r", "-q").code == 0
    ran = run("trials", "r")
    assert ran.code == 2
    assert "'d0' and 'd1' are both trial 1 of 'a'" in ran.err
    assert not Path("r/trials.json").exists()


def test_dialogues_without_a_number_count_as_trials_and_are_told():
    write(trial("a", None, 1), trial("a", None, 0))
    assert scored()["unnumbered"] == 2
    shown = run("trials", "r", "-k", "3").out
    assert "2 dialogues state no metadata.trial" in shown
    assert "  2  0                       1.00" in shown
    assert "  3  –                       –" in shown


def test_criteria_about_turns_are_named_as_left_out():
    write(trial("a", 1, 1))
    assert run("score", "in.jsonl", "-m", "words", "-o", "r", "-q").code == 0
    ran = run("trials", "r")
    assert ran.out.startswith("no criterion about whole dialogues has a pass rule")
    assert "not counted (about turns, or no pass rule): words" in ran.out
