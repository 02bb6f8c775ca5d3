"""Krippendorff's alpha for any number of raters, missing ratings and four levels of measurement.

alpha = 1 - D_o / D_e over pairable values (units with two or more ratings). With o_cc' the coincidence matrix,
n_c its margins, n the number of pairable values and delta2 the squared difference,

    D_o = sum o_cc' delta2_cc' / n,      D_e = sum n_c n_c' delta2_cc' / (n (n - 1)).

Disagreement is summed over pairs of ratings, or over value counts by unit and V x V differences, whichever is
less; the interval form and the
ordinal one (the interval form of mean ranks, since the ordinal difference is the gap between the mean ranks
of two values) need sums only, so that continuous values cost no more than discrete ones. Krippendorff,
Content Analysis (2018), ch. 12.

Influence values are those of the units, the frequencies behind the ordinal ranks included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    dense_codes,
    of_unit_size,
    ratings_matrix,
)
from evalharness.stats.clustered import Scale, group_sums
from evalharness.stats.distances import Metric, squared_distance
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.pairs import PAIR_LIMIT, pair_total, within_group_pairs
from evalharness.stats.undefined import Cause, Undefined

_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Pairable:
    """Pairable values: flat vectors (n,) of unit index and value code, the levels (V,), ratings by unit
    (units,)."""

    units: IntArray
    codes: IntArray
    levels: FloatArray
    sizes: FloatArray

    @property
    def n(self) -> int:
        return self.codes.size

    @property
    def frequencies(self) -> FloatArray:
        return np.bincount(self.codes, minlength=self.levels.size).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Disagreement:
    """Observed sum over units and expected sum over all ordered pairs, with what each unit adds.

    observed: (units,) sum over ordered pairs in the unit of delta2 / (m - 1); D_o = sum / n.
    expected: (units,) how the sum E of delta2 over all ordered pairs moves with the unit's weight.
    shift: (units,) how the observed sum moves with the unit's weight through the ranks; zero but for ordinal
    data.
    total: E.
    """

    observed: FloatArray
    expected: FloatArray
    shift: FloatArray
    total: float


def krippendorff_alpha(
    ratings: ArrayLike, metric: Metric | str = Metric.NOMINAL, *, gwet_error: bool = False
) -> Statistic:
    """Return alpha of ratings (units, raters), NaN where missing.

    Undefined without a unit that has two ratings, and where all pairable values are the same.
    ``gwet_error`` gives the standard error that irrCAC 1.0 prints: without the small-sample factor (n - 1) / n,
    and with the corrected p_a where ratings per unit differ.

    >>> round(krippendorff_alpha([[1, 2], [2, 3], [3, 4]], "interval").value, 7)
    0.5454545
    """
    matrix = ratings_matrix(ratings)
    kept = (~np.isnan(matrix)).sum(axis=1) >= 2
    if not kept.any():
        return Undefined(Cause.NO_PAIRS if matrix.size else Cause.EMPTY, matrix.shape[0])
    values = _pairable(matrix[kept])
    if values.levels.size < 2:
        return Undefined(Cause.NO_VARIATION, int(kept.sum()), "every pairable rating is the same")
    return _alpha(values, _disagreement(values, Metric(metric)), kept, gwet_error)


def coincidence_matrix(ratings: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the distinct values (V,) and the coincidence matrix (V, V) of ratings (units, raters)."""
    matrix = ratings_matrix(ratings)
    kept = (~np.isnan(matrix)).sum(axis=1) >= 2
    values = _pairable(matrix[kept])
    counts = _unit_counts(values)
    weighted = counts / (values.sizes - 1.0)[:, None]
    return values.levels, weighted.T @ counts - np.diag(weighted.sum(axis=0))


def _pairable(matrix: FloatArray) -> _Pairable:
    present = ~np.isnan(matrix)
    units = np.nonzero(present)[0]
    flat = matrix[present]
    codes = dense_codes(flat)
    levels = np.zeros(int(codes.max()) + 1 if codes.size else 0)
    levels[codes] = flat
    return _Pairable(units, codes, levels, present.sum(axis=1).astype(np.float64))


def _alpha(values: _Pairable, part: _Disagreement, kept: BoolArray, gwet_error: bool) -> Statistic:
    """Return 1 - (n - 1) O / E, O and E being the sums of observed and expected disagreement."""
    observed, total, n = float(part.observed.sum()), part.total, values.n
    if total <= 0.0:
        return Undefined(Cause.NO_VARIATION, int(kept.sum()), "no two pairable ratings differ on this metric")
    pairs = n if gwet_error else n - 1
    d_observed = pairs * (part.observed + part.shift) + values.sizes * observed
    influence = -(d_observed - pairs * observed / total * part.expected) / total * values.sizes.size
    if gwet_error:
        influence -= observed / total * (values.sizes / values.sizes.mean() - 1.0)
    value = 1.0 - (n - 1) * observed / total
    scale = Scale.IDENTITY if gwet_error else Scale.FISHER
    return Linearized(value, influence - influence.mean(), scale=scale, bounds=(-1.0, 1.0)).embedded(kept)


