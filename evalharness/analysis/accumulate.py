"""Streaming sums: means with clustered intervals and distributions in constant memory.

Rows must come with all rows of a cluster next to each other; the order of clusters does not matter to the caller
because the ledger always hands them out sorted.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter

from evalharness.analysis.types import Bin, Spread
from evalharness.core.scores import Column
from evalharness.stats.clustered import interval_from_error
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rates import wilson_from_error

_BINS = 10
_POSITIVE = [float(step * 10**power) for power in range(13) for step in (1, 2, 5)]
_EDGES = [*(-edge for edge in reversed(_POSITIVE)), 0.0, *_POSITIVE]
"""Edges of the bars where the scale has no bounds: 0, 1, 2, 5, 10, 20, … and the same below 0."""


class ClusteredMean:
    """Mean, spread and CR1 standard error (see ``stats.clustered``) from running sums over clusters.

    With m the mean and S, n the sum and size of each cluster, the residual sum of squares over clusters is
    sum S^2 - 2 m sum S n + m^2 sum n^2. Values are shifted by the first one seen, so nothing cancels badly.
    """

    __slots__ = (
        "_cluster",
        "_nn",
        "_pivot",
        "_sn",
        "_ss",
        "_sum",
        "_sumsq",
        "count",
        "groups",
        "high",
        "low",
    )

    def __init__(self) -> None:
        self.count = 0
        self.groups = 0
        self.low = math.inf
        self.high = -math.inf
        self._pivot = 0.0
        self._sum = self._sumsq = self._ss = self._sn = self._nn = 0.0
        self._cluster: tuple[str, float, int] | None = None

    def add(self, cluster: str, value: float) -> None:
        """Take one value of a cluster."""
        if self.count == 0:
            self._pivot = value
        shifted = value - self._pivot
        self.count += 1
        self._sum += shifted
        self._sumsq += shifted * shifted
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        if self._cluster is not None and self._cluster[0] == cluster:
            self._cluster = (cluster, self._cluster[1] + shifted, self._cluster[2] + 1)
        else:
            self._close()
            self._cluster = (cluster, shifted, 1)

    def estimate(self, level: float = 0.95) -> Estimate:
        """The mean with its interval; undefined without values."""
        self._close()
        if self.count == 0:
            return undefined("no item was scored", level=level)
        offset = self._sum / self.count
        mean = self._pivot + offset
        if self.groups < 2:
            return Estimate(
                mean, None, None, None, level, "none: a single group", self.count, self.groups, None
            )
        squares = max(0.0, self._ss - 2 * offset * self._sn + offset * offset * self._nn)
        se = math.sqrt(self.groups / (self.groups - 1) * squares) / self.count
        floor = 1e-12 * max(1.0, abs(self.low), abs(self.high))
        return interval_from_error(
            mean, se if se > floor else 0.0, n=self.count, groups=self.groups, level=level
        )

    def spread(self) -> Spread | None:
        """Standard deviation (n - 1) and extremes; None without values."""
        if self.count == 0:
            return None
        if self.count == 1:
            return Spread(None, self.low, self.high)
        squares = max(0.0, self._sumsq - self._sum * self._sum / self.count)
        return Spread(math.sqrt(squares / (self.count - 1)), self.low, self.high)

    def _close(self) -> None:
        if self._cluster is None:
            return
        _, total, size = self._cluster
        self.groups += 1
        self._ss += total * total
        self._sn += total * size
        self._nn += size * size
        self._cluster = None


def rate_estimate(passes: ClusteredMean) -> Estimate:
    """A pass rate with Wilson's interval at the effective sample size of its groups.

    CR1 with t covers badly near 0 and 1, where pass rates live; see ``stats.rates.wilson_clustered``.
    """
    plain = passes.estimate()
    if plain.value is None or plain.se is None:
        return plain
    return wilson_from_error(plain.value, plain.se, n=plain.n, groups=plain.groups, level=plain.level)


class Distribution:
    """Counts of values by level or by bin."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._levels = self._points()
        self._counts: Counter[str | float] = Counter()

    def add(self, value: float | str) -> None:
        """Count one value."""
        self._counts[value if isinstance(value, str) else self._slot(value)] += 1

    def bins(self) -> tuple[Bin, ...]:
        """The bars, low to high; every level of a levelled scale has one."""
        column = self._column
        if column.nominal:
            return tuple(Bin(label, None, None, self._counts[label]) for label in column.levels)
        if column.levels:
            return tuple(
                Bin(label, value, value, self._counts[value])
                for label, value in zip(column.levels, self._levels, strict=True)
            )
        return tuple(self._bin(slot) for slot in self._slots())

    def _points(self) -> list[float]:
        low, high, count = self._column.low or 0.0, self._column.high or 0.0, len(self._column.levels)
        return [
            _as_number(label, low + (high - low) * i / max(1, count - 1))
            for i, label in enumerate(self._column.levels)
        ]

    def _slot(self, value: float) -> float:
        column = self._column
        if column.levels:
            return (
                value
                if value in self._levels
                else min(self._levels, key=lambda point: (abs(point - value), -point))
            )
        if column.low is not None and column.high is not None and math.isfinite(column.high - column.low):
            width = (column.high - column.low) / _BINS
            return column.low + width * min(_BINS - 1, max(0, math.floor((value - column.low) / width)))
        return _nice_floor(value)

    def _slots(self) -> list[float]:
        low, high = self._column.low, self._column.high
        if low is not None and high is not None:
            return [low + (high - low) / _BINS * i for i in range(_BINS)]
        return sorted(float(slot) for slot in self._counts)

    def _bin(self, slot: float) -> Bin:
        low, high = self._column.low, self._column.high
        top = slot + (high - low) / _BINS if low is not None and high is not None else _nice_next(slot)
        return Bin(f"{slot:g}–{top:g}", slot, top, self._counts[slot])


def _as_number(label: str, otherwise: float) -> float:
    try:
        return float(label)
    except ValueError:
        return otherwise


def _nice_floor(value: float) -> float:
    """The greatest edge of :data:`_EDGES` that is not above the value (the first one for anything lower)."""
    return _EDGES[max(0, bisect_right(_EDGES, value) - 1)]


def _nice_next(slot: float) -> float:
    return _EDGES[min(len(_EDGES) - 1, bisect_right(_EDGES, slot))]
