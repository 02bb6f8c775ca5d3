"""Slices against the rest of a run: running sums by metadata value, one pass, memory bounded by the slices.

The difference of a slice's mean and the mean of everything else is a linear statistic: with a, m the sum and size of a
cluster's values in the slice and b, k those outside, the cluster's influence is (a - m mean_A) / n_A - (b - k mean_B) /
n_B. Its variance is the sum of the squares (CR1, ``stats.clustered``), so a cluster that lies in both is accounted for.
Degrees of freedom are those of the side with fewer clusters, which errs towards wide intervals.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from evalharness.analysis.types import SliceRow
from evalharness.core.scores import Column
from evalharness.stats.clustered import t_quantile
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.multiple import benjamini_hochberg
from evalharness.stats.significance import student_p

MOST_KEYS = 12
MOST_VALUES = 20
LEAST_GROUPS = 5
"""Slices with fewer groups have a difference and no interval: there is nothing to estimate its scatter from."""

_LEVEL = 0.95
_LONGEST = 60

Facets = Sequence[tuple[str, str]]


class FacetCounts:
    """Which metadata slices a run: keys with two to :data:`MOST_VALUES` short values."""

    def __init__(self) -> None:
        self._values: dict[str, Counter[str]] = defaultdict(Counter)
        self._too_many: set[str] = set()

    def add(self, metadata: Mapping[str, object]) -> None:
        """Take a dialogue's metadata into account."""
        for key, value in facets_of(metadata):
            if key in self._too_many:
                continue
            self._values[key][value] += 1
            if len(self._values[key]) > MOST_VALUES:
                self._too_many.add(key)
                del self._values[key]

    def keys(self) -> tuple[str, ...]:
        """The keys that slice, those of the most dialogues first."""
        found = [key for key, values in self._values.items() if len(values) >= 2]
        return tuple(sorted(found, key=lambda key: (-self._values[key].total(), key))[:MOST_KEYS])


