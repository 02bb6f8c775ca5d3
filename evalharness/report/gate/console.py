"""A gate's result for the terminal: the verdict, a row per criterion, why, and what would decide."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalharness.core.text import one_line
from evalharness.gate.planning import Plan
from evalharness.gate.types import Comparison, GateResult, Verdict
from evalharness.report.figures import number
from evalharness.report.gate.words import MARK, change, detectable, first_line, name_of, paired_text, reasons

_STYLE = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow", None: "dim"}
_WIDE = 90


def gate_text(result: GateResult, width: int = 100, *, color: bool = False, age: str = "") -> str:
    """The whole summary within ``width`` columns; ``age`` is how old the baseline is, in words."""
    out, console = _console(width, color)
    console.print(Text(first_line(result), style=f"bold {_STYLE[result.verdict]}"), soft_wrap=True)
    since = f", {age} old" if age else ""
    console.print(Text(f"baseline of {one_line(result.baseline_created, 40)}{since}"))
    console.print(_criteria(result.comparisons, wide=width >= _WIDE))
    for row in result.gating:
        why = reasons(row)
        console.print(
            Text(f"{name_of(row.column)}: {why + '. ' if why else ''}{paired_text(row)}"),
            style="dim",
            soft_wrap=True,
        )
        for part in row.slices:
            if part.dropped:
                where = one_line(f"{part.key}={part.value}", 60)
                console.print(
                    Text(f"  drop in slice {where}: {number(part.difference.value)}", style="yellow"),
                    soft_wrap=True,
                )
    for demand in result.demands:
        text = f"{one_line(demand.name, 80)}: {MARK[demand.verdict]}, {one_line(demand.reason)}"
        console.print(Text(text, style=_STYLE[demand.verdict]), soft_wrap=True)
    for note in result.notes:
        console.print(Text(f"note: {one_line(note, 300)}", style="yellow"), soft_wrap=True)
    return out.getvalue().rstrip("\n")


def plan_text(plans: Sequence[Plan], width: int = 100) -> str:
    """How many scenarios each criterion needs."""
    out, console = _console(width, color=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", overflow="fold")
    for title in ("scatter", "max drop", "correlation", "samples", "scenarios", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    for plan in plans:
        for place, need in enumerate(plan.needs):
            head = [one_line(plan.criterion, 50), number(plan.scatter), number(plan.margin)]
            groups = "too many" if need.groups is None else f"{need.groups:,}"
            cost = "unknown" if need.cost is None else f"${need.cost:,.2f}"
            cells = [
                *(head if place == 0 else ["", "", ""]),
                f"{need.correlation:g}",
                str(need.samples),
                groups,
                cost,
            ]
            table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    return out.getvalue().rstrip("\n")


def _console(width: int, color: bool) -> tuple[io.StringIO, Console]:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, color_system="standard" if color else None,
        highlight=False, emoji=False, markup=False,
    )  # fmt: skip
    return out, console


def _criteria(rows: Iterable[Comparison], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", overflow="fold")
    for title in ("verdict", "change [bounds]", "tolerated", "detectable"):
        table.add_column(title, justify="right", no_wrap=True)
    if wide:
        table.add_column("baseline", justify="right")
        table.add_column("run", justify="right")
    for row in rows:
        tolerated = "–" if row.margin is None or row.verdict is None else f"−{number(row.margin)}"
        cells = [
            Text(name_of(row.column)),
            Text(MARK[row.verdict] if row.verdict else "not gating", style=_STYLE[row.verdict]),
            Text(change(row)), Text(tolerated), Text(detectable(row)),
        ]  # fmt: skip
        if wide:
            cells += [Text(number(row.baseline_mean.value)), Text(number(row.run_mean.value))]
        table.add_row(*cells)
    return table
