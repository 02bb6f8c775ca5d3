"""One statistic, four ways to average it: pooled, by group, by system, and between systems.

The four answer different questions and are not interchangeable: on one public data set the same judge has .28
by system, .49 pooled and .96 between systems. Every result states its mode, how many groups have no value,
and which side was constant there; the mean with such groups counted as zero stands beside it, since published
figures use both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, paired
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.grouped import GroupValues, PairStatistic, group_values
from evalharness.stats.influence import Linearized, Statistic, difference, mean_of
from evalharness.stats.undefined import Cause, Undefined


class Grouping(StrEnum):
    """How a statistic of two sides is averaged."""

    POOLED = "pooled"  # all items together
    BY_GROUP = "by_group"  # within each group (context), then the mean over groups
    BY_SYSTEM = "by_system"  # within each system, then the mean over systems
    SYSTEM = "system"  # of the means of the systems


@dataclass(frozen=True, slots=True)
class Averaged:
    """A statistic under one grouping.

    estimate: the value with its interval; `n` items in units with a value, `groups` clusters of the interval.
    defined_units: number of groups or systems with a value (1 where nothing is averaged).
    undefined_units: how many have none, by cause; ``first_constant`` means the first side given.
    with_zeros: the mean when undefined units count as zero; ``None`` where nothing is averaged.
    """

    estimate: Estimate
    grouping: Grouping
    defined_units: int
    undefined_units: Mapping[Cause, int] = field(default_factory=lambda: MappingProxyType({}))
    with_zeros: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two judges against the same second side, on the units where both have a value."""

    first: Averaged
    second: Averaged
    difference: Estimate


def averaged(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    grouping: Grouping,
    *,
    groups: ArrayLike | None = None,
    systems: ArrayLike | None = None,
    level: float = 0.95,
) -> Averaged:
    """Return a statistic of two sides (n,) under a grouping.

    groups: (n,) codes of the clusters that intervals respect, and of the groups of ``BY_GROUP``.
    systems: (n,) codes, needed by ``BY_SYSTEM`` and ``SYSTEM``.
    """
    match grouping:
        case Grouping.POOLED:
            return pooled(statistic, first, second, groups, level=level)
        case Grouping.BY_GROUP:
            return by_group(statistic, first, second, _needed(groups, "groups"), level=level)
        case Grouping.BY_SYSTEM:
            return by_system(statistic, first, second, _needed(systems, "systems"), groups, level=level)
        case Grouping.SYSTEM:
            return between_systems(statistic, first, second, _needed(systems, "systems"), level=level)