def facets_of(metadata: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """The simple values of metadata as texts; truth values and numbers as JSON writes them."""
    for key, value in metadata.items():
        if isinstance(value, bool):
            yield key, "true" if value else "false"
        elif isinstance(value, int | str) and len(str(value)) <= _LONGEST:
            yield key, str(value)


class _Inside:
    """Sums over the clusters in which a slice has values."""

    __slots__ = (
        "aa",
        "ab",
        "ak",
        "am",
        "bb",
        "bk",
        "bm",
        "groups",
        "kk",
        "mk",
        "mm",
        "n",
        "outside",
        "total",
    )

    def __init__(self) -> None:
        self.n = self.groups = self.outside = 0
        self.total = self.aa = self.ab = self.ak = self.am = 0.0
        self.bb = self.bk = self.bm = self.kk = self.mk = self.mm = 0.0

    def close(self, a: float, m: int, t: float, n: int) -> None:
        """Take a cluster: ``a``, ``m`` of the slice, ``t``, ``n`` of everything."""
        b, k = t - a, n - m
        self.n += m
        self.total += a
        self.groups += 1
        self.outside += k == 0
        self.aa += a * a
        self.ab += a * b
        self.ak += a * k
        self.am += a * m
        self.bm += b * m
        self.mk += m * k
        self.mm += m * m
        self.bb += b * b - t * t  # corrections of the sums over all clusters
        self.bk += b * k - t * n
        self.kk += k * k - n * n


class SliceSums:
    """The slices of one column. Values come with all of a cluster next to each other."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._pivot: float | None = None
        self._n = self._groups = 0
        self._total = self._tt = self._tn = self._nn = 0.0
        self._slices: dict[tuple[str, str], _Inside] = defaultdict(_Inside)
        self._cluster: str | None = None
        self._all = (0.0, 0)
        self._own: dict[tuple[str, str], tuple[float, int]] = {}

    def add(self, cluster: str, facets: Facets, value: float) -> None:
        """Take one value and the slices that it lies in."""
        if self._pivot is None:
            self._pivot = value
        if cluster != self._cluster:
            self._close()
            self._cluster = cluster
        shifted = value - self._pivot
        self._all = (self._all[0] + shifted, self._all[1] + 1)
        for facet in facets:
            total, count = self._own.get(facet, (0.0, 0))
            self._own[facet] = (total + shifted, count + 1)

    def rows(self) -> list[SliceRow]:
        """Every slice that has values, and values outside it; p-values are adjusted by :func:`adjusted`."""
        self._close()
        self._cluster = None
        return [
            self._row(key, value, inside)
            for (key, value), inside in sorted(self._slices.items())
            if inside.n < self._n
        ]

    def _close(self) -> None:
        t, n = self._all
        if not n:
            return
        self._n += n
        self._groups += 1
        self._total += t
        self._tt += t * t
        self._tn += t * n
        self._nn += n * n
        for facet, (a, m) in self._own.items():
            self._slices[facet].close(a, m, t, n)
        self._all, self._own = (0.0, 0), {}

    def _row(self, key: str, value: str, inside: _Inside) -> SliceRow:
        n_a, n_b = inside.n, self._n - inside.n
        mean_a, mean_b = inside.total / n_a, (self._total - inside.total) / n_b
        estimate, p = self._difference(inside, mean_a, mean_b, n_a, n_b)
        return SliceRow(self.column, key, value, n_a, (self._pivot or 0.0) + mean_a, estimate, p)

    def _difference(
        self, inside: _Inside, mean_a: float, mean_b: float, n_a: int, n_b: int
    ) -> tuple[Estimate, float | None]:
        gap = mean_a - mean_b
        groups_b = self._groups - inside.outside
        if min(inside.groups, groups_b) < LEAST_GROUPS:
            reason = f"none: fewer than {LEAST_GROUPS} groups"
            return point(gap, n=self._n, groups=inside.groups, level=_LEVEL, method=reason), None
        bb, bk, kk = self._tt + inside.bb, self._tn + inside.bk, self._nn + inside.kk
        own = (inside.aa - 2 * mean_a * inside.am + mean_a**2 * inside.mm) / n_a**2
        rest = (bb - 2 * mean_b * bk + mean_b**2 * kk) / n_b**2
        both = inside.ab - mean_b * inside.ak - mean_a * inside.bm + mean_a * mean_b * inside.mk
        squares = own + rest - 2 * both / (n_a * n_b)
        se = math.sqrt(max(0.0, squares) * self._groups / (self._groups - 1))
        df = float(min(inside.groups, groups_b) - 1)
        if se <= 1e-12:
            return point(gap, n=self._n, groups=inside.groups, method="none: nothing varies"), None
        half = t_quantile(0.5 + _LEVEL / 2, df) * se
        method = f"CR1+t({df:.4g})"
        found = Estimate(gap, se, gap - half, gap + half, _LEVEL, method, self._n, inside.groups, None)
        return found, student_p(gap / se, df, "two-sided")


def adjusted(rows: Sequence[SliceRow], alpha: float = 0.05) -> tuple[SliceRow, ...]:
    """The rows with p-values adjusted over all of them (Benjamini-Hochberg), and which are worse than the rest."""
    p = benjamini_hochberg([row.p for row in rows])
    return tuple(
        replace(row, p=own, worse=own is not None and own <= alpha and _is_drop(row))
        for row, own in zip(rows, p, strict=True)
    )


def _is_drop(row: SliceRow) -> bool:
    gap = row.difference.value or 0.0
    return gap > 0 if row.column.higher_is_better is False else gap < 0


def wanted(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns that are compared over slices: what was judged, else metrics of which one end is better."""
    known = [column for column in columns if not column.nominal and column.higher_is_better is not None]
    judged = tuple(column for column in known if column.judged)
    return judged or tuple(known)
