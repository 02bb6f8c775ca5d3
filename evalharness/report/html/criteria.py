"""The table of criteria: every mean beside the counts that it rests on, every count a link to its dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from evalharness.analysis.types import Analysis, Bin, ColumnSummary, SystemRow, Tally
from evalharness.core.dialogue import Unit
from evalharness.core.rubric import PassRule
from evalharness.core.scores import OVERALL, Column
from evalharness.report.figures import interval, number, percent, retest_text
from evalharness.report.html.columns import label_of
from evalharness.report.html.geometry import (
    Axis,
    IntervalMarks,
    Spark,
    bar_length,
    bin_range,
    interval_marks,
    sparks,
)
from evalharness.report.html.links import filter_link
from evalharness.report.html.meanings import MEANINGS, title_of
from evalharness.report.html.standing import (
    NOTHING_BESIDE,
    Agrees,
    Standing,
    Versus,
    agrees_of,
    versus_of,
)
from evalharness.report.stages import stages_words
from evalharness.stats.estimate import Estimate

MOST_INLINE_SYSTEMS = 4


@dataclass(frozen=True, slots=True)
class Count:
    """A number of items with the list that shows them."""

    number: int
    href: str
    title: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate as it is written and drawn; ``undefined`` says why there is none."""

    value: str
    interval: str
    marks: IntervalMarks | None
    method: str
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the items of a row went."""

    items: int
    scored: Count
    failed: Count
    skipped: Count
    pending: int
    causes: tuple[Count, ...]
    reasons: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class SystemView:
    """The figures of one column for one system."""

    system: str
    figure: Figure
    passed: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class BarView:
    """One bar of a distribution."""

    label: str
    count: int
    length: float
    href: str
    kind: str
    """``good`` or ``bad`` where the bar is a level that passes or not."""


@dataclass(frozen=True, slots=True)
class CriterionView:
    """Everything that the page states about one column."""

    number: int
    name: str
    scorer: str
    rubric: str
    unit: str
    judged: bool
    overall: bool
    better: bool | None
    must: bool
    figure: Figure
    passed: Count | None
    pass_text: str
    pass_interval: str
    counts: Counts
    bounds: str
    calibrated: str
    samples: str
    unfound: Count | None
    split: Count | None
    spread: str
    sparks: tuple[Spark, ...]
    bars: tuple[BarView, ...]
    facts: tuple[tuple[str, str], ...]
    signature: str
    worst_href: str
    systems: tuple[SystemView, ...]
    versus: Versus | None = None
    agrees: Agrees | None = None
    new_href: str = ""
    judges: int = 1
    """How many rows the criterion has, one for each judge; 0 in all but the first of them."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """The rows of one rubric, or all metrics."""

    title: str
    subtitle: str
    several_scorers: bool
    rows: tuple[CriterionView, ...]
    versus: bool = False
    agrees: bool = False


def criterion_groups(
    analysis: Analysis, numbers: dict[Column, int], standing: Standing = NOTHING_BESIDE
) -> tuple[GroupView, ...]:
    """The rubrics in the order of the run, judges side by side within each criterion; metrics last."""
    rubrics = sorted(
        {s.column.rubric for s in analysis.columns}, key=lambda name: (not name, _first(analysis, name))
    )
    return tuple(_group(name, analysis, numbers, standing) for name in rubrics)


def _first(analysis: Analysis, rubric: str) -> int:
    return next(i for i, s in enumerate(analysis.columns) if s.column.rubric == rubric)


def _group(rubric: str, analysis: Analysis, numbers: dict[Column, int], standing: Standing) -> GroupView:
    own = [s for s in analysis.columns if s.column.rubric == rubric]
    order = {name: i for i, name in enumerate(dict.fromkeys(s.column.criterion for s in own))}
    own.sort(
        key=lambda s: (s.column.criterion != OVERALL, order[s.column.criterion]) if rubric else (False, 0)
    )
    rows = _spanned([_criterion(s, numbers[s.column], standing) for s in own])
    if not rubric:
        return GroupView("Metrics", "computed from the text", False, rows, *_beside(rows))
    judges = list(dict.fromkeys(row.scorer for row in rows))
    return GroupView(rubric, f"judged by {', '.join(judges)}", len(judges) > 1, rows, *_beside(rows))


def _beside(rows: Sequence[CriterionView]) -> tuple[bool, bool]:
    """Whether any row has a baseline or labels beside it."""
    return any(row.versus for row in rows), any(row.agrees for row in rows)


def _spanned(rows: Sequence[CriterionView]) -> tuple[CriterionView, ...]:
    spanned: list[CriterionView] = []
    for _, group in groupby(rows, key=lambda row: (row.overall, row.name)):
        first, *rest = group
        spanned += [replace(first, judges=1 + len(rest)), *(replace(row, judges=0) for row in rest)]
    return tuple(spanned)


def _criterion(summary: ColumnSummary, number_: int, standing: Standing) -> CriterionView:
    column = summary.column
    axis = Axis.of(summary)
    rate = summary.pass_rate
    return CriterionView(
        number=number_,
        name=label_of(column),
        scorer=column.scorer,
        rubric=column.rubric,
        unit="per dialogue" if column.unit is Unit.DIALOGUE else "per reply",
        judged=column.judged,
        overall=column.criterion == OVERALL,
        better=column.higher_is_better,
        must=column.must,
        figure=_figure(summary.mean, axis, column, summary.bounds),
        passed=None if rate is None else Count(summary.passed, filter_link(c=number_, **{"pass": "yes"})),
        pass_text="" if rate is None else percent(rate.value),
        pass_interval="" if rate is None else percent_interval(rate),
        counts=counts_of(summary.tally, number_),
        calibrated="" if summary.calibrated is None else f"calibrated {interval(summary.calibrated.mean)}",
        bounds="" if summary.bounds is None else f"{number(summary.bounds[0])} … {number(summary.bounds[1])}",
        samples="" if summary.samples is None else f"{summary.samples[0]:,}/{summary.samples[1]:,}",
        unfound=Count(summary.uncited, filter_link(c=number_, flag="unfound")) if summary.uncited else None,
        split=_split(summary, number_),
        spread=_spread(summary),
        sparks=sparks(summary.distribution),
        bars=_bars(summary, number_),
        facts=(*_facts(column), *_members(summary)),
        signature=column.signature,
        worst_href=filter_link(c=number_, sort="worst"),
        systems=tuple(_system(row, axis, column, number_) for row in summary.systems),
        versus=versus_of(standing.gate, column),
        agrees=agrees_of(standing.agreement, column),
        new_href=filter_link(c=number_, flag="new", rows="items", sort="worst"),
    )


def _split(summary: ColumnSummary, number_: int) -> Count | None:
    """The items on which members of the panel differ, with the list that shows the widest apart first."""
    if summary.panel is None or not summary.panel.split:
        return None
    return Count(summary.panel.split, filter_link(c=number_, flag="split", sort="disagreement"))


def _members(summary: ColumnSummary) -> Iterable[tuple[str, str]]:
    """What is known of the verdicts behind the scores: probability mass, stages of a cascade, members of a panel."""
    if summary.mass is not None:
        mean, least = (number(share) for share in summary.mass)
        yield "label mass", f"{mean} on average, at least {least}: the probability given to the levels in all"
    if summary.retest is not None:
        yield "asked again", retest_text(summary.retest)
    if summary.unlike:
        share = percent(summary.unlike / summary.tally.scored)
        yield (
            "extrapolated",
            f"{summary.unlike:,} items ({share}) lie outside the range that the judge was fitted on",
        )
    if summary.stages:
        yield "judged by", stages_words(summary)
    if summary.panel is None:
        return
    for member in summary.panel.members:
        parts = [f"{member.scored:,} verdicts"]
        if member.mean is not None:
            parts.insert(0, f"mean {number(member.mean)}")
        parts += [f"{cause} {count:,}" for cause, count in member.failed]
        if member.skipped:
            parts.append(f"{member.skipped:,} not assessed")
        yield f"member {member.name}", ", ".join(parts)
    if summary.panel.disagreement is not None:
        yield (
            "disagreement",
            f"{number(summary.panel.disagreement)} of the scale between two members, on average",
        )


def _figure(
    mean: Estimate, axis: Axis | None, column: Column, bounds: tuple[float, float] | None = None
) -> Figure:
    written = interval(mean)
    value, _, rest = written.partition(" ")
    method = f"{mean.method}; n = {mean.n:,} in {mean.groups:,} groups"
    return Figure(value, rest, interval_marks(axis, mean, column, bounds), method, mean.undefined or "")


def percent_interval(rate: Estimate) -> str:
    """``[62 %, 79 %]``; empty where there is none."""
    if rate.low is None or rate.high is None:
        return ""
    return f"[{percent(rate.low)}, {percent(rate.high)}]"


def counts_of(tally: Tally, column: int, system: str | None = None) -> Counts:
    """A tally with links that show its items."""

    def link(status: str, why: str | None = None) -> str:
        return filter_link(c=column, s=status, why=why, system=system)

    def causes(status: str, pairs: Iterable[tuple[str, int]]) -> tuple[Count, ...]:
        return tuple(Count(n, link(status, why), title_of(why), MEANINGS[why]) for why, n in pairs)

    return Counts(
        items=tally.items,
        scored=Count(tally.scored, link("scored")),
        failed=Count(tally.failures, link("failed")),
        skipped=Count(tally.skips, link("skipped")),
        pending=tally.pending,
        causes=causes("failed", tally.failed),
        reasons=causes("skipped", tally.skipped),
    )


def _spread(summary: ColumnSummary) -> str:
    spread = summary.spread
    if spread is None:
        return ""
    deviation = "" if spread.sd is None else f"sd {number(spread.sd)} · "
    return f"{deviation}{number(spread.minimum)} … {number(spread.maximum)}"


def _bars(summary: ColumnSummary, column: int) -> tuple[BarView, ...]:
    bins = summary.distribution
    most = max((part.count for part in bins), default=0)
    return tuple(
        BarView(
            part.label,
            part.count,
            bar_length(part.count, most),
            _bar_link(summary, column, i),
            _bar_kind(summary.column, part),
        )
        for i, part in enumerate(bins)
    )


def _bar_kind(column: Column, part: Bin) -> str:
    if column.passes is None or not column.levels or part.low is None:
        return ""
    return "good" if PassRule.parse(column.passes)(part.low) else "bad"


def _bar_link(summary: ColumnSummary, column: int, place: int) -> str:
    within = bin_range(summary.column, summary.distribution, place)
    if within is None:
        return filter_link(c=column, level=place)
    return filter_link(c=column, s="scored", ge=within.ge, lt=within.lt)


def _system(row: SystemRow, axis: Axis | None, column: Column, number_: int) -> SystemView:
    passed = "" if row.pass_rate is None else percent(row.pass_rate.value)
    return SystemView(
        row.system, _figure(row.mean, axis, column), passed, counts_of(row.tally, number_, row.system)
    )


def _facts(column: Column) -> tuple[tuple[str, str], ...]:
    direction = {True: "higher is better", False: "lower is better", None: "neither direction is good"}
    pairs = [
        ("unit", "whole dialogue" if column.unit is Unit.DIALOGUE else "assistant turn"),
        ("scale", _scale(column)),
        ("direction", "" if column.nominal else direction[column.higher_is_better]),
        ("passes", _rule(column)),
        ("note", column.note),
    ]
    return tuple((term, text) for term, text in pairs if text)


def _scale(column: Column) -> str:
    if column.levels:
        return " < ".join(column.levels) if not column.nominal else ", ".join(column.levels)
    if column.low is None and column.high is None:
        return "unbounded"
    low = "−∞" if column.low is None else number(column.low)
    high = "∞" if column.high is None else number(column.high)
    return f"{low} … {high}"


def _rule(column: Column) -> str:
    if column.passes is None:
        return ""
    rule = PassRule.parse(column.passes)
    named = rule.op == "==" and column.levels == ("no", "yes")
    text = f"“{column.levels[round(rule.bound)]}” is good" if named else column.passes
    return f"{text}; a bad answer fails the whole item" if column.must else text


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause or reason over all columns."""

    name: str
    meaning: str
    failed: bool
    cells: tuple[tuple[str, Count], ...]


def cause_rows(groups: Sequence[GroupView]) -> tuple[CauseRow, ...]:
    """Failures by cause, then skips by reason, with the columns that have them."""
    found = [
        (failed, count.title, count, f"{row.name} · {row.scorer}" if row.judged else row.name)
        for group in groups
        for row in group.rows
        for failed, counts in ((True, row.counts.causes), (False, row.counts.reasons))
        for count in counts
    ]
    found.sort(key=lambda part: (not part[0], part[1]))
    return tuple(
        CauseRow(title, parts[0][2].meaning, failed, tuple((name, count) for _, _, count, name in parts))
        for (failed, title), parts in (
            (key, list(own)) for key, own in groupby(found, key=lambda part: part[:2])
        )
    )
