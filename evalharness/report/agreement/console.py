"""Agreement for the terminal: per criterion the ceiling, judges, metrics and baselines in one table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalharness.analysis.agreement.budget import BudgetRow
from evalharness.analysis.agreement.types import Agreement, CriterionReport, Row
from evalharness.core.scores import criterion_title
from evalharness.core.text import one_line
from evalharness.report.agreement.selection import (
    Line,
    grouping_of,
    lines_of,
    pair_title,
    remark,
    rows_of,
    slices_of,
    statistics_of,
    title,
)
from evalharness.report.figures import NOTHING, interval, number, percent

_NAMES = 24
"""Scorers' names are given at least this much room, or as much as they need, before figures lose their intervals."""
_COUNTS = 14
"""Room for the numbers of items and groups."""


def agreement_text(
    agreement: Agreement, width: int = 100, *, color: bool = False, everything: bool = False
) -> str:
    """The summary, then a table and sentences for each criterion; all rows where ``everything`` is asked for."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, color_system="standard" if color else None,
        highlight=False, emoji=False, markup=False,
    )  # fmt: skip
    console.print(Text(one_line(agreement.summary, 2000)))
    for note in agreement.notes:
        console.print(Text(f"note: {one_line(note, 800)}"))
    for report in agreement.criteria:
        console.print(Text(""))
        console.print(Text(heading(report), style="bold"))
        console.print(_table(agreement, report, width))
        for line in sentences(report):
            console.print(Text(one_line(line, 400)))
        for line in (*samples_lines(agreement, report), *_slice_lines(agreement, report)):
            console.print(Text(line))
        if everything:
            console.print(_all_rows(rows_of(agreement, report)))
    pairs = [row for row in agreement.rows if row.unit.value == "pair"]
    if pairs:
        console.print(Text("\npreferences between two replies", style="bold"))
        console.print(_pair_table(pairs))
        if everything:
            console.print(_all_rows(pairs))
    return out.getvalue().rstrip("\n")


def heading(report: CriterionReport) -> str:
    """A criterion with its counts."""
    parts = [
        f"{report.labelled:,} labelled {report.unit.value}s",
        "1 rater" if report.raters == 1 else f"{report.raters} raters",
    ]
    if report.unscored:
        parts.append(f"{report.unscored:,} of them not scored")
    if report.unlabelled:
        parts.append(f"{report.unlabelled:,} scored without a label")
    own = criterion_name(report)
    name = own if own.casefold() == report.label.casefold() else f"{own} (labels: {report.label})"
    return f"{one_line(name, 60)} · {' · '.join(parts)}"


def criterion_name(report: CriterionReport) -> str:
    """A criterion as people call it."""
    return criterion_title(report.criterion)


def sentences(report: CriterionReport) -> list[str]:
    """What is said of each judge, the missing ceiling, and notes."""
    said = [f"{verdict.scorer}: {sentence}" for verdict in report.verdicts for sentence in verdict.sentences]
    return [*said, *([report.ceiling_note] if report.ceiling_note else []), *report.notes]


def samples_lines(agreement: Agreement, report: CriterionReport) -> Iterator[str]:
    """Agreement of each judge by the number of averaged samples."""
    by_scorer: dict[str, list[str]] = {}
    for row in rows_of(agreement, report):
        if row.slice.startswith("samples="):
            by_scorer.setdefault(row.scorer, []).append(f"{row.slice[8:]}: {number(row.estimate.value)}")
    for scorer, parts in by_scorer.items():
        yield f"{one_line(scorer, 40)} by averaged samples ({title(report.shown[0])})  {'  '.join(parts)}"


def _slice_lines(agreement: Agreement, report: CriterionReport) -> Iterator[str]:
    """The leading figure of each judge in each slice, with a mark where it differs from the other items."""
    for row in slices_of(agreement, report):
        mark = f"  {row.reason}" if row.reason and row.estimate.value is not None else ""
        figure = interval(row.estimate) if row.estimate.value is not None else f"{NOTHING} ({row.reason})"
        yield (
            f"  {one_line(row.slice, 40)} · {one_line(row.scorer, 30)} · {title(row.statistic)} {figure} "
            f"n {row.estimate.n:,}{one_line(mark, 80)}"
        )


def _table(agreement: Agreement, report: CriterionReport, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    statistics = statistics_of(report)
    lines = lines_of(agreement, report)
    whole = _with_interval(lines, statistics, width)
    table.add_column(f"scorer ({grouping_of(lines)})", overflow="fold")
    for name in statistics:
        table.add_column(title(name), justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("groups", justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line, statistics, whole))
    if len(whole) < len(statistics):
        table.caption = "A wider window, --json and agree.html have all intervals."
        table.caption_justify = "left"
    return table


def _with_interval(lines: Sequence[Line], statistics: Sequence[str], width: int) -> Sequence[str]:
    """The statistics, from the first on, whose intervals leave room for the scorers' names; at least the first."""
    names = min(_NAMES, max((len(_name(line)) for line in lines), default=0))
    for count in range(len(statistics), 1, -1):
        whole = statistics[:count]
        columns = [
            max(map(len, (title(name), *(_figure(line.figures.get(name), name in whole) for line in lines))))
            for name in statistics
        ]
        if names + sum(columns) + 2 * len(columns) + _COUNTS <= width:
            return whole
    return statistics[:1]


