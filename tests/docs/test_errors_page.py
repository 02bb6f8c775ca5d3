"""docs/errors.md has an entry for everything that a user can be told."""

from __future__ import annotations

import re
from pathlib import Path

from evalharness.core.scores import Cause, SkipReason
from evalharness.engine.judging import TRANSIENT
from evalharness.errors import ExitCode

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


def _rows() -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


def test_every_cause_and_reason_is_explained_and_nothing_else():
    assert _rows() == {cause.value for cause in Cause} | {reason.value for reason in SkipReason}


def test_every_exit_code_is_explained():
    table = PAGE.split("## Exit codes")[1].split("##")[0]
    codes = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")
    }
    assert codes == {int(code) for code in ExitCode}


def test_the_causes_that_are_asked_again_are_the_engine_s():
    sentence = PAGE.split("Failures with the causes")[1].split("are asked again")[0]
    named = set(re.findall(r"`(\w+)`", sentence))
    assert named == {cause.value for cause in TRANSIENT} - {"incomplete"}
