"""Bland-Altman analysis of a judge and a reference on the same scale: bias, limits of agreement, scale
compression.

Differences are judge minus reference. Every interval clusters by group: bias, standard deviation and limits
through their influence values, the slope through the residual of its regression. With one item a group the
standard error of a limit agrees to first order with that of Bland & Altman (1999), SD sqrt(1/n + z^2 / (2 (n
- 1))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from evalharness.stats.arrays import FloatArray, is_constant, paired
from evalharness.stats.clustered import clustered_interval, mean_interval
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized

NORMAL_95 = float(ndtri(0.975))


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Agreement in the units of the scale.

    bias: mean difference, positive where the judge is lenient.
    sd: standard deviation of the differences (ddof 1).
    lower, upper: limits of agreement, bias -+ multiplier * sd.
    proportional_bias: slope of the difference on the mean of the two; negative where the judge compresses the
    scale.
    sd_ratio: spread of the judge over spread of the reference.
    deming_slope: slope of judge on reference with equal error variances on both.
    """

    bias: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate
    multiplier: float
    proportional_bias: Estimate
    sd_ratio: Estimate
    deming_slope: float | None


def bland_altman(
    judge: ArrayLike,
    reference: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    multiplier: float = NORMAL_95,
    level: float = 0.95,
) -> BlandAltman:
    """Return the analysis of two value vectors (n,); ``multiplier`` is 2 in Bland & Altman (1986)."""
    x, y = paired(judge, reference)
    d = x - y
    bias = mean_interval(d, groups, level)
    if d.size < 2:
        missing = undefined("two items are needed", n=d.size, level=level)
        return BlandAltman(bias, None, missing, missing, multiplier, missing, missing, None)
    sd = float(d.std(ddof=1))
    return BlandAltman(
        bias=bias,
        sd=sd,
        lower=_limit(d, sd, -multiplier, groups, level),
        upper=_limit(d, sd, multiplier, groups, level),
        multiplier=multiplier,
        proportional_bias=_slope(d, (x + y) / 2.0, groups, level),
        sd_ratio=_sd_ratio(x, y, groups, level),
        deming_slope=deming_slope(x, y),
    )


def deming_slope(judge: ArrayLike, reference: ArrayLike, *, error_ratio: float = 1.0) -> float | None:
    """Return the Deming slope of judge on reference; ``None`` without covariance.

    error_ratio: error variance of the judge over that of the reference.
    """
    x, y = paired(judge, reference)
    a, b = x - x.mean(), y - y.mean()
    cov = float(a @ b)
    if abs(cov) <= 1e-12 * math.sqrt(float(a @ a) * float(b @ b)):
        return None
    gap = float(a @ a) - error_ratio * float(b @ b)
    return (gap + math.sqrt(gap**2 + 4.0 * error_ratio * cov**2)) / (2.0 * cov)


def _limit(d: FloatArray, sd: float, multiplier: float, groups: ArrayLike | None, level: float) -> Estimate:
    value = float(d.mean()) + multiplier * sd
    if sd == 0.0:
        return Linearized(value, np.zeros(d.size)).estimate(groups, level=level)
    centred = d - d.mean()
    d_sd = (np.square(centred) - float(np.square(centred).mean())) / (2.0 * sd)
    return clustered_interval(centred + multiplier * d_sd, groups, value=value, level=level)


def _slope(d: FloatArray, mean: FloatArray, groups: ArrayLike | None, level: float) -> Estimate:
    """Return the least-squares slope of the difference on the mean, with its sandwich error."""
    if is_constant(mean):
        return undefined("the mean of the two sides does not vary", n=d.size, level=level)
    a = mean - mean.mean()
    spread = float(a @ a) / a.size
    slope = float(a @ d) / a.size / spread
    residual = d - d.mean() - slope * a
    return clustered_interval(a * residual / spread, groups, value=slope, level=level)


def _sd_ratio(x: FloatArray, y: FloatArray, groups: ArrayLike | None, level: float) -> Estimate:
    """Return SD(judge) / SD(reference); the interval is made on the log scale and carried back."""
    if is_constant(x) or is_constant(y):
        return undefined("a side does not vary", n=x.size, level=level)
    a, b = np.square(x - x.mean()), np.square(y - y.mean())
    log = clustered_interval((a / a.mean() - b / b.mean()) / 2.0, groups, value=0.0, level=level)
    ratio = math.sqrt(float(a.mean() / b.mean()))
    if log.se is None or log.low is None or log.high is None:
        return Estimate(ratio, None, None, None, level, log.method, log.n, log.groups, None)
    low, high = ratio * math.exp(log.low), ratio * math.exp(log.high)
    return Estimate(
        ratio, ratio * log.se, low, high, level, f"{log.method}, log scale", log.n, log.groups, None
    )
