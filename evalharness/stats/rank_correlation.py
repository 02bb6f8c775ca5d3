"""Rank correlations with influence values: Kendall's tau-b and tau-c, Somers' D, Goodman-Kruskal gamma,
Spearman's rho.

Kendall's family is built from pair counts: C concordant, D discordant, and pairs tied on the first side, the
second or both. Values equal up to rounding are ties. Influence values are the projections of the U-statistics
(Hoeffding 1948).

>>> round(kendall_tau_b([1, 2, 2, 3, 4], [2, 1, 1.5, 5, 3]).value, 9)
0.316227766
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray, dense_codes, is_constant, paired
from evalharness.stats.clustered import Scale
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.pairs import PairCounts, pair_counts
from evalharness.stats.undefined import Cause, Undefined, constant_cause

_BOUNDS = (-1.0, 1.0)


def kendall_tau_b(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return tau-b = (C - D) / sqrt(pairs untied on first * pairs untied on second)."""
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    counts = pair_counts(x, y)
    order = counts.concordant - counts.discordant
    untied_x, untied_y = _untied(counts)
    scale = float(np.sqrt(untied_x.mean() * untied_y.mean()))
    value = float(order.mean()) / scale
    relative = _centred(untied_x) / untied_x.mean() + _centred(untied_y) / untied_y.mean()
    return _correlation(value, 2.0 * (_centred(order) / scale - value / 2.0 * relative))


def kendall_tau_c(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Stuart's tau-c = 2 m (C - D) / (n^2 (m - 1)), m the smaller number of distinct values."""
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    counts = pair_counts(x, y)
    order = counts.concordant - counts.discordant
    m = int(min(dense_codes(x).max(), dense_codes(y).max())) + 1
    factor = m / ((m - 1) * x.size)
    return _correlation(factor * float(order.mean()), 2.0 * factor * _centred(order))


def somers_d(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Somers' D of the second side given the first: (C - D) / pairs untied on the first."""
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    counts = pair_counts(x, y)
    return _ratio(counts.concordant - counts.discordant, _untied(counts)[0])


def goodman_kruskal_gamma(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return gamma = (C - D) / (C + D); ties are left out altogether."""
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    counts = pair_counts(x, y)
    return _ratio(counts.concordant - counts.discordant, counts.concordant + counts.discordant)


def spearman(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Spearman's rho, the Pearson correlation of mid-ranks.

    Influence values include that an item moves the ranks of the others.
    """
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    codes_x, codes_y = dense_codes(x), dense_codes(y)
    a, b = mid_distribution(codes_x), mid_distribution(codes_y)
    var_a, var_b = float(a @ a) / a.size, float(b @ b) / b.size
    cov = float(a @ b) / a.size
    scale = float(np.sqrt(var_a * var_b))
    d_cov = a * b + _raised(codes_x, b) + _raised(codes_y, a) - 3.0 * cov
    d_var_a = a * a + 2.0 * _raised(codes_x, a) - 3.0 * var_a
    d_var_b = b * b + 2.0 * _raised(codes_y, b) - 3.0 * var_b
    value = cov / scale
    influence = d_cov / scale - value / 2.0 * (d_var_a / var_a + d_var_b / var_b)
    return _correlation(value, influence)


def mid_distribution(codes: IntArray) -> FloatArray:
    """Return, for each dense code (n,), the share below plus half of the share equal, minus 1/2."""
    frequencies = np.bincount(codes) / codes.size
    below = np.cumsum(frequencies) - frequencies / 2.0
    return np.asarray(below[codes] - 0.5)


def why_undefined(x: FloatArray, y: FloatArray) -> Undefined | None:
    """Return why two vectors have no correlation, if so: fewer than two items, or a constant side."""
    if x.size < 2:
        return Undefined(Cause.TOO_FEW if x.size else Cause.EMPTY, x.size)
    cause = constant_cause(is_constant(x), is_constant(y))
    return None if cause is None else Undefined(cause, x.size)


def _raised(codes: IntArray, weights: FloatArray) -> FloatArray:
    """Return, for each item (n,), the mean weight of the items above, equal ones by half."""
    by_code = np.bincount(codes, weights=weights) / codes.size
    above = np.cumsum(by_code[::-1])[::-1] - by_code / 2.0
    return np.asarray(above[codes])


def _untied(counts: PairCounts) -> tuple[FloatArray, FloatArray]:
    """Return counts of pairs that are not tied on the first side, and on the second."""
    ordered = counts.concordant + counts.discordant
    return ordered + counts.tied_second, ordered + counts.tied_first


def _ratio(top: FloatArray, base: FloatArray) -> Linearized:
    value = float(top.sum() / base.sum())
    return _correlation(value, 2.0 * (top - value * base) / base.mean())


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean())


def _correlation(value: float, influence: FloatArray) -> Linearized:
    return Linearized(value, influence, scale=Scale.FISHER, bounds=_BOUNDS)
