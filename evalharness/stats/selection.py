"""Choosing features for a ridge regression, inside of what is trained on only.

A choice made with sight of all items flatters whatever is then measured on them (Ambroise & McLachlan 2002). Here the
choice is part of the fit: every held-out item is predicted by a model whose features, too, were chosen without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, vector
from evalharness.stats.folds import assign_folds
from evalharness.stats.ridge import PENALTIES, CrossFitted, Ridge, choose_penalty, fit_ridge, spread_of
from evalharness.stats.unfitted import Unfitted

MOST_FEATURES = 12
_GAIN = 0.002
_COARSE = PENALTIES[::2]


def forward_selection(
    features: ArrayLike,
    target: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    most: int = MOST_FEATURES,
    folds: int = 5,
    seed: int = 0,
) -> tuple[int, ...] | Unfitted:
    """Return the columns of features (n, k) that help, in the order in which they were taken.

    One at a time the feature is added that lowers the squared error on held-out groups most, until none lowers it by
    a five-hundredth or ``most`` are in; of equals the first.
    """
    x, y = np.asarray(features, dtype=np.float64), vector(target, "target")
    assigned = assign_folds(groups, y.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    parts = [_Fold.of(x, y, assigned == fold) for fold in np.unique(assigned)]
    chosen: list[int] = []
    left = list(range(x.shape[1]))
    error = float(sum(part.error_of_the_mean for part in parts))
    while left and len(chosen) < most:
        sets = np.array([[*chosen, column] for column in left], dtype=np.intp)
        tried = np.sum([part.errors(sets) for part in parts], axis=0).min(axis=1)
        best = int(np.argmin(tried))
        if tried[best] >= error * (1.0 - _GAIN):
            break
        error = float(tried[best])
        chosen.append(left.pop(best))
    return tuple(chosen)


def fit_selected(
    features: ArrayLike, target: ArrayLike, groups: ArrayLike | None = None, *, seed: int = 0
) -> Ridge | Unfitted:
    """Return the ridge fit of target (n,) on the features (n, k) that :func:`forward_selection` takes.

    The others have weight 0. Where none helps, the fit is the mean.
    """
    x, y = np.asarray(features, dtype=np.float64), vector(target, "target")
    chosen = forward_selection(x, y, groups, seed=seed)
    if isinstance(chosen, Unfitted):
        return chosen
    columns = list(chosen)
    penalty = choose_penalty(x[:, columns], y, groups, seed=seed) if columns else max(PENALTIES)
    if isinstance(penalty, Unfitted):
        return penalty
    return _widened(fit_ridge(x[:, columns], y, penalty), x, columns)


def cross_fit_selected(
    features: ArrayLike,
    target: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    folds: int = 10,
    seed: int = 0,
) -> CrossFitted | Unfitted:
    """Return predictions for every item by models that chose their features, and were fitted, on other groups only."""
    x, y = np.asarray(features, dtype=np.float64), vector(target, "target")
    assigned = assign_folds(groups, y.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    group, _ = group_codes(groups, y.size)
    predictions, penalties = np.empty(y.size), []
    for fold in np.unique(assigned):
        held = assigned == fold
        fit = fit_selected(x[~held], y[~held], group[~held], seed=seed)
        if isinstance(fit, Unfitted):
            return fit
        predictions[held] = fit.predict(x[held])
        penalties.append(fit.penalty)
    return CrossFitted(predictions, assigned, tuple(penalties))


def _widened(fit: Ridge, x: FloatArray, columns: list[int]) -> Ridge:
    """The fit on some columns as one on all, with weight 0 elsewhere."""
    width = x.shape[1]
    weights, centre, scale = np.zeros(width), x.mean(axis=0), np.ones(width)
    weights[columns], scale[columns] = fit.weights, fit.scale
    return Ridge(fit.intercept, weights, centre, scale, x.min(axis=0), x.max(axis=0), fit.penalty, fit.n)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """What one fold needs of all features at once: products (k, k) and with the target (k,) of the standardised
    training items, and the standardised held-out items (h, k) with their targets less the training mean (h,)."""

    products: FloatArray
    with_target: FloatArray
    held: FloatArray
    missed: FloatArray

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, held: BoolArray) -> _Fold:
        train, mean = x[~held], float(y[~held].mean())
        centre, scale = train.mean(axis=0), spread_of(train)
        z = (train - centre) / scale
        return cls(z.T @ z, z.T @ (y[~held] - mean), (x[held] - centre) / scale, y[held] - mean)

    @property
    def error_of_the_mean(self) -> float:
        """The squared error of predicting the training mean."""
        return float(self.missed @ self.missed)

    def errors(self, sets: IntArray) -> FloatArray:
        """Squared errors (m, P) on the held-out items of ridge fits on m sets of features (m, k) at P penalties."""
        squares, axes = np.linalg.eigh(self.products[sets[:, :, None], sets[:, None, :]])
        squares = np.maximum(squares, 0.0)
        projected = np.einsum("mka,mk->ma", axes, self.with_target[sets])
        rotated = np.einsum("hmk,mka->mha", self.held[:, sets], axes)
        largest = squares[:, -1:]
        kept = squares > 1e-12 * np.where(largest > 0.0, largest, 1.0)
        base = squares[:, None, :] + np.asarray(_COARSE)[None, :, None] * largest[:, None, :]
        shrunk = np.where(kept[:, None, :], projected[:, None, :] / np.where(base > 0.0, base, 1.0), 0.0)
        gaps = np.einsum("mha,mpa->mph", rotated, shrunk) - self.missed
        return np.asarray((gaps**2).sum(axis=2))
