"""Quality over many runs: the mean of each criterion in each run, and where the instrument changed between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.core.scores import Column
from evalharness.core.snapshot import Series, Snapshot
from evalharness.gate.same import changed_parts
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Point:
    """A criterion in one run. ``changed`` says how it was measured otherwise than in the run before that had it."""

    run: int
    mean: Estimate
    without_verdict: int
    items: int
    changed: str


@dataclass(frozen=True, slots=True)
class Line:
    """A criterion over the runs that have it, in their order."""

    column: Column
    points: tuple[Point, ...]


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


def history(snapshots: Sequence[Snapshot]) -> History:
    """The trend of runs, oldest first, over every ordered column that any of them has."""
    keys = dict.fromkeys(series.key for snapshot in snapshots for series in snapshot.series)
    lines = []
    for key in keys:
        found = [
            (place, series) for place, snapshot in enumerate(snapshots) if (series := snapshot.find(key))
        ]
        column = found[-1][1].column
        if not column.nominal:
            lines.append(Line(column, tuple(_points(snapshots, found))))
    runs = tuple(RunName(each.name, each.created, each.partial) for each in snapshots)
    return History(runs, tuple(lines))


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
