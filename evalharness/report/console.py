"""The summary of a run as a table for the terminal: every mean beside the counts that it rests on."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalharness.analysis.types import Analysis, CalibratedMean, ColumnSummary, CorpusScore
from evalharness.core.text import one_line
from evalharness.report.figures import interval, number, percent, retest_text, with_margin
from evalharness.report.stages import stages_words

_NARROW = 90
_NAME_WIDTH = 12


def summary_table(analysis: Analysis, width: int = 100, *, color: bool = False) -> str:
    """What was scored, then a row per criterion, then corpus scores, within ``width`` columns."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, color_system="standard" if color else None,
        highlight=False, emoji=False, markup=False,
    )  # fmt: skip
    console.print(Text(headline(analysis)))
    for judge in analysis.run.toy_judges:
        console.print(Text(toy_line(judge), style="yellow"))
    if analysis.run.partial:
        console.print(Text(f"PARTIAL: {one_line(analysis.run.partial)}", style="bold yellow"))
    shown = sorted(analysis.columns, key=lambda summary: not summary.column.judged)
    console.print(_criteria(shown, narrow=width < _NARROW))
    for line in (*_reasons(shown), *_retests(shown), *_calibrated(shown)):
        console.print(Text(line, style="dim"))
    for line in _stages(shown):
        console.print(Text(line, style="dim"))
    if analysis.corpus:
        console.print(_corpus(analysis.corpus))
    return out.getvalue().rstrip("\n")


def headline(analysis: Analysis) -> str:
    """One line of counts: what was read."""
    run = analysis.run
    parts = [f"{run.dialogues:,} dialogues", f"{run.turns:,} turns"]
    if run.groups != run.dialogues:
        parts.append(f"{run.groups:,} groups")
    if len(run.systems) > 1:
        parts.append(f"{len(run.systems)} systems")
    if run.rejected:
        parts.append(f"{run.rejected:,} bad lines set aside")
    if run.masked is not None:
        parts.append(masked_line(run.masked[1]))
    return " · ".join(parts)


def masked_line(counts: Iterable[tuple[str, int]]) -> str:
    """``masked: 12 EMAIL, 3 PHONE``."""
    return (
        f"masked: {', '.join(f'{count:,} {one_line(kind, 40)}' for kind, count in counts) or 'nothing found'}"
    )


def toy_line(judge: str) -> str:
    """What must stand wherever a toy judge's scores are shown."""
    return f"{one_line(judge, 40)} is a toy judge for trying things out: don't base decisions on its scores."


def _criteria(summaries: Iterable[ColumnSummary], *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", overflow="fold", min_width=_NAME_WIDTH)
    table.add_column("mean ±95 %" if narrow else "mean [95 %]", justify="right", no_wrap=True)
    for name in ("pass", "scored", "failed", "skipped"):
        table.add_column(name, justify="right", no_wrap=True)
    for summary in summaries:
        table.add_row(
            Text(name_of(summary)),
            Text(with_margin(summary.mean) if narrow else interval(summary.mean)),
            Text("" if summary.pass_rate is None else percent(summary.pass_rate.value)),
            Text(f"{summary.tally.scored:,}"),
            Text(f"{summary.tally.failures:,}"),
            Text(f"{summary.tally.skips:,}"),
        )
    return table


def _reasons(summaries: Iterable[ColumnSummary]) -> Iterator[str]:
    """Why items have no score, a line for all criteria that share the reasons: the table itself stays narrow."""
    sharing: dict[str, list[str]] = {}
    for summary in summaries:
        reasons = why(summary)
        if reasons:
            sharing.setdefault(reasons, []).append(name_of(summary))
    for reasons, names in sharing.items():
        yield f"{', '.join(names)}: {reasons}"


def _calibrated(summaries: Iterable[ColumnSummary]) -> Iterator[str]:
    """The means on the human scale, of judges that have a calibration."""
    for summary in summaries:
        if summary.calibrated is not None:
            yield f"{name_of(summary)}: {calibrated_text(summary.calibrated)}"


def _retests(summaries: Iterable[ColumnSummary]) -> Iterator[str]:
    """How alike several samples of an item are."""
    for summary in summaries:
        if summary.retest is not None:
            yield f"{name_of(summary)}: {retest_text(summary.retest)}"


def calibrated_text(found: CalibratedMean) -> str:
    """A calibrated mean with what its curve rests on."""
    parts = [f"calibrated {interval(found.mean)}"]
    if found.outside:
        parts.append(f"{found.outside:,} items outside the labelled range")
    parts.append(f"curve from {found.labels:,} labelled items")
    return " · ".join(parts)


def _stages(summaries: Iterable[ColumnSummary]) -> Iterator[str]:
    """For each cascade, how many items each of its stages judged."""
    told: dict[tuple[str, str], str] = {}
    for summary in summaries:
        if summary.stages:
            told.setdefault((summary.column.scorer, summary.column.rubric), stages_words(summary))
    for (scorer, _), counts in told.items():
        yield f"{one_line(scorer, 40)}: judged by {counts}"


def name_of(summary: ColumnSummary) -> str:
    """A criterion with its scorer where it has one of its own: ``helpfulness (local:smollm2)``."""
    column = summary.column
    criterion = "overall" if column.criterion == "_overall" else column.criterion
    return one_line(f"{criterion} · {column.scorer}" if column.rubric else criterion, 70)


def why(summary: ColumnSummary) -> str:
    """Causes and reasons of what has no score, and the bounds that they leave open."""
    tally = summary.tally
    parts = [f"{name} {count}" for name, count in (*tally.failed, *tally.skipped)]
    if tally.pending:
        parts.append(f"pending {tally.pending}")
    parts += [f"{count}× {one_line(text, 60)}" for text, count in summary.warnings]
    if summary.unlike:
        parts.append(unlike_text(summary))
    if summary.bounds is not None:
        parts.append(f"mean within {number(summary.bounds[0])}…{number(summary.bounds[1])}")
    return ", ".join(parts)


def unlike_text(summary: ColumnSummary) -> str:
    """The share of items that are unlike what a fitted judge was fitted on."""
    scored = summary.tally.scored
    share = percent(summary.unlike / scored)
    return f"{summary.unlike:,} of {scored:,} items ({share}) lie outside the range of training"


def _corpus(scores: Iterable[CorpusScore]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("corpus score")
    table.add_column("system", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("items", justify="right")
    for score in scores:
        table.add_row(
            Text(score.column.criterion), Text(one_line(score.system, 40) or "all"), Text(number(score.value)),
            Text(f"{score.items:,}"),
        )  # fmt: skip
    return table
