"""Statistics of items that had been drawn with unequal probabilities, each weighted by 1 / probability.

A statistic of the empirical distribution becomes that of the population when an item drawn with probability pi counts
1 / pi times (Horvitz & Thompson 1952; divided by the weights' sum, Hajek 1971). Counting an item so often is done
literally: it is repeated, the weights rounded to whole multiples of a fine step. So every statistic that repeating
all items leaves as it is has its weighted form, from the code that is tested without weights. The influence values of
an item's copies are added up again, so that n, clusters and the CR1 variance are those of the items: the variance is
that of a Hajek ratio with replacement, a little too wide for a sample that is a large part of the population.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, vector
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.influence import Linearized, Statistic

_FINEST, _COARSEST = 20, 8
_WANTED = 50_000
_MOST = 1_000


def copies_of(probability: ArrayLike) -> IntArray:
    """Return how often each item (n,) is repeated: 1 / probability in steps of a twentieth of the least weight.

    Many items are repeated less often, in steps of an eighth of the least weight. ``ValueError`` unless all
    probabilities lie above 0 and at most at 1.

    >>> copies_of([1.0, 0.5, 0.25])
    array([20, 40, 80])
    """
    chance = vector(probability, "probability")
    if chance.size == 0:
        return np.zeros(0, dtype=np.intp)
    if not (chance.min() > 0.0 and chance.max() <= 1.0):
        raise ValueError("probabilities lie above 0 and at most at 1")
    weight = chance.max() / chance
    step = min(_FINEST, max(_COARSEST, int(_WANTED / weight.sum())))
    return np.asarray(np.rint(np.minimum(weight, _MOST) * step), dtype=np.intp)


def repeated(copies: IntArray) -> IntArray:
    """Return the rows (sum of copies,) that hold item i ``copies[i]`` times, in order."""
    return np.repeat(np.arange(copies.size), copies)


def weighted(statistic: PairStatistic, copies: IntArray) -> PairStatistic:
    """Return the statistic of two sides (n,) in which item i counts ``copies[i]`` times.

    Fits statistics that repeating all items leaves as it is: not shares of pairs of items, where copies of one item
    would be pairs too, and not tests, which would take copies for more data.
    """
    rows = repeated(copies)

    def statistic_of(first: FloatArray, second: FloatArray) -> Statistic:
        return collapsed(statistic(first[rows], second[rows]), copies)

    return statistic_of


def collapsed(found: Statistic, copies: IntArray) -> Statistic:
    """Return a statistic of repeated items as one of the items: influence values of copies added up."""
    if not isinstance(found, Linearized):
        return found
    total = int(copies.sum())
    owner = repeated(copies)
    sums = np.bincount(owner, weights=found.influence, minlength=copies.size)
    influence: FloatArray = np.asarray(sums * (copies.size / total), dtype=np.float64)
    used: BoolArray | None = None
    if found.used is not None:
        used = np.bincount(owner, weights=found.used, minlength=copies.size) > 0
    return Linearized(found.value, influence, used, found.scale, found.bounds)


def effective_size(copies: ArrayLike) -> float:
    """Return Kish's effective number of items, (sum w)^2 / sum w^2: how many drawn alike would tell as much."""
    w = np.asarray(copies, dtype=np.float64)
    return float(w.sum() ** 2 / (w @ w)) if w.size else 0.0