def _cells(line: Line, statistics: Iterable[str], whole: Sequence[str]) -> list[Text]:
    first = next((line.figures[name] for name in statistics if name in line.figures), None)
    cells = [Text(_name(line))]
    cells += [Text(_figure(line.figures.get(statistic), statistic in whole)) for statistic in statistics]
    n, groups = (first.estimate.n, first.estimate.groups) if first else (0, 0)
    return [*cells, Text(f"{n:,}"), Text(f"{groups:,}")]


def _name(line: Line) -> str:
    return one_line(f"{line.scorer} · {line.rubric}" if line.rubric else line.scorer, 60)


def _figure(row: Row | None, whole: bool) -> str:
    if row is None:
        return ""
    if row.estimate.value is None:
        return f"{NOTHING} ({one_line(row.reason, 30)})" if whole else NOTHING
    return interval(row.estimate) if whole else number(row.estimate.value)


_PAIR_COLUMNS = {
    "pair_agreement_with_ties": "with ties",
    "pair_agreement_without_ties": "without ties",
    "pair_kappa_symmetrised_without_ties": "kappa, no ties",
}


def _pair_table(rows: Iterable[Row]) -> Table:
    """A line for each scorer, criterion and slice: agreement with and without ties, and what is behind it."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.criterion, row.slice, row.scorer), {})[row.statistic] = row
    several = len({criterion for criterion, _, _ in found}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scorer", overflow="fold")
    for name in _PAIR_COLUMNS.values():
        table.add_column(name, justify="right")
    for (criterion, where, scorer), figures in found.items():
        place = " ".join(part for part in (pair_title(criterion) if several else "", where) if part)
        dropped = figures.get("pair_share_dropped_with_ties")
        more = {"pair_agreement_without_ties": _dropped(dropped)}
        cells = [_pair_cell(figures.get(name), more.get(name, "")) for name in _PAIR_COLUMNS]
        table.add_row(Text(one_line(f"{scorer} {place}".rstrip(), 60)), *cells)
    return table


def _dropped(row: Row | None) -> str:
    """The share of pairs of votes that drop out with ties."""
    return "" if row is None or row.estimate.value is None else f"\n{percent(row.estimate.value)} dropped"


def _pair_cell(row: Row | None, more: str = "") -> Text:
    """A figure with its interval and, under it, how many pairs of votes agree."""
    if row is None:
        return Text("")
    votes = row.reason.partition(" pairs")[0] if " of " in row.reason else row.reason
    return Text(f"{interval(row.estimate)}\n{one_line(votes, 40)}{more}")


def _all_rows(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("scorer", "statistic", "grouping", "slice"):
        table.add_column(name, overflow="fold")
    for name in ("value", "n", "groups", "undefined"):
        table.add_column(name, justify="right")
    table.add_column("reason", overflow="fold")
    for row in rows:
        table.add_row(
            Text(one_line(row.scorer, 40)), Text(one_line(row.statistic, 60)), Text(row.grouping),
            Text(one_line(row.slice, 40)), Text(interval(row.estimate)), Text(f"{row.estimate.n:,}"),
            Text(f"{row.estimate.groups:,}"), Text(str(row.undefined)), Text(one_line(remark(row), 120)),
        )  # fmt: skip
    return table


def budget_text(rows: Iterable[BudgetRow], half_width: float) -> str:
    """The plan of labels as a table."""
    out = io.StringIO()
    console = Console(file=out, width=100, no_color=True, highlight=False, emoji=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for name in ("statistic", "if it is", "commoner class", "labels"):
        table.add_column(name, justify="left" if name == "statistic" else "right")
    for row in rows:
        share = "" if row.prevalence is None else f"{row.prevalence:.0%}"
        table.add_row(title(row.statistic), number(row.value), share, f"{row.labels:,}")
    console.print(Text(f"labels for a 95 % interval of ±{half_width:g}, items independent"))
    console.print(table)
    console.print(
        Text("Items of one group tell less: with m items a group of correlation r, multiply by 1 + (m-1) r.")
    )
    return out.getvalue().rstrip("\n")
