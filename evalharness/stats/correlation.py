"""Correlation and concordance of two continuous sides: Pearson's r, Lin's concordance, tests of dependent
correlations.

>>> round(pearson([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 3, 7]).value, 3)
0.776
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from evalharness.stats.arrays import FloatArray, is_constant, of_unit_size, paired
from evalharness.stats.clustered import Scale
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.rank_correlation import why_undefined
from evalharness.stats.significance import Alternative, Significance, student_p, untestable
from evalharness.stats.undefined import Cause, Undefined


def pearson(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Pearson's r of two vectors (n,); the interval is made on Fisher's z scale."""
    x, y = paired(first, second)
    lacking = why_undefined(x, y)
    if lacking is not None:
        return lacking
    a, b = _standardised(x), _standardised(y)
    r = min(1.0, max(-1.0, float(a @ b) / a.size))
    return Linearized(r, a * b - r * (a * a + b * b) / 2.0, scale=Scale.FISHER, bounds=(-1.0, 1.0))


def fisher_interval(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return Pearson's r with the classical interval of independent, normal items: se_z = 1 / sqrt(n - 3)."""
    found = pearson(first, second)
    if isinstance(found, Undefined):
        return found.estimate(level=level)
    n = found.n
    if n < 4 or abs(found.value) >= 1.0:
        return Estimate(
            found.value, None, None, None, level, "none: Fisher z needs 4 items and |r| < 1", n, n, None
        )
    z, half = math.atanh(found.value), float(ndtri(0.5 + level / 2)) / math.sqrt(n - 3)
    low, high = math.tanh(z - half), math.tanh(z + half)
    se = (1.0 - found.value**2) / math.sqrt(n - 3)
    return Estimate(found.value, se, low, high, level, "Fisher z", n, n, None)


def lins_ccc(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Lin's concordance correlation (1989): 2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2), moments
    over n.

    It is Pearson's r lowered by differences of location and spread; zero, not undefined, where one side is
    constant.
    """
    x, y = paired(first, second)
    if x.size < 2:
        return Undefined(Cause.TOO_FEW if x.size else Cause.EMPTY, x.size)
    if is_constant(np.concatenate([x, y])):
        return Undefined(Cause.BOTH_CONSTANT, x.size, "at the same value")
    x, y = np.split(of_unit_size(np.concatenate([x, y])), 2)
    a, b = x - x.mean(), y - y.mean()
    gap = float(x.mean() - y.mean())
    cov = float(a @ b) / a.size
    base = (float(a @ a) + float(b @ b)) / a.size + gap**2
    value = 2.0 * cov / base
    d_base = a * a + b * b + gap**2 - base + 2.0 * gap * (a - b)
    influence = (2.0 * (a * b - cov) - value * d_base) / base
    return Linearized(value, influence, scale=Scale.FISHER, bounds=(-1.0, 1.0))


def williams_test(
    r_1: float, r_2: float, r_12: float, n: int, alternative: Alternative = "greater"
) -> Significance:
    """Return Williams' test (1959) that two metrics correlate equally with the same gold scores.

    r_1, r_2: correlations of the metrics with gold; r_12: of the metrics with each other; n items,
    independent. ``greater`` asks whether r_1 > r_2. Steiger (1980), eq. 7; t with n - 3 degrees of freedom.
    """
    method = f"Williams t({n - 3})"
    if n < 4:
        return untestable("Williams' test needs 4 items", method=method, n=n, groups=n)
    k = 1.0 - r_1**2 - r_2**2 - r_12**2 + 2.0 * r_1 * r_2 * r_12
    spread = 2.0 * k * (n - 1) / (n - 3) + (r_1 + r_2) ** 2 / 4.0 * (1.0 - r_12) ** 3
    if spread <= 0.0:
        return untestable("the two metrics order the items alike", method=method, n=n, groups=n)
    t = (r_1 - r_2) * math.sqrt((n - 1) * (1.0 + r_12) / spread)
    return Significance(student_p(t, n - 3, alternative), t, method, n, n)


def _standardised(x: FloatArray) -> FloatArray:
    centred = of_unit_size(x - x.mean())
    return np.asarray(centred / math.sqrt(float(centred @ centred) / x.size))
