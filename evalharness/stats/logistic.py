"""Logistic regression for outcomes within 0..1 (ties are .5), with standard errors that respect clustering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from evalharness.stats.arrays import FloatArray, group_codes, vector
from evalharness.stats.clustered import group_sums, t_quantile
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.unfitted import Unfitted

_STEPS = 60
_TOLERANCE = 1e-10
_FARTHEST = 30.0  # log odds beyond this mean a fitted probability of 0 or 1: the data are separated


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """Coefficients (k,) with model-based and sandwich covariance (k, k).

    The sandwich is CR1 over groups, ``None`` with a single group. It is the right one for outcomes that are
    not 0 or 1, for clustered outcomes and for a misspecified model.
    """

    coefficients: FloatArray
    model_covariance: FloatArray
    covariance: FloatArray | None
    n: int
    groups: int

    def coefficient(self, index: int, level: float = 0.95) -> Estimate:
        """Return one coefficient in log odds, with its t(G - 1) interval."""
        value = float(self.coefficients[index])
        if self.covariance is None:
            return point(value, n=self.n, groups=self.groups, level=level, method="none: a single group")
        se = float(np.sqrt(self.covariance[index, index]))
        half = t_quantile(0.5 + level / 2, self.groups - 1) * se
        method = f"sandwich CR1+t({self.groups - 1})"
        return Estimate(value, se, value - half, value + half, level, method, self.n, self.groups, None)

    def probability(self, row: ArrayLike, level: float = 0.95) -> Estimate:
        """Return the predicted mean outcome for a design row (k,), symmetric in log odds."""
        x = vector(row, "row")
        eta = float(x @ self.coefficients)
        p = float(expit(eta))
        if self.covariance is None:
            return point(p, n=self.n, groups=self.groups, level=level, method="none: a single group")
        se = float(np.sqrt(x @ self.covariance @ x))
        half = t_quantile(0.5 + level / 2, self.groups - 1) * se
        low, high = float(expit(eta - half)), float(expit(eta + half))
        method = f"sandwich CR1+t({self.groups - 1}), logit scale"
        return Estimate(p, p * (1.0 - p) * se, low, high, level, method, self.n, self.groups, None)


def fit_logistic(
    design: ArrayLike, outcome: ArrayLike, groups: ArrayLike | None = None
) -> LogisticFit | Unfitted:
    """Return the quasi-likelihood fit of outcome (n,) within 0..1 on design (n, k), intercept included by the caller.

    Newton's method. Separated outcomes and collinear columns have no finite fit and are returned as such.
    """
    x, y = np.asarray(design, dtype=np.float64), vector(outcome, "outcome")
    if x.ndim != 2 or len(x) != y.size or not np.isfinite(x).all():
        raise ValueError(f"design must be a finite matrix ({y.size}, k), got shape {x.shape}")
    if y.size and not (y.min() >= 0.0 and y.max() <= 1.0):
        raise ValueError("outcomes lie between 0 and 1")
    if y.size <= x.shape[1]:
        return Unfitted("fewer observations than coefficients", y.size)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return Unfitted("the columns of the design are collinear", y.size)
    beta = _newton(x, y)
    if beta is None:
        return Unfitted("the outcomes are separated: no finite coefficients", y.size)
    return _with_covariance(x, y, beta, groups)


def _newton(x: FloatArray, y: FloatArray) -> FloatArray | None:
    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = expit(x @ beta)
        gradient = x.T @ (y - p)
        step = np.linalg.lstsq(x.T @ (x * (p * (1.0 - p))[:, None]), gradient, rcond=None)[0]
        beta = _uphill(x, y, beta, step)
        if np.abs(x @ beta).max() > _FARTHEST:
            return None
        if float(np.abs(step).max()) < _TOLERANCE * (1.0 + float(np.abs(beta).max())):
            return beta
    return None


def _uphill(x: FloatArray, y: FloatArray, beta: FloatArray, step: FloatArray) -> FloatArray:
    """Return beta moved along the step, halved until the quasi-likelihood does not fall."""
    start = _log_likelihood(x, y, beta)
    for _ in range(30):
        if _log_likelihood(x, y, beta + step) >= start - 1e-12 * abs(start):
            break
        step = step / 2.0
    return beta + step


def _log_likelihood(x: FloatArray, y: FloatArray, beta: FloatArray) -> float:
    eta = x @ beta
    return float(np.sum(y * eta - np.logaddexp(0.0, eta)))


def _with_covariance(x: FloatArray, y: FloatArray, beta: FloatArray, groups: ArrayLike | None) -> LogisticFit:
    p = expit(x @ beta)
    bread = np.linalg.inv(x.T @ (x * (p * (1.0 - p))[:, None]))
    codes, count = group_codes(groups, y.size)
    covariance = None
    if count > 1:
        scores = group_sums(x * (y - p)[:, None], codes, count)
        covariance = bread @ (scores.T @ scores) @ bread * count / (count - 1)
    return LogisticFit(beta, bread, covariance, y.size, count)
