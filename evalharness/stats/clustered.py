"""Confidence intervals that respect clustering: CR1 standard errors with t(G-1).

Items of one group (turns of a dialogue, replies to a context) are not independent. The variance of a mean, or
of any statistic with influence values psi_i (estimate - truth ~ mean of psi), is taken over group sums,

    se^2 = G / (G - 1) * sum_g (sum_{i in g} (psi_i - mean psi))^2 / n^2,

and the interval uses Student's t with G - 1 degrees of freedom. With one item a group this is s^2 / n and the
ordinary t interval. Miller (2024), arXiv 2411.00640, eq. 4, with the small-sample factor of MacKinnon & White
(1985).
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, vector
from evalharness.stats.estimate import Estimate, undefined


class Scale(StrEnum):
    """The scale on which an interval is symmetric before it is carried back."""

    IDENTITY = "identity"
    FISHER = "fisher"  # atanh: correlations, within (-1, 1)
    LOGIT = "logit"  # log odds: shares, within (0, 1)


def t_quantile(p: float, df: float) -> float:
    """Return Student's t quantile; infinite ``df`` gives the normal one."""
    return float(ndtri(p)) if math.isinf(df) else float(stdtrit(df, p))


def group_sums(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Return the sum of `values` (n,) or (n, k) in each of ``count`` groups."""
    if values.ndim == 1:
        return np.bincount(codes, weights=values, minlength=count).astype(np.float64)
    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in values.T], axis=1)


def cr1_standard_error(influence: FloatArray, groups: ArrayLike | None = None) -> tuple[float | None, int]:
    """Return the CR1 standard error of the mean of `influence` (n,), and G; ``None`` for one group."""
    codes, count = group_codes(groups, influence.size)
    if count < 2:
        return None, count
    deviations = influence - influence.mean()
    size = float(np.abs(deviations).max())
    if size <= 1e-15 * float(np.abs(influence).max()):
        return 0.0, count
    sums = group_sums(deviations / size, codes, count)
    variance = count / (count - 1) * float(sums @ sums) / influence.size**2
    return size * (math.sqrt(variance) if variance > 1e-30 else 0.0), count


def cr1_covariance(influence: FloatArray, groups: ArrayLike | None = None) -> tuple[FloatArray | None, int]:
    """Return the CR1 covariance (k, k) of the column means of `influence` (n, k), and G."""
    codes, count = group_codes(groups, influence.shape[0])
    if count < 2:
        return None, count
    sums = group_sums(influence - influence.mean(axis=0), codes, count)
    return count / (count - 1) * (sums.T @ sums) / influence.shape[0] ** 2, count


def clustered_interval(
    influence: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    value: float | None = None,
    level: float = 0.95,
    scale: Scale = Scale.IDENTITY,
) -> Estimate:
    """Return value, CR1 standard error and t(G-1) interval of a statistic from its influence values.

    influence: (n,) influence values, or pseudo-values: only their deviations from their mean count.
    groups: (n,) group codes; every observation its own group where absent.
    value: the point estimate; the mean of `influence` where absent (so a plain mean needs nothing else).
    scale: where the interval is made symmetric; a value at the edge of that scale gets no interval.
    """
    psi = vector(influence, "influence")
    if psi.size == 0:
        return undefined("no observations", level=level)
    centre = float(psi.mean()) if value is None else float(value)
    se, count = cr1_standard_error(psi, groups)
    if se is None:
        return Estimate(centre, None, None, None, level, "none: a single group", psi.size, count, None)
    return interval_from_error(centre, se, n=psi.size, groups=count, level=level, scale=scale)


def interval_from_error(
    value: float, se: float, *, n: int, groups: int, level: float = 0.95, scale: Scale = Scale.IDENTITY
) -> Estimate:
    """Return the t(G-1) interval of a value whose clustered standard error is known."""
    slope = slope_on(value, scale)
    if slope is None:
        return Estimate(
            value, se, None, None, level, f"none: value at the edge of its scale ({scale})", n, groups, None
        )
    half = t_quantile(0.5 + level / 2, groups - 1) * se * slope
    centre = to_scale(value, scale)
    method = f"CR1+t({groups - 1})" + ("" if scale is Scale.IDENTITY else f", {scale} scale")
    low, high = from_scale(centre - half, scale), from_scale(centre + half, scale)
    return Estimate(value, se, low, high, level, method, n, groups, None)


def mean_interval(values: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Return the mean of `values` (n,) with its clustered interval.

    >>> estimate = mean_interval([1.0, 2.0, 3.0, 6.0])
    >>> estimate.value, round(estimate.se, 4), estimate.method
    (3.0, 1.0801, 'CR1+t(3)')
    """
    return clustered_interval(values, groups, level=level)


def ratio_interval(
    numerator: ArrayLike, denominator: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return sum(numerator) / sum(denominator) with its clustered interval (linearised ratio estimator).

    Fits shares whose base varies by item: precision, recall, agreement over all pairs of votes.
    """
    top, base = vector(numerator, "numerator"), vector(denominator, "denominator")
    total = float(base.sum())
    if total == 0.0:
        return undefined("nothing to divide by: the base is empty", n=0, level=level)
    value = float(top.sum()) / total
    influence = (top - value * base) / base.mean()
    return clustered_interval(influence, groups, value=value, level=level)


def slope_on(value: float, scale: Scale) -> float | None:
    """Return the derivative of the scale at `value`; ``None`` at its edges."""
    match scale:
        case Scale.IDENTITY:
            return 1.0
        case Scale.FISHER:
            room = 1.0 - value * value
        case Scale.LOGIT:
            room = value * (1.0 - value)
    return 1.0 / room if room > 1e-12 else None


def to_scale(value: float, scale: Scale) -> float:
    """Return `value` carried to the scale."""
    match scale:
        case Scale.IDENTITY:
            return value
        case Scale.FISHER:
            return math.atanh(value)
        case Scale.LOGIT:
            return math.log(value / (1.0 - value))


def from_scale(value: float, scale: Scale) -> float:
    """Return a value on the scale carried back."""
    match scale:
        case Scale.IDENTITY:
            return value
        case Scale.FISHER:
            return math.tanh(value)
        case Scale.LOGIT:
            return 0.5 * (1.0 + math.tanh(value / 2.0))
