"""The human ceiling: how well raters agree with each other on the items that a judge is measured on.

Three views. Pairwise: the statistic between every two raters. Leave-one-out: each rater against the consensus
of the others, and the judge against that SAME consensus on the same items, so that the judge gets no better
reference than the human did. Intra-rater: a rater against the own second look. Means over raters keep the
covariance between them, since everything is expressed by influence values of the items.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, paired, ratings_matrix, vector
from evalharness.stats.categories import MISSING, code_labels, declared
from evalharness.stats.estimate import Estimate
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.influence import Linearized, difference, mean_of
from evalharness.stats.rates import share_interval
from evalharness.stats.undefined import Cause, Undefined


class Consensus(StrEnum):
    """How the ratings of several raters become one."""

    MEAN = "mean"
    MAJORITY = "majority"  # most frequent category; items without a single one are left out


@dataclass(frozen=True, slots=True)
class PairwiseCeiling:
    """Mean over pairs of raters of a statistic on the items both rated.

    pairs: number of pairs in the mean; undefined_pairs: without a value; small_pairs: with too few common
    items.
    """

    estimate: Estimate
    pairs: int
    undefined_pairs: int
    small_pairs: int
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Raters and judge against the consensus of the other raters, averaged over raters.

    difference: judge minus human on the same items, with the interval of the paired comparison.
    raters: raters in the mean; left_out: raters with too few items or without a value on either side.
    The judge's figures are undefined where no judge was given.
    """

    human: Estimate
    judge: Estimate
    difference: Estimate
    raters: int
    left_out: int


@dataclass(frozen=True, slots=True)
class IntraRater:
    """Agreement of raters with their own second look: the statistic, and the share of changed ratings."""

    estimate: Estimate
    changed: Estimate
    raters: int


def pairwise_ceiling(
    ratings: ArrayLike,
    statistic: PairStatistic,
    groups: ArrayLike | None = None,
    *,
    min_items: int = 3,
    level: float = 0.95,
) -> PairwiseCeiling:
    """Return the mean of the statistic over all pairs of raters with ``min_items`` or more common items.

    ratings: (items, raters), NaN where missing.
    """
    matrix = ratings_matrix(ratings)
    present = ~np.isnan(matrix)
    common = np.triu(present.T.astype(np.float64) @ present, 1)
    parts: list[Linearized] = []
    tried = np.argwhere(common >= min_items)
    for a, b in tried:
        where = present[:, a] & present[:, b]
        found = statistic(matrix[where, a], matrix[where, b])
        if isinstance(found, Linearized):
            parts.append(found.embedded(where))
    small = int(((common > 0) & (common < min_items)).sum())
    lacking = _no_pairs(matrix, len(tried), small)
    return PairwiseCeiling(
        estimate=mean_of(parts).estimate(groups, level=level) if parts else lacking.estimate(level=level),
        pairs=len(parts),
        undefined_pairs=len(tried) - len(parts),
        small_pairs=small,
        lowest=min((part.value for part in parts), default=None),
        highest=max((part.value for part in parts), default=None),
    )


def leave_one_out(
    ratings: ArrayLike,
    statistic: PairStatistic,
    judge: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    consensus: Consensus = Consensus.MEAN,
    categories: ArrayLike | None = None,
    min_items: int = 3,
    level: float = 0.95,
) -> LeaveOneOut:
    """Return human and judge against the consensus of the other raters.

    ratings: (items, raters), NaN where missing; judge: (items,), NaN where it has no score, and then the item
    counts for nobody; categories: the declared scale, needed by ``MAJORITY``.
    """
    matrix = ratings_matrix(ratings)
    scores = None if judge is None else np.asarray(judge, dtype=np.float64)
    eligible = np.ones(len(matrix), dtype=bool) if scores is None else ~np.isnan(scores)
    humans: list[Linearized] = []
    judges: list[Linearized] = []
    raters = matrix.shape[1]
    for rater in range(raters):
        rest = _consensus(np.delete(matrix, rater, axis=1), consensus, categories)
        where = eligible & ~np.isnan(matrix[:, rater]) & ~np.isnan(rest)
        if where.sum() < min_items:
            continue
        human = statistic(matrix[where, rater], rest[where])
        own = human if scores is None else statistic(scores[where], rest[where])
        if isinstance(human, Linearized) and isinstance(own, Linearized):
            humans.append(human.embedded(where))
            judges.append(own.embedded(where))
    return _summed_up(humans, judges if scores is not None else [], groups, raters, len(matrix), level)


