"""A correlation within every group at once, in array operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, dense_codes, of_unit_size
from evalharness.stats.clustered import group_sums
from evalharness.stats.correlation import pearson
from evalharness.stats.influence import Statistic
from evalharness.stats.pairs import PAIR_LIMIT, pair_total, within_group_pairs
from evalharness.stats.rank_correlation import kendall_tau_b, spearman
from evalharness.stats.undefined import Cause

PairStatistic = Callable[[FloatArray, FloatArray], Statistic]


@dataclass(frozen=True, slots=True, eq=False)
class GroupValues:
    """A statistic in each of G groups: values (G,), NaN where undefined, and then the cause (G,)."""

    values: FloatArray
    causes: tuple[Cause | None, ...]


def group_values(
    statistic: PairStatistic, x: FloatArray, y: FloatArray, codes: IntArray, count: int
) -> GroupValues:
    """Return the statistic of x and y (n,) within each group; at once for Pearson, Spearman and tau-b."""
    fast = _VECTORISED.get(statistic)
    if fast is None or (statistic is kendall_tau_b and pair_total(codes, count) > PAIR_LIMIT):
        return _one_by_one(statistic, x, y, codes, count)
    return fast(x, y, codes, count)


def _one_by_one(
    statistic: PairStatistic, x: FloatArray, y: FloatArray, codes: IntArray, count: int
) -> GroupValues:
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(count + 1))
    values = np.full(count, np.nan)
    causes: list[Cause | None] = [None] * count
    for group in range(count):
        members = order[edges[group] : edges[group + 1]]
        found = statistic(x[members], y[members])
        if found.value is None:
            causes[group] = found.cause
        else:
            values[group] = found.value
    return GroupValues(values, tuple(causes))


def _pearson(x: FloatArray, y: FloatArray, codes: IntArray, count: int) -> GroupValues:
    causes = _causes(dense_codes(x), dense_codes(y), codes, count)
    return GroupValues(_moments(x, y, codes, count, causes), causes)


def _spearman(x: FloatArray, y: FloatArray, codes: IntArray, count: int) -> GroupValues:
    a, b = dense_codes(x), dense_codes(y)
    causes = _causes(a, b, codes, count)
    ranks_x, ranks_y = _ranks_within(a, codes, count), _ranks_within(b, codes, count)
    return GroupValues(_moments(ranks_x, ranks_y, codes, count, causes), causes)


def _kendall_tau_b(x: FloatArray, y: FloatArray, codes: IntArray, count: int) -> GroupValues:
    a, b = dense_codes(x), dense_codes(y)
    causes = _causes(a, b, codes, count)
    left, right = within_group_pairs(codes)
    group = codes[left]
    sign_x, sign_y = np.sign(a[left] - a[right]), np.sign(b[left] - b[right])
    order = group_sums(sign_x * sign_y, group, count)
    untied_x = group_sums(sign_x * sign_x, group, count)
    untied_y = group_sums(sign_y * sign_y, group, count)
    return GroupValues(_quotient(order, np.sqrt(untied_x * untied_y), causes), causes)


_Vectorised = Callable[[FloatArray, FloatArray, IntArray, int], GroupValues]
_VECTORISED: dict[PairStatistic, _Vectorised] = {
    pearson: _pearson,
    spearman: _spearman,
    kendall_tau_b: _kendall_tau_b,
}


def _causes(a: IntArray, b: IntArray, codes: IntArray, count: int) -> tuple[Cause | None, ...]:
    """Return why each group has no correlation, from dense codes of both sides."""
    sizes = np.bincount(codes, minlength=count)
    flat_a, flat_b = _is_flat(a, codes, count), _is_flat(b, codes, count)
    causes = np.full(count, None, dtype=object)
    causes[flat_a] = Cause.FIRST_CONSTANT
    causes[flat_b] = Cause.SECOND_CONSTANT
    causes[flat_a & flat_b] = Cause.BOTH_CONSTANT
    causes[sizes < 2] = Cause.TOO_FEW
    causes[sizes == 0] = Cause.EMPTY
    return tuple(causes)


def _is_flat(values: IntArray, codes: IntArray, count: int) -> BoolArray:
    low = np.full(count, np.iinfo(np.intp).max)
    high = np.full(count, -1)
    np.minimum.at(low, codes, values)
    np.maximum.at(high, codes, values)
    return np.asarray(high <= low)


def _ranks_within(values: IntArray, codes: IntArray, count: int) -> FloatArray:
    """Return mid-ranks (n,) of values within their group."""
    order = np.lexsort((values, codes))
    key = codes.astype(np.int64) * (int(values.max(initial=0)) + 1) + values
    ordered = key[order]
    first, last = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right")
    start = np.searchsorted(codes[order], np.arange(count))
    ranks = np.empty(values.size)
    ranks[order] = (first + last + 1) / 2.0 - start[codes[order]]
    return ranks


def _moments(
    x: FloatArray, y: FloatArray, codes: IntArray, count: int, causes: tuple[Cause | None, ...]
) -> FloatArray:
    """Return Pearson's r in each group (count,)."""
    x, y = of_unit_size(x), of_unit_size(y)
    sizes = np.maximum(np.bincount(codes, minlength=count), 1)
    a = x - (group_sums(x, codes, count) / sizes)[codes]
    b = y - (group_sums(y, codes, count) / sizes)[codes]
    xy, xx, yy = (group_sums(w, codes, count) for w in (a * b, a * a, b * b))
    return np.clip(_quotient(xy, np.sqrt(xx * yy), causes), -1.0, 1.0)


def _quotient(top: FloatArray, base: FloatArray, causes: tuple[Cause | None, ...]) -> FloatArray:
    defined = np.array([cause is None for cause in causes], dtype=bool)
    out: FloatArray = np.full(top.size, np.nan)
    np.divide(top, base, out=out, where=defined)
    return out
