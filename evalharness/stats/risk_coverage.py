"""Selective judging: how much can be decided automatically, at what error rate, and where to put the threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, paired
from evalharness.stats.clustered import cr1_standard_error, group_sums, mean_interval, t_quantile
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rates import upper_rate_bound

CANDIDATES = 100
STARTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve over distinct confidences, most confident first.

    threshold: (T,) accept items with at least this confidence. coverage: (T,) share accepted. risk: (T,) mean loss
    of the accepted. Items of equal confidence are accepted together: no order among them is made up.
    area: area under the curve (AURC), each item's coverage step weighted alike. excess: area minus that of an ideal
    ordering of the same losses (E-AURC; Geifman, Uziel & El-Yaniv 2019).
    """

    threshold: FloatArray
    coverage: FloatArray
    risk: FloatArray
    area: float
    excess: float
    n: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """A confidence above which the risk is bounded.

    value: accept at or above; ``None`` if no threshold keeps the promise, with ``reason``.
    coverage, risk: on the data it was chosen from. upper: the bound of the risk that was kept at or below the target.
    """

    value: float | None
    coverage: float
    risk: float | None
    upper: float | None
    reason: str | None


def risk_coverage(confidence: ArrayLike, loss: ArrayLike) -> RiskCoverage | None:
    """Return the curve of `loss` (n,) (0/1 errors or any non-negative loss) ordered by confidence (n,)."""
    score, cost = _checked(confidence, loss)
    if score.size == 0:
        return None
    threshold, counts, sums = _by_confidence(score, cost)
    accepted = np.cumsum(counts)
    risk = np.cumsum(sums) / accepted
    area = _area(score, cost)
    ideal = float(np.mean(np.cumsum(np.sort(cost)) / np.arange(1, cost.size + 1)))
    return RiskCoverage(threshold, accepted / score.size, risk, area, area - ideal, score.size)


def threshold_for_risk(
    confidence: ArrayLike,
    loss: ArrayLike,
    target: float,
    groups: ArrayLike | None = None,
    *,
    confidence_level: float = 0.95,
    min_accepted: int = 20,
) -> Threshold:
    """Return the lowest threshold whose risk is at most ``target`` with the given confidence.

    Thresholds are tested from high to low in STARTS sequences that begin at different coverages; each shares the error
    rate and stops at its first failure, so that looking at many thresholds costs nothing more (fixed-sequence testing
    with several starts; Angelopoulos et al. 2021, "Learn then test", arXiv 2110.01052). A test is a one-sided upper
    bound of the accepted items' risk: exact binomial for 0/1 losses without groups, else CR1 + t(G - 1). Thresholds
    that accept fewer than ``min_accepted`` groups (items, without groups) are not tried, and of many distinct
    confidences ``CANDIDATES`` at even steps of coverage are.
    """
    score, cost = _checked(confidence, loss)
    codes, _ = group_codes(groups, score.size)
    tried = [v for v in _candidates(score) if np.unique(codes[score >= v]).size >= min_accepted]
    if not tried:
        return Threshold(None, 0.0, None, None, "too few confident items to bound their risk")
    each = 1.0 - (1.0 - confidence_level) / STARTS

    def bound(value: float) -> float:
        accepted = score >= value
        return _risk_bound(cost[accepted], None if groups is None else codes[accepted], each)

    place, upper = _lowest_passing(tried, bound, target)
    if place is None:
        return Threshold(None, 0.0, None, None, f"no threshold keeps the risk below {target:g}")
    accepted = score >= tried[place]
    return Threshold(float(tried[place]), float(accepted.mean()), float(cost[accepted].mean()), upper, None)


@dataclass(frozen=True, slots=True)
class OutOfBag:
    """What a threshold rule delivers on groups that it was not chosen from.

    risk: mean loss of accepted out-of-bag items, averaged over the resamples that accept any; low, high: the central
    95 % of them, a range and no confidence interval. All ``None`` if no resample accepts anything.
    coverage: mean share of out-of-bag items accepted. kept: share of resamples whose risk is at most the target.
    unusable: resamples that accept nothing.
    """

    risk: float | None
    low: float | None
    high: float | None
    kept: float | None
    coverage: float
    draws: int
    unusable: int