def intra_rater(
    first: ArrayLike,
    second: ArrayLike,
    statistic: PairStatistic,
    raters: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> IntraRater:
    """Return the agreement of first and second looks (n,), all raters together, clustered by `groups`."""
    x, y = paired(first, second)
    changed = share_interval((x != y).astype(np.float64), groups, level)
    found = statistic(x, y)
    return IntraRater(found.estimate(groups, level=level), changed, int(np.unique(np.asarray(raters)).size))


def majority(ratings: ArrayLike, categories: ArrayLike) -> FloatArray:
    """Return the most frequent category of each item (items,), NaN where there is no rating or a draw."""
    levels = declared(categories)
    codes = code_labels(ratings_matrix(ratings), levels)
    counts = np.stack([(codes == k).sum(axis=1) for k in range(levels.size)], axis=1)
    top = counts.max(axis=1, keepdims=True)
    single = ((counts == top).sum(axis=1) == 1) & (codes != MISSING).any(axis=1)
    return np.where(single, levels[counts.argmax(axis=1)], np.nan)


def rater_mean(ratings: ArrayLike) -> FloatArray:
    """Return the mean rating of each item (items,), NaN where there is none."""
    matrix = ratings_matrix(ratings)
    present = ~np.isnan(matrix)
    count = present.sum(axis=1)
    mean: FloatArray = np.full(len(matrix), np.nan)
    np.divide(np.where(present, matrix, 0.0).sum(axis=1), count, out=mean, where=count > 0)
    return mean


def unanimous(ratings: ArrayLike) -> BoolArray:
    """Return which items (items,) have two or more ratings, all the same."""
    matrix = ratings_matrix(ratings)
    present = ~np.isnan(matrix)
    low = np.where(present, matrix, np.inf).min(axis=1, initial=np.inf)
    high = np.where(present, matrix, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray((low == high) & (present.sum(axis=1) >= 2))


def _consensus(ratings: FloatArray, consensus: Consensus, categories: ArrayLike | None) -> FloatArray:
    if consensus is Consensus.MEAN:
        return rater_mean(ratings)
    if categories is None:
        raise ValueError("a majority needs the declared categories")
    return majority(ratings, vector(categories, "categories"))


def _summed_up(
    humans: list[Linearized],
    judges: list[Linearized],
    groups: ArrayLike | None,
    raters: int,
    n: int,
    level: float,
) -> LeaveOneOut:
    if not humans:
        cause = Cause.ONE_RATER if raters < 2 else Cause.NO_DEFINED_GROUP
        empty = Undefined(cause, n, "" if raters < 2 else "no rater has a value").estimate(level=level)
        return LeaveOneOut(empty, empty, empty, 0, raters)
    human = mean_of(humans)
    if not judges:
        absent = Undefined(Cause.EMPTY, 0, "no judge was given").estimate(level=level)
        return LeaveOneOut(
            human.estimate(groups, level=level), absent, absent, len(humans), raters - len(humans)
        )
    judge = mean_of(judges)
    return LeaveOneOut(
        human=human.estimate(groups, level=level),
        judge=judge.estimate(groups, level=level),
        difference=difference(judge, human).estimate(groups, level=level),
        raters=len(humans),
        left_out=raters - len(humans),
    )


def _no_pairs(matrix: FloatArray, tried: int, small: int) -> Undefined:
    if matrix.shape[1] < 2:
        return Undefined(Cause.ONE_RATER, len(matrix))
    if tried:
        return Undefined(Cause.NO_DEFINED_GROUP, len(matrix), "every pair of raters")
    return Undefined(Cause.NO_PAIRS, len(matrix), f"{small} pairs of raters with too few common items")
