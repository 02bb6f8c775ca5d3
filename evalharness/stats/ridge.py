"""Ridge regression in closed form, its penalty chosen and its accuracy measured on groups it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, vector
from evalharness.stats.folds import assign_folds
from evalharness.stats.unfitted import Unfitted

# Shares of the largest squared singular value: from next to none to almost a constant prediction.
PENALTIES = tuple(float(p) for p in 10.0 ** np.arange(-4.0, 1.51, 0.25))


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A fitted model: prediction = intercept + sum_k weight_k (x_k - centre_k) / scale_k.

    centre, scale: (k,) mean and standard deviation of the features in training; a feature without variation has scale
    1 and weight 0. low, high: (k,) range of the features in training. penalty: as a share of the largest squared
    singular value of the standardised features.
    """

    intercept: float
    weights: FloatArray
    centre: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray
    penalty: float
    n: int

    def predict(self, features: ArrayLike) -> FloatArray:
        """Return predictions (n,) for features (n, k)."""
        return np.asarray(self.intercept + ((_matrix(features) - self.centre) / self.scale) @ self.weights)

    def outside(self, features: ArrayLike) -> BoolArray:
        """Return whether any feature of an item (n,) lies outside the range of training: an extrapolation."""
        x = _matrix(features)
        return np.asarray(((x < self.low) | (x > self.high)).any(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class CrossFitted:
    """Predictions of items by models that never saw their group.

    predictions: (n,). folds: (n,) the fold of each item. penalties: the penalty chosen in each fold.
    """

    predictions: FloatArray
    folds: IntArray
    penalties: tuple[float, ...]


def fit_ridge(features: ArrayLike, target: ArrayLike, penalty: float) -> Ridge:
    """Return the ridge fit of target (n,) on features (n, k); the intercept is not penalised."""
    x, y = _checked(features, target)
    if y.size == 0:
        raise ValueError("a ridge fit needs observations")
    centre, scale = x.mean(axis=0), spread_of(x)
    squares, axes, projected = _principal((x - centre) / scale, y - y.mean())
    weights = axes @ (_shrinkage(squares, penalty) * projected)
    low, high = x.min(axis=0), x.max(axis=0)
    return Ridge(float(y.mean()), weights, centre, scale, low, high, penalty, y.size)


def choose_penalty(
    features: ArrayLike,
    target: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    folds: int = 10,
    seed: int = 0,
) -> float | Unfitted:
    """Return the penalty with the smallest squared error on held-out groups; of equals the largest."""
    x, y = _checked(features, target)
    assigned = assign_folds(groups, y.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    errors = np.zeros(len(penalties))
    for fold in np.unique(assigned):
        held = assigned == fold
        errors += ((_path(x[~held], y[~held], x[held], penalties) - y[held]) ** 2).sum(axis=1)
    best = errors.min()
    return max(p for p, error in zip(penalties, errors, strict=True) if error <= best * (1.0 + 1e-12))


def cross_fit(
    features: ArrayLike,
    target: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    folds: int = 10,
    seed: int = 0,
) -> CrossFitted | Unfitted:
    """Return predictions for every item by a model fitted, penalty included, on the other folds' groups only."""
    x, y = _checked(features, target)
    assigned = assign_folds(groups, y.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    group, _ = group_codes(groups, y.size)
    predictions, chosen = np.empty(y.size), []
    for fold in np.unique(assigned):
        held = assigned == fold
        inner = choose_penalty(
            x[~held], y[~held], group[~held], penalties=penalties, folds=max(2, folds - 1), seed=seed
        )
        penalty = max(penalties) if isinstance(inner, Unfitted) else inner
        predictions[held] = fit_ridge(x[~held], y[~held], penalty).predict(x[held])
        chosen.append(penalty)
    return CrossFitted(predictions, assigned, tuple(chosen))


def _path(x: FloatArray, y: FloatArray, held: FloatArray, penalties: tuple[float, ...]) -> FloatArray:
    """Return predictions (P, h) for held-out features at every penalty, from one decomposition."""
    centre, scale = x.mean(axis=0), spread_of(x)
    squares, axes, projected = _principal((x - centre) / scale, y - y.mean())
    rotated = ((held - centre) / scale) @ axes
    shrunk = np.stack([_shrinkage(squares, penalty) * projected for penalty in penalties])
    return np.asarray(y.mean() + shrunk @ rotated.T)


def _principal(z: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return squared singular values (k,) of z, falling, their axes (k, k), and the target's products with them."""
    squares, axes = np.linalg.eigh(z.T @ z)
    squares, axes = np.maximum(squares[::-1], 0.0), axes[:, ::-1]
    return squares, axes, (z.T @ target) @ axes


def _shrinkage(squares: FloatArray, penalty: float) -> FloatArray:
    """Return 1 / (s^2 + penalty s_max^2) per squared singular value, 0 for directions without variation."""
    if squares.size == 0 or squares[0] == 0.0:
        return np.zeros_like(squares)
    kept = squares > 1e-12 * squares[0]
    base = squares + penalty * squares[0]
    return np.where(kept, 1.0 / np.where(kept, base, 1.0), 0.0)


def spread_of(x: FloatArray) -> FloatArray:
    """Return the standard deviation (k,) of each feature of x (n, k), 1 for one without variation."""
    spread = x.std(axis=0)
    size = np.abs(x).max(axis=0, initial=0.0)
    return np.where(spread > 1e-12 * size, spread, 1.0)


def _matrix(features: ArrayLike) -> FloatArray:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"features must be a finite matrix (n, k), got shape {x.shape}")
    return x


def _checked(features: ArrayLike, target: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = _matrix(features), vector(target, "target")
    if len(x) != y.size:
        raise ValueError(f"{len(x)} rows of features for {y.size} targets")
    return x, y
