"""Logistic regression for outcomes within 0..1 (ties are .5), with standard errors that respect clustering."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, vector
from evalharness.stats.clustered import group_sums
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.sandwich import (
    Sandwich,
    inverse_information,
    rests_on_one_group,
    robust_interval,
    sandwich,
)
from evalharness.stats.unfitted import Unfitted

_STEPS = 60
_TOLERANCE = 1e-10
_FARTHEST = 30.0  # log odds beyond this mean a fitted probability of 0 or 1: the data are separated


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """Coefficients (k,) with model-based and sandwich covariance (k, k).

    The sandwich is CR1 over groups, ``None`` with a single group. It is the right one for outcomes that are
    not 0 or 1, for clustered outcomes and for a misspecified model. Where the groups don't vary there is no interval.
    """

    coefficients: FloatArray
    errors: Sandwich
    n: int

    @property
    def groups(self) -> int:
        """Number of clusters."""
        return self.errors.groups

    @property
    def model_covariance(self) -> FloatArray:
        """The inverse information (k, k)."""
        return self.errors.model

    @property
    def covariance(self) -> FloatArray | None:
        """The CR1 sandwich (k, k), ``None`` with a single group."""
        return self.errors.robust

    def coefficient(self, index: int, level: float = 0.95) -> Estimate:
        """Return one coefficient in log odds, with its t(G - 1) interval."""
        direction = np.zeros(self.coefficients.size)
        direction[index] = 1.0
        return self._log_odds(direction, level)

    def probability(self, row: ArrayLike, level: float = 0.95) -> Estimate:
        """Return the predicted mean outcome for a design row (k,), symmetric in log odds."""
        found = self._log_odds(vector(row, "row"), level)
        p = float(expit(found.require()))
        if found.se is None:
            return replace(found, value=p)
        se = p * (1.0 - p) * found.se
        if found.low is None or found.high is None:
            return replace(found, value=p, se=se)
        low, high = float(expit(found.low)), float(expit(found.high))
        return replace(found, value=p, se=se, low=low, high=high, method=f"{found.method}, logit scale")

    def _log_odds(self, direction: FloatArray, level: float) -> Estimate:
        value, se = float(direction @ self.coefficients), self.errors.error(direction)
        if se is None:
            return point(value, n=self.n, groups=self.groups, level=level, method="none: a single group")
        return robust_interval(value, se, n=self.n, groups=self.groups, level=level)


def fit_logistic(
    design: ArrayLike, outcome: ArrayLike, groups: ArrayLike | None = None
) -> LogisticFit | Unfitted:
    """Return the quasi-likelihood fit of outcome (n,) within 0..1 on design (n, k), intercept included by the caller.

    Newton's method. Separated outcomes, collinear columns and a design that one group alone holds up have no fit with
    an error that could be told, and are returned as such.
    """
    x, y = np.asarray(design, dtype=np.float64), vector(outcome, "outcome")
    if x.ndim != 2 or len(x) != y.size or not np.isfinite(x).all():
        raise ValueError(f"design must be a finite matrix ({y.size}, k), got shape {x.shape}")
    if y.size and not (y.min() >= 0.0 and y.max() <= 1.0):
        raise ValueError("outcomes lie between 0 and 1")
    if y.size <= x.shape[1]:
        return Unfitted("fewer observations than coefficients", y.size)
    if inverse_information(x.T @ x) is None:
        return Unfitted("the columns of the design are collinear", y.size)
    codes, count = group_codes(groups, y.size)
    if count > 1 and rests_on_one_group(x, codes, count):
        return Unfitted("one group alone decides the fit: no error can be told", y.size)
    beta = _newton(x, y)
    if beta is None:
        return Unfitted("the outcomes are separated: no finite coefficients", y.size)
    return _with_covariance(x, y, beta, codes, count)


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


def _with_covariance(
    x: FloatArray, y: FloatArray, beta: FloatArray, codes: IntArray, count: int
) -> LogisticFit | Unfitted:
    p = expit(x @ beta)
    bread = inverse_information(x.T @ (x * (p * (1.0 - p))[:, None]))
    if bread is None:
        return Unfitted("the outcomes are all but separated: no finite coefficients", y.size)
    scores = group_sums(x * (y - p)[:, None], codes, count)
    return LogisticFit(beta, sandwich(bread, scores), y.size)