def _disagreement(values: _Pairable, metric: Metric) -> _Disagreement:
    match metric:
        case Metric.INTERVAL:
            return _of_points(values, of_unit_size(values.levels - values.levels.mean()))
        case Metric.ORDINAL:
            return _of_ranks(values)
        case Metric.NOMINAL | Metric.RATIO:
            return _of_metric(values, metric)


def _of_points(values: _Pairable, points: FloatArray) -> _Disagreement:
    """Squared gaps of points (V,) on a line: sum_ij (x_i - x_j)^2 = 2 (m sum x^2 - (sum x)^2)."""
    x = points[values.codes]
    x = x - x.mean()
    count = values.sizes.size
    sums = group_sums(x, values.units, count)
    squares = group_sums(x * x, values.units, count)
    m = values.sizes
    observed = np.maximum(2.0 * (m * squares - sums**2), 0.0) / (m - 1.0)
    square = float(squares.sum())
    expected = 2.0 * (values.n * squares + m * square)  # the sum of x is zero
    return _Disagreement(observed, expected, np.zeros(count), 2.0 * values.n * square)


def _of_ranks(values: _Pairable) -> _Disagreement:
    """Ordinal: the interval form of mean ranks, which move themselves when a unit gains weight."""
    frequencies = values.frequencies
    ranks = np.cumsum(frequencies) - frequencies / 2.0
    part = _of_points(values, ranks)
    x = ranks[values.codes] - values.n / 2.0
    sums = group_sums(x, values.units, values.sizes.size)
    m = values.sizes[values.units]
    pull_observed = 4.0 * (m * x - sums[values.units]) / (m - 1.0)
    pull_expected = 4.0 * values.n * x
    return _Disagreement(
        part.observed,
        part.expected + _through_ranks(values, pull_expected),
        _through_ranks(values, pull_observed),
        part.total,
    )


def _through_ranks(values: _Pairable, pull: FloatArray) -> FloatArray:
    """Return how a sum moves with each unit's weight (units,) through the ranks, given its pull by each rank
    (n,).

    One more value x raises the mean rank of every value above by 1 and of its equals by 1/2.
    """
    by_level = np.bincount(values.codes, weights=pull, minlength=values.levels.size)
    above = np.cumsum(by_level[::-1])[::-1] - by_level / 2.0
    return group_sums(above[values.codes], values.units, values.sizes.size)


def _of_metric(values: _Pairable, metric: Metric) -> _Disagreement:
    """Any metric through the differences of its V values, in blocks to bound memory."""
    to_all = _total_distance(values, metric)
    count = values.sizes.size
    expected = 2.0 * group_sums(to_all[values.codes], values.units, count)
    observed = _within_units(values, metric) / (values.sizes - 1.0)
    return _Disagreement(observed, expected, np.zeros(count), float(values.frequencies @ to_all))


def _total_distance(values: _Pairable, metric: Metric) -> FloatArray:
    """Return the sum of the difference of each value to all pairable values (V,)."""
    v = values.levels.size
    step = max(1, _BLOCK_CELLS // v)
    blocks = [
        squared_distance(metric, values.levels[start : start + step, None], values.levels[None, :])
        @ values.frequencies
        for start in range(0, v, step)
    ]
    return np.concatenate(blocks)


def _within_units(values: _Pairable, metric: Metric) -> FloatArray:
    """Return the sum of the difference over ordered pairs in each unit (units,)."""
    count, v = values.sizes.size, values.levels.size
    if pair_total(values.units, count) > min(PAIR_LIMIT, count * v):
        return _within_units_by_counts(values, metric)
    left, right = within_group_pairs(values.units)
    x = values.levels[values.codes]
    gaps = squared_distance(metric, x[left], x[right])
    return 2.0 * group_sums(gaps, values.units[left], count)


def _within_units_by_counts(values: _Pairable, metric: Metric) -> FloatArray:
    """Return the same by value counts of each unit, for units with more pairs of ratings than values."""
    delta = squared_distance(metric, values.levels[:, None], values.levels[None, :])
    count, v = values.sizes.size, values.levels.size
    step = max(1, _BLOCK_CELLS // v)
    within = np.empty(count)
    for start in range(0, count, step):
        block = _unit_counts(values, start, min(start + step, count))
        within[start : start + step] = np.einsum("uv,uv->u", block @ delta, block)
    return within


def _unit_counts(values: _Pairable, start: int = 0, stop: int | None = None) -> FloatArray:
    """Return counts of each value in units start..stop, (units, V)."""
    end = values.sizes.size if stop is None else stop
    v = values.levels.size
    first, last = np.searchsorted(values.units, [start, end])
    flat = (values.units[first:last] - start) * v + values.codes[first:last]
    return np.bincount(flat, minlength=(end - start) * v).reshape(end - start, v).astype(np.float64)
