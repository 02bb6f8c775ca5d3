"""One rate: score and exact intervals, a score interval for clustered observations, and the exact test."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, bdtrc, betaincinv, gammaln, ndtri, xlog1py, xlogy

from evalharness.stats.arrays import FloatArray, vector
from evalharness.stats.clustered import Scale, cr1_standard_error, mean_interval, t_quantile
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.influence import interval_on_scale
from evalharness.stats.significance import Alternative, Significance, untestable

# Outcomes whose probability equals the observed one but for rounding belong to the tail (as in R's binom.test).
_SAME_PROBABILITY = 1.0 + 1e-7


def wilson(successes: float, n: float, level: float = 0.95) -> Estimate:
    """Return a rate with Wilson's score interval (Wilson 1927; Newcombe 1998, method 3).

    There is no standard error: the interval is not built from one, and at 0 or 1 none exists.

    >>> estimate = wilson(81, 263)
    >>> round(estimate.low, 4), round(estimate.high, 4)
    (0.2553, 0.3662)
    """
    _check_counts(successes, n)
    if n == 0:
        return undefined("no observations", level=level, method="Wilson")
    low, high = _wilson_bounds(successes / n, n, float(ndtri(0.5 + level / 2)))
    return Estimate(successes / n, None, low, high, level, "Wilson", round(n), round(n), None)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Return a rate with the exact interval of Clopper & Pearson (1934): never below its level, often wide."""
    _check_counts(successes, n)
    if n == 0:
        return undefined("no observations", level=level, method="Clopper-Pearson")
    low, high = _exact_bounds(successes, n, (1.0 - level) / 2.0)
    return Estimate(successes / n, None, low, high, level, "Clopper-Pearson", n, n, None)


def upper_rate_bound(successes: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided exact upper bound of a rate; 1.0 where nothing was observed."""
    _check_counts(successes, n)
    return 1.0 if n == 0 else _exact_bounds(successes, n, 1.0 - confidence)[1]


def wilson_clustered(values: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Return the mean of `values` (n,) within 0..1 with a Wilson interval that respects clustering.

    The sample size in Wilson's formula is the effective one, p (1 - p) / se^2 with the CR1 standard error, and
    the quantile Student's with G - 1 degrees of freedom (Korn & Graubard 1998; Franco et al. 2019, J. Survey
    Statistics and Methodology 7:334-364). Where all values agree the effective size is the number of groups, as if
    items of a group said nothing new: a clustered interval at 0 % or 100 % never shrinks with items alone.
    """
    y = _unit_values(values)
    if y.size == 0:
        return undefined("no observations", level=level, method="Wilson, clustered")
    rate = float(y.mean())
    se, count = cr1_standard_error(y, groups)
    if se is None:
        return point(rate, n=y.size, groups=count, level=level, method="none: a single group")
    return wilson_from_error(rate, se, n=y.size, groups=count, level=level)


def wilson_from_error(rate: float, se: float, *, n: int, groups: int, level: float = 0.95) -> Estimate:
    """Return the interval of :func:`wilson_clustered` for a rate whose CR1 standard error is known (2+ groups)."""
    effective = _effective_size(rate, se, n, groups)
    low, high = _wilson_bounds(rate, effective, t_quantile(0.5 + level / 2, groups - 1))
    method = f"Wilson, clustered (effective n {effective:.1f})+t({groups - 1})"
    return Estimate(rate, se, low, high, level, method, n, groups, None)


def share_interval(values: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Return the mean of `values` (n,) within 0..1 with its clustered interval in log odds.

    Where all values are 0, or all are 1, log odds don't exist and the interval is :func:`wilson_clustered`.
    """
    y = _unit_values(values)
    if y.size and y.min() == y.max() and float(y[0]) in (0.0, 1.0):
        return wilson_clustered(y, groups, level)
    return interval_on_scale(mean_interval(y, groups, level), Scale.LOGIT)


def binomial_test(
    successes: int, n: int, rate: float = 0.5, alternative: Alternative = "two-sided"
) -> Significance:
    """Return the exact binomial test of H0: true rate = ``rate``.

    Two-sided as the probability of all outcomes that are no more probable than the observed one.
    """
    _check_counts(successes, n)
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a rate lies between 0 and 1, got {rate!r}")
    if n == 0:
        return untestable("no observations", method="exact binomial", n=0, groups=0)
    p = _binomial_p(successes, n, rate, alternative)
    return Significance(p, successes / n, "exact binomial", n, n)


def binomial_pmf(n: int, rate: float) -> FloatArray:
    """Return P(X = 0..n) (n + 1,) for n independent trials."""
    k = np.arange(n + 1, dtype=np.float64)
    log_ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return np.asarray(np.exp(log_ways + xlogy(k, rate) + xlog1py(n - k, -rate)))


def _binomial_p(successes: int, n: int, rate: float, alternative: Alternative) -> float:
    if alternative == "less":
        return float(bdtr(successes, n, rate))
    if alternative == "greater":
        return 1.0 if successes == 0 else float(bdtrc(successes - 1, n, rate))
    pmf = binomial_pmf(n, rate)
    return min(1.0, float(pmf[pmf <= pmf[successes] * _SAME_PROBABILITY].sum()))


def _wilson_bounds(rate: float, n: float, z: float) -> tuple[float, float]:
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if rate == 0.0 else max(0.0, centre - half)
    high = 1.0 if rate == 1.0 else min(1.0, centre + half)
    return low, high


def _exact_bounds(successes: int, n: int, tail: float) -> tuple[float, float]:
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1.0 - tail))
    return low, high


def _effective_size(rate: float, se: float, n: int, groups: int) -> float:
    if se == 0.0 or rate in (0.0, 1.0):
        return float(groups)
    return min(float(n), rate * (1.0 - rate) / se**2)


def _unit_values(values: ArrayLike) -> FloatArray:
    y = vector(values)
    if y.size and not (y.min() >= 0.0 and y.max() <= 1.0):
        raise ValueError("values of a rate lie between 0 and 1")
    return y


def _check_counts(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes do not fit {n} observations")
