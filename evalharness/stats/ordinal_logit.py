"""Proportional-odds regression: from judge scores to a probability for each level of the human scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from evalharness.stats.arrays import FloatArray, IntArray, vector
from evalharness.stats.folds import assign_folds
from evalharness.stats.unfitted import Unfitted

_STEPS = 100
_TOLERANCE = 1e-9
_FARTHEST = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalLogit:
    """P(label <= level_k) = logistic(threshold_k - slope . (x - centre) / scale).

    levels: (K,) declared levels, rising. seen: (S,) indices of the levels that occur in training; the others get
    probability 0. thresholds: (S - 1,). slope, centre, scale: (k,).
    """

    levels: FloatArray
    seen: IntArray
    thresholds: FloatArray
    slope: FloatArray
    centre: FloatArray
    scale: FloatArray
    n: int

    def probabilities(self, features: ArrayLike) -> FloatArray:
        """Return level probabilities (m, K) for scores (m,) or features (m, k)."""
        x = (_columns(features) - self.centre) / self.scale
        cumulative = expit(self.thresholds - (x @ self.slope)[:, None])
        padded = np.hstack([np.zeros((len(x), 1)), cumulative, np.ones((len(x), 1))])
        result = np.zeros((len(x), self.levels.size))
        result[:, self.seen] = np.diff(padded, axis=1)
        return result

    def predict(self, features: ArrayLike) -> FloatArray:
        """Return the expected label (m,)."""
        return np.asarray(self.probabilities(features) @ self.levels)


def fit_ordinal_logit(
    features: ArrayLike, labels: ArrayLike, levels: ArrayLike, *, penalty: float = 0.0
) -> OrdinalLogit | Unfitted:
    """Return the maximum-likelihood fit (McCullagh 1980) of labels (n,) on scores (n,) or features (n, k).

    levels: the declared scale; a label outside it is a ``ValueError``. penalty: half the weight of the squared
    standardised slope; above 0 the fit exists for separated labels too.
    """
    x, scale_levels = _columns(features), np.unique(vector(levels, "levels"))
    y = _level_codes(vector(labels, "labels"), scale_levels)
    if len(x) != y.size:
        raise ValueError(f"{len(x)} rows of features for {y.size} labels")
    seen, codes = np.unique(y, return_inverse=True)
    if seen.size < 2:
        return Unfitted("all labels are the same" if y.size else "no labelled items", y.size)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    if not bool(np.all(spread > 1e-12 * np.abs(x).max(axis=0))):
        return Unfitted("a score does not vary", y.size)
    likelihood = _Likelihood((x - centre) / spread, codes.astype(np.intp), seen.size - 1, penalty)
    beta = likelihood.maximum()
    if beta is None:
        return Unfitted("the scores separate the labels: no finite slope without a penalty", y.size)
    cut = seen.size - 1
    return OrdinalLogit(scale_levels, seen, beta[:cut], beta[cut:], centre, spread, y.size)


def cross_fitted_ordinal(
    features: ArrayLike,
    labels: ArrayLike,
    levels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    penalty: float = 0.0,
    folds: int = 10,
    seed: int = 0,
) -> FloatArray | Unfitted:
    """Return level probabilities (n, K) by fits that never saw the item's group."""
    x, y = _columns(features), vector(labels, "labels")
    assigned = assign_folds(groups, y.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    result = np.zeros((y.size, np.unique(vector(levels, "levels")).size))
    for fold in np.unique(assigned):
        held = assigned == fold
        fit = fit_ordinal_logit(x[~held], y[~held], levels, penalty=penalty)
        if isinstance(fit, Unfitted):
            return fit
        result[held] = fit.probabilities(x[held])
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Likelihood:
    """The concave log-likelihood in thresholds and slope. x: (n, k), codes: (n,) 0..cuts."""

    x: FloatArray
    codes: IntArray
    cuts: int
    penalty: float

    def maximum(self) -> FloatArray | None:
        """Return the maximum by Newton steps that keep thresholds in order; ``None`` if it lies at infinity."""
        shares = np.cumsum(np.bincount(self.codes, minlength=self.cuts + 1))[:-1] / self.codes.size
        beta = np.concatenate([np.log(shares / (1.0 - shares)), np.zeros(self.x.shape[1])])
        value = self.value(beta)
        for _ in range(_STEPS):
            gradient, hessian = self.derivatives(beta)
            step = np.asarray(np.linalg.lstsq(-hessian, gradient, rcond=None)[0], dtype=np.float64)
            beta, value, size = self.moved(beta, value, step)
            if float(np.abs(beta[self.cuts :]).max()) > _FARTHEST:
                return None
            if size < _TOLERANCE:
                return beta
        return None

    def moved(self, beta: FloatArray, value: float, step: FloatArray) -> tuple[FloatArray, float, float]:
        """Return the point along the step, halved until it does not get worse, its value, and the size moved."""
        for _ in range(40):
            new = self.value(beta + step)
            if new >= value - 1e-12 * abs(value):
                break
            step = step / 2.0
        return beta + step, new, float(np.abs(step).max())

    def value(self, beta: FloatArray) -> float:
        """Return the penalised log-likelihood; -inf where thresholds are out of order."""
        if bool(np.any(np.diff(beta[: self.cuts]) <= 0.0)):
            return -np.inf
        chance = self.chances(beta)[0]
        slope = beta[self.cuts :]
        with np.errstate(divide="ignore"):
            return float(np.sum(np.log(chance)) - 0.5 * self.penalty * (slope @ slope))

    def chances(self, beta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return by item P(its label), and the logistic distribution function at its upper and lower threshold."""
        shift = self.x @ beta[self.cuts :]
        bounds = np.concatenate([[-np.inf], beta[: self.cuts], [np.inf]])
        upper, lower = bounds[self.codes + 1] - shift, bounds[self.codes] - shift
        # Above the middle the difference of upper tails keeps its digits.
        flip = lower > 0.0
        chance = np.where(flip, expit(-lower) - expit(-upper), expit(upper) - expit(lower))
        return chance, expit(upper), expit(lower)

    def derivatives(self, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gradient (p,) and Hessian (p, p)."""
        chance, upper, lower = self.chances(beta)
        above, below = self._directions(1), self._directions(0)
        dense_up, dense_low = upper * (1.0 - upper), lower * (1.0 - lower)
        slope_up, slope_low = dense_up * (1.0 - 2.0 * upper), dense_low * (1.0 - 2.0 * lower)
        first = (dense_up[:, None] * above - dense_low[:, None] * below) / chance[:, None]
        hessian = above.T @ (above * (slope_up / chance)[:, None]) - first.T @ first
        hessian -= below.T @ (below * (slope_low / chance)[:, None])
        gradient = first.sum(axis=0)
        gradient[self.cuts :] -= self.penalty * beta[self.cuts :]
        hessian[np.diag_indices(len(beta))] -= np.r_[
            np.zeros(self.cuts), np.full(self.x.shape[1], self.penalty)
        ]
        return gradient, hessian

    def _directions(self, side: int) -> FloatArray:
        """Return d(threshold - slope x)/d(parameters) (n, p) at each item's upper (1) or lower (0) threshold."""
        cut = self.codes - 1 + side
        inner = (cut >= 0) & (cut < self.cuts)
        chosen = np.zeros((self.codes.size, self.cuts))
        chosen[np.flatnonzero(inner), cut[inner]] = 1.0
        return np.hstack([chosen, np.where(inner[:, None], -self.x, 0.0)])


def _level_codes(labels: FloatArray, levels: FloatArray) -> IntArray:
    codes = np.searchsorted(levels, labels)
    inside = codes < levels.size
    if not (inside.all() and np.array_equal(levels[codes], labels)):
        raise ValueError("a label is not one of the declared levels")
    return np.asarray(codes, dtype=np.intp)


def _columns(features: ArrayLike) -> FloatArray:
    x = np.asarray(features, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"features must be finite, (n,) or (n, k), got shape {x.shape}")
    return x
