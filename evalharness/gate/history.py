"""Quality over many runs: the mean of each criterion in each run, and where the instrument changed between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.core.scores import Column
from evalharness.core.snapshot import Series, Snapshot
from evalharness.data.anchor_facts import AnchorFact, AnchorFacts
from evalharness.gate.same import changed_parts
from evalharness.stats.clustered import mean_interval
from evalharness.stats.drift import cusum
from evalharness.stats.estimate import Estimate

_LEAST_ERROR = 0.01


@dataclass(frozen=True, slots=True)
class Point:
    """A criterion in one run. ``changed`` says how it was measured otherwise than in the run before that had it."""

    run: int
    mean: Estimate
    without_verdict: int
    items: int
    changed: str


@dataclass(frozen=True, slots=True)
class Look:
    """How far a run's judge stood from the anchors: the shift in scale units, and both sums of the CUSUM."""

    run: int
    shift: float
    low: float | None
    high: float | None
    upper: float
    lower: float


@dataclass(frozen=True, slots=True)
class Watch:
    """A criterion's judge on one file of anchors over runs.

    ``alarm`` is the first run where the accumulated shift left what chance explains, ``since`` the one where it began
    to grow; both are numbers of runs in the trend. ``direction`` is 1 where scores rose, -1 where they fell, else 0.
    """

    looks: tuple[Look, ...]
    alarm: int | None
    since: int | None
    direction: int


@dataclass(frozen=True, slots=True)
class Line:
    """A criterion over the runs that have it, in their order; ``watch`` where its judge met anchors."""

    column: Column
    points: tuple[Point, ...]
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class RunName:
    """A run as it is named in the trend; ``created`` is an ISO date in UTC, ``partial`` why it is incomplete."""

    name: str
    created: str
    partial: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the trend states."""

    runs: tuple[RunName, ...]
    lines: tuple[Line, ...]


def history(snapshots: Sequence[Snapshot], anchors: Sequence[AnchorFacts | None] = ()) -> History:
    """The trend of runs, oldest first, over every ordered column that any of them has.

    ``anchors`` is what each run's judges were found to be, None where they met no anchors.
    """
    keys = dict.fromkeys(series.key for snapshot in snapshots for series in snapshot.series)
    lines = []
    for key in keys:
        found = [
            (place, series) for place, snapshot in enumerate(snapshots) if (series := snapshot.find(key))
        ]
        column = found[-1][1].column
        if not column.nominal:
            lines.append(Line(column, tuple(_points(snapshots, found)), _watch(column, snapshots, anchors)))
    runs = tuple(RunName(each.name, each.created, each.partial) for each in snapshots)
    return History(runs, tuple(lines))


def _watch(
    column: Column, snapshots: Sequence[Snapshot], anchors: Sequence[AnchorFacts | None]
) -> Watch | None:
    """The judge of the latest run on its anchors: runs with another instrument or other anchors don't belong to it."""
    rows = [
        (run, facts.digest, fact)
        for run, facts in enumerate(anchors)
        if facts is not None
        for fact in facts.facts
        if (fact.scorer, fact.rubric, fact.criterion) == (column.scorer, column.rubric, column.criterion)
        and _is_current(fact, snapshots[run])
    ]
    if not rows:
        return None
    _, digest, last = rows[-1]
    own = [
        (run, fact)
        for run, other, fact in rows
        if (other, fact.signature, fact.changed) == (digest, last.signature, last.changed)
    ]
    known = [(run, fact, fact.shift) for run, fact in own if fact.shift is not None]
    if not known or last.changed:
        return None
    chart = cusum(
        [shift for *_, shift in known], target=0.0, sd=_deviations(column, [f for _, f, _ in known])
    )
    looks = tuple(
        Look(run, shift, fact.low, fact.high, float(up), float(down))
        for (run, fact, shift), up, down in zip(known, chart.upper, chart.lower, strict=True)
    )
    numbers = [look.run for look in looks]
    return Watch(
        looks,
        None if chart.alarm is None else numbers[chart.alarm],
        None if chart.since is None else numbers[chart.since],
        chart.direction,
    )


def _is_current(fact: AnchorFact, snapshot: Snapshot) -> bool:
    """Whether the run still holds scores of the judge that met the anchors: it may have been scored anew since."""
    series = snapshot.find((fact.scorer, fact.rubric, fact.criterion))
    return series is not None and series.column.signature == fact.signature


def _deviations(column: Column, facts: Sequence[AnchorFact]) -> list[float]:
    """The error of each run's shift, at least 1 % of the scale: a judge that repeats itself exactly shows none."""
    span = 1.0 if column.low is None or column.high is None else column.high - column.low
    return [max(fact.se or 0.0, _LEAST_ERROR * span) for fact in facts]


def _points(snapshots: Sequence[Snapshot], found: Sequence[tuple[int, Series]]) -> list[Point]:
    points = []
    before = ""
    for place, series in found:
        signature = series.column.signature
        changed = changed_parts(before, signature) if before else ""
        mean = _mean(snapshots[place], series)
        points.append(Point(place, mean, series.without_verdict, series.items, changed))
        before = signature
    return points


def _mean(snapshot: Snapshot, series: Series) -> Estimate:
    scored = [mark for mark in series.marks if mark.value is not None]
    groups = [snapshot.subjects[mark.subject].group for mark in scored]
    return mean_interval([mark.value or 0.0 for mark in scored], groups)
