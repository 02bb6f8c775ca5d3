"""`gate` and `baseline` through the command: one test per verdict, files, and what CI shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from evalharness.data.dialogues import Read, read_dialogues
from evalharness.data.writing import write_dialogues
from tests.cli.runner import DATASETS, Ran, run
from tests.recorded import USR_FILE, write_replay
from tests.research import research_file

RUBRIC = """\
rubric: tone
version: 1
unit: turn
about: A support agent answers.
criteria:
  polite:
    question: How polite is the reply?
    scale: ordinal
    levels: {1: "rude", 2: "cold", 3: "fine", 4: "kind", 5: "very kind"}
    pass: ">=3"
"""


def _log(path: str, groups: Mapping[str, int], tag: str = "", text: str = "Hello.", **metadata: str) -> None:
    """A dialogue per group, with so many replies."""
    rows = []
    for group, replies in groups.items():
        messages = [{"role": role, "content": text} for _ in range(replies) for role in ("user", "assistant")]
        rows.append({"id": f"{group}{tag}", "group": group, "messages": messages, "metadata": metadata})
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _recordings(
    values: Mapping[str, Sequence[Any]], path: str = "replay.jsonl", criterion: str = "polite"
) -> None:
    """What the judge said of each reply of each dialogue; a list stands for several samples."""
    with Path(path).open("w") as out:
        for dialogue, replies in values.items():
            for number, value in enumerate(replies, start=1):
                outputs = value if isinstance(value, list) else [value]
                row = {
                    "dialogue": dialogue,
                    "turn": f"reply {number}",
                    "criterion": criterion,
                    "outputs": outputs,
                }
                out.write(json.dumps(row) + "\n")


def _score(log: str, out: str, rubric: str = "tone.yaml", *more: str) -> None:
    ran = run("score", log, "--rubric", rubric, "--judge", "j=replay:replay.jsonl", "-o", out, *more)
    assert ran.code == 0, ran.err


def _two_runs(
    before: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]], **metadata: str
) -> None:
    """Runs `old` and `new` of dialogues answered anew, judged by one recording."""
    Path("tone.yaml").write_text(RUBRIC)
    _log("old.jsonl", {name: len(replies) for name, replies in before.items()})
    _log("new.jsonl", {name: len(replies) for name, replies in after.items()}, "-new", **metadata)
    _recordings({**before, **{f"{name}-new": replies for name, replies in after.items()}})
    _score("old.jsonl", "old")
    _score("new.jsonl", "new")


def _steady(groups: int = 40) -> dict[str, list[int]]:
    return {f"s{i:02}": [3 + i % 3, 4] for i in range(groups)}


def _gate(*arguments: str) -> Ran:
    return run("gate", "new", "--baseline", "old", *arguments)


def _document(folder: str = "new") -> Any:
    return json.loads((Path(folder) / "gate.json").read_text())


def _usr_runs(*systems: str) -> None:
    write_replay("rate_explain", Path("replay.jsonl"))
    found = [
        read.dialogue for read in read_dialogues([str(research_file(USR_FILE))]) if isinstance(read, Read)
    ]
    for name, system in zip(("old", "new"), systems, strict=True):
        write_dialogues(f"{name}.jsonl", (d for d in found if d.system == system))
        _score(f"{name}.jsonl", name, "topical-chat")


def test_a_worse_system_fails_and_the_better_one_passes():
    """Human replies against those of a sampler, by a recorded judge."""
    _usr_runs("Original Ground Truth", "Nucleus Decoding (p = 0.7)")
    Path("gate.yaml").write_text("max_failed: 5%\n")
    worse = run("gate", "new", "--baseline", "old", "--policy", "gate.yaml", "--json")
    assert worse.code == 1
    assert all(row["verdict"] == "fail" for row in worse.json["criteria"] if row["not_gating"] is None)
    assert run("gate", "old", "--baseline", "new", "--policy", "gate.yaml").code == 0


def test_two_systems_that_sixty_contexts_cannot_tell_apart():
    _usr_runs("Argmax Decoding", "Nucleus Decoding (p = 0.7)")
    forth = run("gate", "new", "--baseline", "old", "--json")
    back = run("gate", "old", "--baseline", "new", "--json")
    assert (forth.code, back.code) == (4, 4)
    for one, other in zip(forth.json["criteria"], back.json["criteria"], strict=True):
        assert one["difference"]["groups"] == 60
        assert one["difference"]["value"] == pytest.approx(-other["difference"]["value"])
        assert one["difference"]["lower"] == pytest.approx(-other["difference"]["upper"])


def test_a_system_against_itself_passes():
    _usr_runs("Argmax Decoding", "Argmax Decoding")
    Path("gate.yaml").write_text("max_failed: 20%\nmax_unpaired: 20%\n")
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 0, ran.out
    assert ran.out.startswith("PASS: new against old")
    assert "nothing changed" in ran.out


def test_the_degraded_twins_of_the_sample_fail():
    ran = run("score", DATASETS / "sample.jsonl", "--metric", "bleu,chrf", "-o", "old")
    assert ran.code == 0, ran.err
    run("score", DATASETS / "degraded.jsonl", "--metric", "bleu,chrf", "-o", "new")
    Path("gate.yaml").write_text("max_drop: 1%\nslices: [domain, lang]\n")
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 1, ran.out
    assert ran.out.startswith("FAIL: new against old")
    assert {row["criterion"]: row["verdict"] for row in _document()["criteria"]}["chrf"] == "fail"


def test_dialogues_answered_anew_with_other_reply_counts_pass():
    before = _steady()
    after = {name: [*values, 4] if name < "s05" else values for name, values in before.items()}
    _two_runs(before, after)
    ran = _gate()
    assert ran.code == 0, ran.out
    row = _document()["criteria"][0]
    assert row["compared_by_means"] == 5
    assert row["difference"]["n"] == 5 + 2 * 35


def test_too_few_dialogues_are_undecided():
    _two_runs({"a": [4], "b": [3], "c": [5], "d": [2]}, {"a": [3], "b": [4], "c": [5], "d": [2]})
    ran = _gate()
    assert ran.code == 4, ran.out
    assert "an unchanged system would pass with" in ran.out
    row = _document()["criteria"][0]
    assert row["minimum_detectable_drop"] > 0.2
    assert row["groups_to_pass_unchanged"] > 4


def test_a_fifth_of_the_items_without_a_verdict_is_undecided():
    after = {name: ["no idea", 4] if int(name[1:]) % 5 < 2 else values for name, values in _steady().items()}
    _two_runs(_steady(), after)
    ran = _gate()
    assert ran.code == 4, ran.out
    assert "16 of 80 items have no verdict" in ran.out
    assert _document()["criteria"][0]["unpaired"]["no_verdict_run"] == 16
    assert _document()["criteria"][0]["difference"]["bounds"] is not None


def test_a_changed_rubric_is_refused_by_name():
    _two_runs(_steady(6), _steady(6))
    Path("tone.yaml").write_text(RUBRIC.replace("How polite", "How very polite"))
    _score("new.jsonl", "new", "tone.yaml", "--update")
    ran = _gate()
    assert ran.code == 2
    assert "polite (j on tone): rubric was tone@" in ran.err


def test_a_dialogue_that_must_pass():
    after = {name: [1, 4] if name == "s07" else values for name, values in _steady().items()}
    _two_runs(_steady(), after)
    Path("gate.yaml").write_text("max_drop: 20%\nmust_pass: [s07]\n")
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 1, ran.out
    assert "must pass: s07: FAIL" in ran.out


def test_a_failure_that_is_not_confirmed_is_undecided_and_one_that_is_fails():
    Path("gate.yaml").write_text("max_drop: 50%\ncriteria:\n  polite: {max_new_failures: 0, confirm: 3}\n")
    once = {name: [1, 4] if name == "s07" else values for name, values in _steady().items()}
    _two_runs(_steady(), once)
    assert _gate("--policy", "gate.yaml").code == 4
    thrice = {name: [[1, 1, 2], 4] if name == "s07" else values for name, values in _steady().items()}
    for folder in ("old", "new"):
        run("runs", "rm", folder, "--yes")
    _two_runs(_steady(), thrice)
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 1, ran.out
    assert _document()["criteria"][0]["new_failures"] == [
        {
            "dialogue": "s07-new",
            "turn": 1,
            "value": pytest.approx(4 / 3),
            "failing_verdicts": 3,
            "verdicts": 3,
            "standing": "confirmed",
            "judged_again": None,
        }
    ]


def test_an_undecided_run_may_be_let_through_loudly():
    _two_runs({"a": [4], "b": [3], "c": [5]}, {"a": [3], "b": [4], "c": [5]})
    Path("gate.yaml").write_text("on_inconclusive: warn\n")
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 0
    assert "WARNING: the gate could not decide" in ran.err


def test_files_for_people_and_machines():
    worse = {name: [max(1, value - 2) for value in values] for name, values in _steady().items()}
    _two_runs(_steady(), worse)
    ran = _gate("--json")
    assert ran.code == 1
    assert ran.json == _document()
    text = (Path("new") / "gate.md").read_text()
    assert text.startswith("**❌ FAIL")
    suite = ElementTree.parse(Path("new") / "gate.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"
    assert suite.find("testcase/failure") is not None


def test_results_are_the_same_bytes_every_time():
    _two_runs(_steady(), _steady())
    _gate()
    first = [(Path("new") / name).read_bytes() for name in ("gate.json", "gate.md", "gate.xml")]
    _gate()
    assert first == [(Path("new") / name).read_bytes() for name in ("gate.json", "gate.md", "gate.xml")]


def test_hostile_names_issue_no_command(monkeypatch: pytest.MonkeyPatch):
    evil = "x\n::set-output name=a::b\r%0A<script>|`]]>\x1b[31m\ufffe"
    before = {evil: [5, 5], **_steady()}
    after = {name: [1, 1] for name in before}
    _two_runs(before, after)
    Path("gate.yaml").write_text(f"must_pass: [{json.dumps(evil[:12])}]\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(Path("summary.md").resolve()))
    ran = _gate("--policy", "gate.yaml")
    commands = [line for line in ran.err.splitlines() if line.startswith("::")]
    assert commands
    assert all(line.startswith(("::error", "::warning")) for line in commands)
    assert any("file=" in line and "new.jsonl,line=" in line for line in commands)
    assert "\x1b" not in ran.err + ran.out + Path("summary.md").read_text()
    assert "<script>" not in Path("summary.md").read_text()
    ElementTree.parse(Path("new") / "gate.xml")


def test_outside_of_github_nothing_is_annotated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    _two_runs(_steady(6), _steady(6))
    assert "::" not in _gate().err


@pytest.mark.parametrize("name", ["base.json", "base.json.gz"])
def test_a_saved_baseline_decides_as_its_run_does(name: str):
    worse = {key: [max(1, value - 1) for value in values] for key, values in _steady().items()}
    _two_runs(_steady(), worse)
    _gate()
    direct = _document()
    assert run("baseline", "save", "old", "--out", name).code == 0
    shown = run("baseline", "show", name, "--json").json
    assert (shown["dialogues"], shown["groups"]) == (40, 40)
    assert run("gate", "new", "--baseline", name).code == 1
    assert _document() == direct
    assert b"Hello" not in Path(name).read_bytes()


def test_a_damaged_or_foreign_baseline_is_refused():
    _two_runs(_steady(6), _steady(6))
    run("baseline", "save", "old", "--out", "base.json")
    text = Path("base.json").read_text()
    Path("base.json").write_text(text.replace('"s01"', '"s99"'))
    assert "damaged" in run("gate", "new", "--baseline", "base.json").err
    Path("base.json").write_text("{}")
    assert run("gate", "new", "--baseline", "base.json").code == 2
    assert run("gate", "new", "--baseline", "nowhere").code == 2


def test_only_a_run_that_passed_is_promoted():
    _two_runs(_steady(), {name: [1, 1] for name in _steady()})
    assert run("baseline", "promote", "new").code == 2
    _gate()
    refused = run("baseline", "promote", "new")
    assert refused.code == 2
    assert "did not pass" in refused.err
    assert run("baseline", "promote", "new", "--force").code == 0
    assert Path("baseline.json").exists()


def test_the_number_of_scenarios_is_planned():
    ran = run("gate", "--power", "--max-drop", "5%")
    assert ran.code == 0
    assert "scenarios" in ran.out
    _two_runs(_steady(), _steady())
    rows = run("gate", "--power", "--baseline", "old", "--json").json
    assert rows[0]["criterion"] == "polite"
    assert rows[0]["needs"][0]["groups"] > rows[0]["needs"][1]["groups"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("criterias: {}\n", "Did you mean 'criteria'?"),
        ("criteria:\n  polit: {max_drop: 5%}\n", "Did you mean 'polite'?"),
        ("criteria:\n  polite: {max_drop: lots}\n", "gate.yaml:2:22: max_drop can't be 'lots'"),
        ("max_failed: 200%\n", "max_failed can't be '200%'"),
        ("on_inconclusive: maybe\n", "exit, warn, fail"),
        ("pair_by: colour\n", "metadata.NAME"),
        ("confidence: 20%\n", "usually 95%"),
    ],
)
def test_mistakes_in_a_policy_are_named(text: str, message: str):
    _two_runs(_steady(3), _steady(3))
    Path("gate.yaml").write_text(text)
    ran = _gate("--policy", "gate.yaml")
    assert ran.code == 2
    assert message in ran.err
