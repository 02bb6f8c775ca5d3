"""Isotonic calibration: the best rising step from a judge's score to the human scale (pool adjacent violators)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, paired, vector
from evalharness.stats.clustered import group_sums
from evalharness.stats.folds import assign_folds
from evalharness.stats.unfitted import Unfitted


@dataclass(frozen=True, slots=True, eq=False)
class Isotonic:
    """A fitted rising function.

    x: (T,) distinct scores of training, rising. y: (T,) fitted values, not falling. Between them linear, outside
    constant. n: number of training items.
    """

    x: FloatArray
    y: FloatArray
    n: int

    def predict(self, scores: ArrayLike) -> FloatArray:
        """Return calibrated values (m,) for scores (m,)."""
        return np.asarray(np.interp(vector(scores, "scores"), self.x, self.y))

    def outside(self, scores: ArrayLike) -> BoolArray:
        """Return whether a score (m,) lies outside the range of training: its value is a guess."""
        s = vector(scores, "scores")
        return np.asarray((s < self.x[0]) | (s > self.x[-1]))


def fit_isotonic(
    scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
) -> Isotonic | Unfitted:
    """Return the least-squares rising fit of labels (n,) on scores (n,); equal scores get one value.

    Barlow et al. (1972). The mean of the fitted values is the mean of the labels, both with ``weights`` (n,), one
    over the probability with which an item had been drawn; all alike where absent.
    """
    x, y = paired(scores, labels)
    if x.size == 0:
        return Unfitted("no labelled items")
    w = np.ones(x.size) if weights is None else paired(weights, y)[0]
    distinct, codes = np.unique(x, return_inverse=True)
    mass = group_sums(w, codes, distinct.size)
    means = group_sums(w * y, codes, distinct.size) / mass
    return Isotonic(distinct, pool_adjacent_violators(means, mass), x.size)


def pool_adjacent_violators(values: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Return the non-falling sequence (n,) nearest to `values` in weighted squares, in linear time.

    >>> pool_adjacent_violators([1.0, 3.0, 2.0, 4.0], [1.0, 1.0, 1.0, 1.0])
    array([1. , 2.5, 2.5, 4. ])
    """
    y, w = paired(values, weights)
    level: list[float] = []
    mass: list[float] = []
    size: list[int] = []
    for value, weight in zip(y.tolist(), w.tolist(), strict=True):
        level.append(value)
        mass.append(weight)
        size.append(1)
        while len(level) > 1 and level[-2] >= level[-1]:
            value, weight, count = level.pop(), mass.pop(), size.pop()
            total = mass[-1] + weight
            level[-1] = (level[-1] * mass[-1] + value * weight) / total
            mass[-1] = total
            size[-1] += count
    return np.repeat(np.array(level, dtype=np.float64), size)


def cross_fitted_isotonic(
    scores: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    folds: int = 10,
    seed: int = 0,
) -> FloatArray | Unfitted:
    """Return calibrated values (n,) by fits that never saw the item's group: what new items will get."""
    x, y = paired(scores, labels)
    w = np.ones(x.size) if weights is None else paired(weights, y)[0]
    assigned = assign_folds(groups, x.size, folds=folds, seed=seed)
    if isinstance(assigned, Unfitted):
        return assigned
    calibrated = np.empty(x.size)
    for fold in np.unique(assigned):
        held = assigned == fold
        fit = fit_isotonic(x[~held], y[~held], w[~held])
        if isinstance(fit, Unfitted):
            return fit
        calibrated[held] = fit.predict(x[held])
    return calibrated