def out_of_bag_risk(
    confidence: ArrayLike,
    loss: ArrayLike,
    target: float,
    groups: ArrayLike | None = None,
    *,
    draws: int = 200,
    confidence_level: float = 0.95,
    min_accepted: int = 20,
    seed: int = 0,
) -> OutOfBag:
    """Return what :func:`threshold_for_risk` delivers when it chooses on a bootstrap bag of groups, on all others."""
    score, cost = _checked(confidence, loss)
    codes, count = group_codes(groups, score.size)
    if count < 2:
        return OutOfBag(None, None, None, None, 0.0, draws, draws)
    rng = np.random.default_rng(seed)
    risks: list[float] = []
    covered = 0.0
    for _ in range(draws):
        times = np.bincount(rng.integers(0, count, size=count), minlength=count)[codes]
        bag = np.repeat(np.arange(score.size), times)
        # Clustered even without groups: a bag holds an item several times, and a copy is no new evidence.
        chosen = threshold_for_risk(
            score[bag],
            cost[bag],
            target,
            codes[bag],
            confidence_level=confidence_level,
            min_accepted=min_accepted,
        )
        out = times == 0
        accepted = out & (score >= (np.inf if chosen.value is None else chosen.value))
        covered += float(accepted.sum()) / max(1, int(out.sum()))
        if accepted.any():
            risks.append(float(cost[accepted].mean()))
    return _summary(np.array(risks), covered / draws, target, draws)


def _summary(risks: FloatArray, coverage: float, target: float, draws: int) -> OutOfBag:
    if risks.size == 0:
        return OutOfBag(None, None, None, None, coverage, draws, draws)
    low, high = (float(q) for q in np.quantile(risks, [0.025, 0.975]))
    kept = float(np.mean(risks <= target))
    return OutOfBag(float(risks.mean()), low, high, kept, coverage, draws, draws - risks.size)


def accepted_risk(
    confidence: ArrayLike,
    loss: ArrayLike,
    threshold: float,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the mean loss of items at or above a threshold fixed beforehand, clustered."""
    score, cost = _checked(confidence, loss)
    accepted = score >= threshold
    codes, _ = group_codes(groups, score.size)
    if not accepted.any():
        return undefined("nothing is accepted at this threshold", n=score.size, level=level)
    return mean_interval(cost[accepted], codes[accepted], level)


def _checked(confidence: ArrayLike, loss: ArrayLike) -> tuple[FloatArray, FloatArray]:
    score, cost = paired(confidence, loss)
    if cost.size and cost.min() < 0.0:
        raise ValueError("losses can't be negative")
    return score, cost


def _lowest_passing(
    tried: list[float], bound: Callable[[float], float], target: float
) -> tuple[int | None, float | None]:
    """Return the last position that a sequence from one of the starts reaches without failing, and its bound."""
    best: tuple[int | None, float | None] = (None, None)
    for start in sorted({len(tried) * k // STARTS for k in range(STARTS)}):
        if best[0] is not None and start <= best[0]:
            continue  # an earlier sequence has been through here
        for place in range(start, len(tried)):
            upper = bound(tried[place])
            if upper > target:
                break
            best = (place, upper)
    return best


def _candidates(score: FloatArray) -> FloatArray:
    """Return the thresholds to try, highest first."""
    distinct = np.unique(score)[::-1]
    if distinct.size <= CANDIDATES:
        return distinct
    ordered = np.sort(score)[::-1]
    places = np.linspace(0, score.size - 1, CANDIDATES).astype(np.intp)
    return np.asarray(np.unique(ordered[places])[::-1])


def _by_confidence(score: FloatArray, cost: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return distinct confidences in falling order, with the number and summed loss of their items."""
    distinct, codes, counts = np.unique(score, return_inverse=True, return_counts=True)
    sums = group_sums(cost, codes, distinct.size)
    return distinct[::-1], np.asarray(counts[::-1], dtype=np.intp), sums[::-1]


def _area(score: FloatArray, cost: FloatArray) -> float:
    """Return the mean over items of the risk at their place; tied items share their mean loss (expected AURC)."""
    _, counts, sums = _by_confidence(score, cost)
    expected = np.repeat(sums / counts, counts)
    return float(np.mean(np.cumsum(expected) / np.arange(1, score.size + 1)))


def _risk_bound(cost: FloatArray, groups: IntArray | None, confidence: float) -> float:
    if groups is None and np.isin(cost, (0.0, 1.0)).all():
        return upper_rate_bound(int(cost.sum()), cost.size, confidence)
    se, count = cr1_standard_error(cost, groups)
    if se is None:
        return float("inf")
    if se == 0.0 and np.isin(cost, (0.0, 1.0)).all():
        return upper_rate_bound(count if cost[0] else 0, count, confidence)
    return float(cost.mean()) + t_quantile(confidence, count - 1) * se
