"""Where the parts of the small charts stand; the templates draw them. All lengths are in SVG user units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.analysis.types import Bin, ColumnSummary
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Column
from evalharness.stats.estimate import Estimate

WIDTH = 140
_INSET = 4
SPARK_WIDTH = 120
SPARK_HEIGHT = 24
BAR_WIDTH = 200


@dataclass(frozen=True, slots=True)
class IntervalMarks:
    """Positions on a line of :data:`WIDTH`: the mean, its interval, the bounds that missing items leave, the pass
    mark."""

    mean: float
    low: float | None
    high: float | None
    bounds: tuple[float, float] | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """The values at the two ends of a line."""

    low: float
    high: float

    @classmethod
    def of(cls, summary: ColumnSummary) -> Axis | None:
        """The scale's ends where it has them, else 0 (or the least value) to the greatest value."""
        column, spread = summary.column, summary.spread
        if column.low is not None and column.high is not None and column.high > column.low:
            return cls(column.low, column.high)
        if spread is None:
            return None
        low = column.low if column.low is not None else min(0.0, spread.minimum)
        return cls(low, spread.maximum) if spread.maximum > low else None

    def at(self, value: float) -> float:
        """Where the value stands on the line; values beyond an end stand at it."""
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(_INSET + share * (WIDTH - 2 * _INSET), 2)


def interval_marks(
    axis: Axis | None, mean: Estimate, column: Column, bounds: tuple[float, float] | None = None
) -> IntervalMarks | None:
    """The marks of an estimate; None where it is undefined or its scale has no extent."""
    if axis is None or mean.value is None:
        return None
    rule = None if column.passes is None else PassRule.parse(column.passes)
    edge = None if rule is None or rule.op == "==" else axis.at(rule.bound)
    return IntervalMarks(
        mean=axis.at(mean.value),
        low=None if mean.low is None else axis.at(mean.low),
        high=None if mean.high is None else axis.at(mean.high),
        bounds=None if bounds is None else (axis.at(bounds[0]), axis.at(bounds[1])),
        threshold=edge,
    )


@dataclass(frozen=True, slots=True)
class Spark:
    """One bar of a small histogram."""

    x: float
    y: float
    width: float
    height: float


def sparks(bins: Sequence[Bin]) -> tuple[Spark, ...]:
    """A small histogram of :data:`SPARK_WIDTH` by :data:`SPARK_HEIGHT`; no bars without values."""
    most = max((part.count for part in bins), default=0)
    if most == 0:
        return ()
    pitch = min(24.0, SPARK_WIDTH / len(bins))
    bars = []
    for i, part in enumerate(bins):
        height = 0.0 if part.count == 0 else max(1.0, part.count / most * SPARK_HEIGHT)
        bars.append(
            Spark(
                round(i * pitch, 2), round(SPARK_HEIGHT - height, 2), round(pitch - 1.5, 2), round(height, 2)
            )
        )
    return tuple(bars)


def bar_length(count: int, most: int) -> float:
    """The length of a bar of :data:`BAR_WIDTH` at most; a count above 0 can be seen."""
    return 0.0 if count == 0 else round(max(1.5, count / most * BAR_WIDTH), 2)


@dataclass(frozen=True, slots=True)
class Range:
    """Values from ``ge`` to below ``lt``; None means open."""

    ge: float | None
    lt: float | None


def bin_range(column: Column, bins: Sequence[Bin], place: int) -> Range | None:
    """The values that a bar counts; None for nominal levels.

    Bars of levels take the values nearest to them, the ends of a bounded scale everything beyond.
    """
    part = bins[place]
    if part.low is None or part.high is None:
        return None
    first, last = place == 0, place == len(bins) - 1
    if column.levels:
        low, high = _midpoint(bins, place - 1), _midpoint(bins, place)
        return Range(None if first else low, None if last else high)
    bounded = column.low is not None and column.high is not None
    return Range(None if bounded and first else part.low, None if bounded and last else part.high)


def _midpoint(bins: Sequence[Bin], place: int) -> float | None:
    """Halfway between the levels at ``place`` and after it; None at the ends."""
    if place < 0 or place + 1 >= len(bins):
        return None
    left, right = bins[place].low, bins[place + 1].low
    return None if left is None or right is None else (left + right) / 2
