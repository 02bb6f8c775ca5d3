"""`gate --labels` and `--calibration`: what is compared is what humans would have said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.cli.test_gate import RUBRIC, _log, _recordings, _score

SCENARIOS = [f"s{number:02}" for number in range(60)]


def runs(old: Callable[[int], int], new: Callable[[int], int]) -> None:
    """Two runs of sixty scenarios of one reply; what the judge says of each."""
    Path("tone.yaml").write_text(RUBRIC)
    _log("old.jsonl", dict.fromkeys(SCENARIOS, 1))
    _log("new.jsonl", dict.fromkeys(SCENARIOS, 1), "-new")
    said = {name: [old(n)] for n, name in enumerate(SCENARIOS)}
    _recordings({**said, **{f"{name}-new": [new(n)] for n, name in enumerate(SCENARIOS)}})
    _score("old.jsonl", "old")
    _score("new.jsonl", "new")


def labels(old: Callable[[int], int], new: Callable[[int], int], step: int = 2) -> None:
    """Labels on every ``step``-th scenario of both runs."""
    rows = ["dialogue,turn,criterion,rater,value"]
    for n in range(0, len(SCENARIOS), step):
        rows += [f"{SCENARIOS[n]},reply 1,polite,ann,{old(n)}", f"{SCENARIOS[n]}-new,1,Polite,ann,{new(n)}"]
    Path("labels.csv").write_text("\n".join(rows) + "\n")


def gate(*more: str) -> Ran:
    return run("gate", "new", "--baseline", "old", *more)


def criterion() -> dict[str, Any]:
    return dict(json.loads(Path("new/gate.json").read_text())["criteria"][0])


def level(n: int) -> int:
    return 3 + n % 3 // 2


def test_a_drop_that_the_judge_does_not_see_is_seen_by_labels():
    runs(level, level)
    assert gate().code == 0
    labels(level, lambda n: level(n) - 1 - n % 4 // 2)
    ran = gate("--labels", "labels.csv")
    assert ran.code == 1, ran.out
    row = criterion()
    assert row["difference_by_judge"]["value"] == 0.0
    assert row["difference"]["value"] == pytest.approx(-1.5, abs=0.2)
    assert row["difference"]["groups"] == 30
    assert "debiased by labels on 30 pairs in 30 groups; the judge alone says 0" in ran.out


def test_a_drop_that_only_the_judge_sees_is_none():
    runs(lambda n: 4 + n % 2, lambda n: 3 + n % 2)
    assert gate().code == 1
    labels(lambda n: 4 - n // 2 % 2 + (n == 2), lambda n: 4 - n // 2 % 2, step=1)  # one label differs
    ran = gate("--labels", "labels.csv")
    assert ran.code == 0, ran.out


def test_labels_on_other_scenarios_debias_each_run_alone():
    runs(level, level)
    rows = ["dialogue,turn,criterion,rater,value"]
    for n in range(60):
        name = f"{SCENARIOS[n]}-new" if n % 2 else SCENARIOS[n]
        rows.append(f"{name},1,polite,ann,{level(n) - 2 * (n % 2) + n % 5 // 3}")
    Path("labels.csv").write_text("\n".join(rows) + "\n")
    ran = gate("--labels", "labels.csv")
    assert ran.code == 1, ran.out
    assert criterion()["difference"]["method"].startswith("debiased by 30 and 30 labels, each run by its own")


def test_labels_bridge_a_changed_judge():
    runs(level, level)
    _recordings({f"{name}-new": [level(n) - 1] for n, name in enumerate(SCENARIOS)})
    _score("new.jsonl", "new", "tone.yaml", "--update")
    assert gate().code == 2, "another recording is another judge"
    labels(level, lambda n: level(n) - (n % 10 == 4) + (n % 10 == 6))
    ran = gate("--labels", "labels.csv")
    assert ran.code == 0, ran.out
    assert criterion()["difference_by_judge"]["value"] == -1.0


def test_a_baseline_file_meets_labels_too():
    runs(level, level)
    run("baseline", "save", "old", "-o", "base.json")
    labels(level, lambda n: level(n) - 1 - n % 4 // 2)
    gate("--labels", "labels.csv")
    direct = criterion()["difference"]
    assert run("gate", "new", "-b", "base.json", "--labels", "labels.csv").code == 1
    assert criterion()["difference"] == direct


def test_labels_on_one_side_leave_it_open():
    runs(level, level)
    labels(level, level)
    lines = [line for line in Path("labels.csv").read_text().splitlines() if "-new" not in line]
    Path("labels.csv").write_text("\n".join(lines) + "\n")
    ran = gate("--labels", "labels.csv")
    assert ran.code == 4, ran.out
    assert "labels on 30 items of the baseline and 0 of the run" in ran.out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nobody,1,polite,ann,3", "labels are about dialogues that no run has"),
        ("s00,1,polite,ann,9", "outside its scale of 1 to 5"),
        ("s00,1,warm,ann,3", "no gating criterion has labels (labelled: warm)"),
    ],
)
def test_labels_that_do_not_fit_are_errors(row: str, message: str):
    runs(level, level)
    Path("labels.csv").write_text(f"dialogue,turn,criterion,rater,value\n{row}\n")
    ran = gate("--labels", "labels.csv")
    assert ran.code == 2
    assert message in ran.err


def test_a_calibration_bridges_too_and_says_what_it_leaves_out():
    runs(level, level)
    labels(level, level, step=1)
    for name in ("old", "new"):
        own = [
            line
            for line in Path("labels.csv").read_text().splitlines()
            if ("-new" in line) == (name == "new")
        ]
        Path(f"{name}.csv").write_text(
            "dialogue,turn,criterion,rater,value\n" + "\n".join(own[name == "old" :]) + "\n"
        )
    ran = run("calibrate", "old", "--labels", "old.csv", "-o", "cal.json")
    assert ran.code == 0, ran.err
    ran = gate("--calibration", "cal.json")
    assert ran.code == 0, ran.out
    assert "the calibration's own error is not in the bounds" in ran.out
    Path("foreign.json").write_text(Path("cal.json").read_text().replace("tone@", "other@"))
    refused = gate("--calibration", "foreign.json")
    assert refused.code == 2
    assert "belong to no column" in refused.err


def test_annotations_stand_at_the_line_of_the_rubric(monkeypatch: pytest.MonkeyPatch):
    runs(lambda n: 4 + n % 2, lambda n: 2 + n % 2)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    commands = [line for line in gate().err.splitlines() if line.startswith("::error file=tone.yaml")]
    line = 1 + RUBRIC.splitlines().index("  polite:")
    assert commands
    assert commands[0].startswith(f"::error file=tone.yaml,line={line}::")
    Path("tone.yaml").write_text("# moved\n" + RUBRIC)
    assert "file=tone.yaml" not in gate().err, "the file is not the one that was asked about"
