"""Workflow commands for GitHub: errors and warnings at the lines of dialogues and of the policy.

Texts are escaped as the runner reads them (percent, line breaks; in properties also colon and comma), so that no id and
no message can end a command or begin another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evalharness.core.text import one_line
from evalharness.gate.types import Comparison, Failing, GateResult, Standing, Verdict
from evalharness.report.figures import number
from evalharness.report.gate.markdown import worst_dialogues
from evalharness.report.gate.words import MARK, change, failure_text, first_line, name_of, reasons

_LIMIT = 10
_LEVEL = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning", Verdict.PASS: "notice"}


RubricLines = Mapping[tuple[str, str], tuple[str, int]]
"""File and line of criteria, by rubric and criterion."""


def workflow_commands(result: GateResult, lines: RubricLines | None = None) -> tuple[str, ...]:
    """The commands, one a line: the verdict, what did not pass, and the items behind it (at most ten)."""
    return (
        command(_LEVEL[result.verdict], first_line(result)),
        *list(_details(result, lines or {}))[:_LIMIT],
    )


def command(
    level: str, message: str, file: str | None = None, line: int | None = None, title: str = ""
) -> str:
    """One workflow command."""
    properties = [("file", file), ("line", None if file is None or not line else str(line)), ("title", title)]
    stated = ",".join(f"{name}={_property(value)}" for name, value in properties if value)
    return f"::{level}{' ' + stated if stated else ''}::{_data(message)}"


def _details(result: GateResult, lines: RubricLines) -> Iterator[str]:
    for row in result.gating:
        if row.verdict is not Verdict.PASS:
            yield _criterion(result, row, lines)
        for item in _counting(row):
            text = f"new failure on {name_of(row.column)}: {item.dialogue} ({failure_text(item)})"
            yield command("error", text, item.source or None, item.line)
    for demand in result.demands:
        if demand.verdict is not Verdict.PASS:
            yield command(_LEVEL[demand.verdict], f"{demand.name}: {demand.reason}", result.policy.source)
        for item in demand.failing:
            yield command("error", f"{demand.name}: {item.dialogue} fails", item.source or None, item.line)
    if result.verdict is Verdict.FAIL:
        for name, drop in worst_dialogues(result):
            text = f"{name}: {number(drop.baseline)} before, {number(drop.run)} now ({drop.dialogue})"
            yield command("warning", text, drop.source or None, drop.line, "among the largest drops")


def _counting(row: Comparison) -> list[Failing]:
    """The new failures that count, where the criterion failed."""
    if row.verdict is not Verdict.FAIL:
        return []
    return [item for item in row.new_failures if item.standing is Standing.CONFIRMED]


def _criterion(result: GateResult, row: Comparison, lines: RubricLines) -> str:
    """A criterion's verdict where the rubric asks for it, else where the policy speaks of it."""
    assert row.verdict is not None
    default = (result.policy.source, row.policy_line)
    file, line = lines.get((row.column.rubric, row.column.criterion), default)
    text = f"{name_of(row.column)}: {MARK[row.verdict]}, change {change(row)}; {reasons(row)}"
    return command(_LEVEL[row.verdict], text, file, line)


def _data(text: str) -> str:
    return one_line(text, 1000).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
