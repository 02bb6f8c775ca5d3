"""Dawid & Skene (1979): true classes and each rater's confusion matrix from votes alone, by EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.unfitted import Unfitted

_STEPS = 500
_TOLERANCE = 1e-9
_TINY = 1e-300
MIN_RATERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """The fitted latent-class model.

    posterior: (I, K) probability of each class by item. prevalence: (K,) share of each class.
    confusion: (R, K, K) probability that rater r says column when row is true; rows of classes that nothing was
    assigned to are uniform.
    converged: whether EM stopped by itself; if not, the figures are those of the last step.
    """

    posterior: FloatArray
    prevalence: FloatArray
    confusion: FloatArray
    log_likelihood: float
    steps: int
    converged: bool

    @property
    def labels(self) -> IntArray:
        """Return the most probable class of each item (I,)."""
        return np.asarray(self.posterior.argmax(axis=1), dtype=np.intp)

    @property
    def accuracy(self) -> FloatArray:
        """Return each rater's expected share of right votes (R,)."""
        right = np.diagonal(self.confusion, axis1=1, axis2=2)
        return np.asarray(right @ self.prevalence)

    @property
    def doubtful_raters(self) -> tuple[int, ...]:
        """Return raters that are right less often than always naming the largest class would be."""
        return tuple(np.flatnonzero(self.accuracy < self.prevalence.max()).tolist())


def fit_dawid_skene(
    items: ArrayLike,
    raters: ArrayLike,
    labels: ArrayLike,
    *,
    classes: int,
    smoothing: float = 0.01,
) -> DawidSkene | Unfitted:
    """Return the EM fit of votes (n,): item, rater and label codes, each from 0 without gaps in items and raters.

    classes: the number of DECLARED classes, so that an unused class stays one. smoothing: pseudo-votes added to each
    cell of a confusion matrix; 0 is maximum likelihood, which calls a few lucky votes infallible.
    Items may have any number of votes and a rater may vote on an item again. Below three raters the model is not
    identified. Starts from vote shares, as the paper does (eq. 3.1); deterministic.
    """
    item, rater, label = (np.asarray(codes, dtype=np.intp) for codes in (items, raters, labels))
    if not item.shape == rater.shape == label.shape or item.ndim != 1:
        raise ValueError("items, raters and labels must be vectors of the same length")
    if item.size and (label.min() < 0 or label.max() >= classes):
        raise ValueError(f"labels run from 0 to {classes - 1}")
    raters_seen = np.unique(rater).size
    if raters_seen < MIN_RATERS:
        return Unfitted(f"needs at least {MIN_RATERS} raters, got {raters_seen}", item.size)
    votes = _Votes(item, rater, label, int(item.max()) + 1, int(rater.max()) + 1, classes)
    return _expectation_maximisation(votes, smoothing)


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    item: IntArray
    rater: IntArray
    label: IntArray
    items: int
    raters: int
    classes: int

    def shares(self) -> FloatArray:
        """Return vote shares (I, K): the starting point; uniform for an item without votes."""
        cells = np.bincount(self.item * self.classes + self.label, minlength=self.items * self.classes)
        counts = cells.reshape(self.items, self.classes).astype(np.float64)
        total = counts.sum(axis=1, keepdims=True)
        return np.where(total > 0.0, counts / np.maximum(total, 1.0), 1.0 / self.classes)


def _expectation_maximisation(votes: _Votes, smoothing: float) -> DawidSkene:
    posterior, last, step, converged = votes.shares(), -np.inf, 0, False
    while not converged and step < _STEPS:
        step += 1
        prevalence, confusion = _maximised(votes, posterior, smoothing)
        posterior, log_likelihood = _expected(votes, prevalence, confusion)
        converged = abs(log_likelihood - last) <= _TOLERANCE * (1.0 + abs(log_likelihood))
        last = log_likelihood
    return DawidSkene(posterior, prevalence, confusion, last, step, converged)


def _maximised(votes: _Votes, posterior: FloatArray, smoothing: float) -> tuple[FloatArray, FloatArray]:
    """Return prevalence (K,) and confusion matrices (R, K, K) given class probabilities (eq. 2.3 and 2.4)."""
    k = votes.classes
    cells = votes.rater * k + votes.label
    spoken = np.stack(
        [
            np.bincount(cells, weights=weight, minlength=votes.raters * k)
            for weight in posterior[votes.item].T
        ],
        axis=1,
    )
    counts = spoken.reshape(votes.raters, k, k).transpose(0, 2, 1) + smoothing
    total = counts.sum(axis=2, keepdims=True)
    confusion = np.where(total > 0.0, counts / np.maximum(total, _TINY), 1.0 / k)
    return posterior.mean(axis=0), confusion


def _expected(votes: _Votes, prevalence: FloatArray, confusion: FloatArray) -> tuple[FloatArray, float]:
    """Return class probabilities (I, K) and the log-likelihood (eq. 2.5 and 2.7)."""
    by_vote = np.log(np.maximum(confusion[votes.rater, :, votes.label], _TINY))
    by_item = np.stack(
        [np.bincount(votes.item, weights=column, minlength=votes.items) for column in by_vote.T], axis=1
    )
    joint = by_item + np.log(np.maximum(prevalence, _TINY))
    top = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - top)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, float(np.sum(top + np.log(total)))