def pooled(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Averaged:
    """Return the statistic over all items, its interval clustered by group."""
    x, y = paired(first, second)
    found = statistic(x, y)
    return Averaged(found.estimate(groups, level=level), Grouping.POOLED, int(found.value is not None))


def by_group(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    *,
    only: BoolArray | None = None,
    level: float = 0.95,
) -> Averaged:
    """Return the mean over groups of the statistic within each; the interval is Student's over the groups.

    only: (G,) which groups, in ascending order of their codes, may count.
    """
    x, y = paired(first, second)
    codes, count = group_codes(groups, x.size)
    found = group_values(statistic, x, y, codes, count)
    chosen = np.ones(count, dtype=bool) if only is None else only
    return _mean_over_groups(found, chosen, np.bincount(codes, minlength=count), level)


def by_system(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    systems: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Averaged:
    """Return the mean over systems of the statistic within each; systems are fixed, groups are sampled."""
    x, y = paired(first, second)
    codes, count = group_codes(systems, x.size)
    parts, causes = _by_code(statistic, x, y, codes, count)
    tally = MappingProxyType(dict(Counter(causes)))
    if not parts:
        empty = _all_undefined(causes, x.size, level)
        return Averaged(empty, Grouping.BY_SYSTEM, 0, tally)
    mean = mean_of(parts)
    zeros = mean.value * len(parts) / count
    return Averaged(mean.estimate(groups, level=level), Grouping.BY_SYSTEM, len(parts), tally, zeros)


def between_systems(
    statistic: PairStatistic, first: ArrayLike, second: ArrayLike, systems: ArrayLike, *, level: float = 0.95
) -> Averaged:
    """Return the statistic of the mean scores of the systems; the interval takes the systems as a sample."""
    x, y = paired(first, second)
    codes, count = group_codes(systems, x.size)
    found = statistic(system_means(x, codes, count), system_means(y, codes, count))
    return Averaged(found.estimate(level=level), Grouping.SYSTEM, int(found.value is not None))


def system_means(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Return the mean of `values` (n,) for each of ``count`` systems."""
    return np.asarray(
        np.bincount(codes, weights=values, minlength=count) / np.bincount(codes, minlength=count)
    )


def compare_pooled(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    reference: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Compared:
    """Return two judges against one reference over all items, and their paired difference."""
    x, y = paired(first, reference)
    a, b = statistic(x, y), statistic(paired(second, reference)[0], y)
    gap = _difference(a, b)
    shown = [
        Averaged(s.estimate(groups, level=level), Grouping.POOLED, int(s.value is not None)) for s in (a, b)
    ]
    return Compared(shown[0], shown[1], gap.estimate(groups, level=level))


def compare_by_group(
    statistic: PairStatistic,
    first: ArrayLike,
    second: ArrayLike,
    reference: ArrayLike,
    groups: ArrayLike,
    *,
    level: float = 0.95,
) -> Compared:
    """Return two judges averaged over the groups where BOTH have a value, and their paired difference.

    A judge that is constant in hard groups would otherwise be averaged over the easy ones only.
    """
    x, y = paired(first, reference)
    z, _ = paired(second, reference)
    codes, count = group_codes(groups, x.size)
    a, b = group_values(statistic, x, y, codes, count), group_values(statistic, z, y, codes, count)
    common = np.isfinite(a.values) & np.isfinite(b.values)
    sizes = np.bincount(codes, minlength=count)
    shown = [_mean_over_groups(found, common, sizes, level) for found in (a, b)]
    gap = _group_mean(a.values[common] - b.values[common], sizes[common], level)
    return Compared(shown[0], shown[1], gap)


def _mean_over_groups(found: GroupValues, chosen: BoolArray, sizes: IntArray, level: float) -> Averaged:
    causes = [cause for cause, keep in zip(found.causes, chosen, strict=True) if keep and cause is not None]
    defined = np.isfinite(found.values) & chosen
    tally = MappingProxyType(dict(Counter(causes)))
    count = int(defined.sum())
    if count == 0:
        empty = _all_undefined(causes, int(sizes[chosen].sum()), level)
        return Averaged(empty, Grouping.BY_GROUP, 0, tally)
    estimate = _group_mean(found.values[defined], sizes[defined], level)
    zeros = float(found.values[defined].sum()) / int(chosen.sum())
    return Averaged(estimate, Grouping.BY_GROUP, count, tally, zeros)


def _group_mean(values: FloatArray, sizes: IntArray, level: float) -> Estimate:
    """Return the mean of one value a group, counting the items behind it."""
    if values.size == 0:
        return undefined("no group has a value on both sides", level=level)
    mean = float(values.mean())
    found = Linearized(mean, values - mean, bounds=(-1.0, 1.0)).estimate(level=level)
    return replace(found, n=int(sizes.sum()))


def _by_code(
    statistic: PairStatistic, x: FloatArray, y: FloatArray, codes: IntArray, count: int
) -> tuple[list[Linearized], list[Cause]]:
    parts: list[Linearized] = []
    causes: list[Cause] = []
    for code in range(count):
        where = codes == code
        found = statistic(x[where], y[where])
        if isinstance(found, Undefined):
            causes.append(found.cause)
        else:
            parts.append(found.embedded(where))
    return parts, causes


def _difference(a: Statistic, b: Statistic) -> Statistic:
    if isinstance(a, Undefined):
        return a
    return b if isinstance(b, Undefined) else difference(a, b)


def _all_undefined(causes: list[Cause], n: int, level: float) -> Estimate:
    named = ", ".join(f"{cause.value}: {count}" for cause, count in sorted(Counter(causes).items()))
    return Undefined(Cause.NO_DEFINED_GROUP if causes else Cause.EMPTY, n, named).estimate(level=level)


def _needed(codes: ArrayLike | None, name: str) -> ArrayLike:
    if codes is None:
        raise ValueError(f"this grouping needs {name}")
    return codes
