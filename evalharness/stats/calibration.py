"""How far predicted values are from what was observed: reliability, ECE, Brier score, ranked probability score.

Everywhere ``weights`` (n,) are positive and say how much each item counts (1 / probability, where items had been drawn
unequally): whole weights give what repeating the items would, with the clustered interval of the items themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.absolute_gaps import absolute_gap_interval
from evalharness.stats.arrays import FloatArray, IntArray, group_codes, paired
from evalharness.stats.bootstrap import DRAWS
from evalharness.stats.clustered import group_sums, mean_interval, ratio_interval
from evalharness.stats.estimate import Estimate, undefined


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram: mean prediction, mean observation with interval, and range of predictions."""

    low: float
    high: float
    predicted: float
    observed: Estimate
    n: int


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error over bins of equal mass.

    ece: mean over items of |mean prediction - mean observation| of the item's bin. largest: that of the worst bin.
    bias: mean of prediction minus observation. noise_floor: the mean ECE that perfectly calibrated predictions would
    show with this sample and these bins; ``None`` unless observations are 0/1. ECE is biased upwards by noise: a value
    near the floor is no evidence of miscalibration.
    bins: number of bins in use; ties in the predictions can leave fewer than asked for.
    """

    ece: Estimate
    largest: float | None
    bias: Estimate
    noise_floor: float | None
    bins: int


@dataclass(frozen=True, slots=True)
class Murphy:
    """Brier score = reliability - resolution + uncertainty + within.

    reliability: squared gap of prediction and outcome by bin (0 is best). resolution: variance of the bins' outcome
    rates (large is best). uncertainty: variance of the outcome. within: what binning leaves over, 0 where all
    predictions in a bin are the same (Murphy 1973; Stephenson, Coelho & Jolliffe 2008).
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def usual_bins(n: int) -> int:
    """Return how many bins suit n items: ten, or fewer with about ten items each, but two at least.

    >>> usual_bins(500), usual_bins(45), usual_bins(8)
    (10, 4, 2)
    """
    return min(10, max(2, n // 10))


def equal_mass_bins(predicted: ArrayLike, bins: int = 10, weights: ArrayLike | None = None) -> IntArray:
    """Return the bin 0..B-1 (n,) of each prediction: about the same mass each, equal predictions never apart."""
    values, _ = paired(predicted, predicted)
    if bins < 1:
        raise ValueError("at least one bin")
    w = _mass(weights, values)
    distinct, codes = np.unique(values, return_inverse=True)
    counts = np.bincount(codes, weights=w, minlength=distinct.size)
    middle = np.cumsum(counts) - counts / 2.0
    share = bins / (float(w.sum()) or 1.0)
    wanted = np.minimum((middle * share).astype(np.intp), bins - 1)
    _, dense = np.unique(wanted, return_inverse=True)
    return np.asarray(dense[codes] if distinct.size else codes, dtype=np.intp)


def reliability_bins(
    predicted: ArrayLike,
    observed: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    bins: int = 10,
    level: float = 0.95,
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability diagram of `predicted` (n,) against `observed` (n,), clustered intervals by bin."""
    p, y = paired(predicted, observed)
    w = _mass(weights, p)
    codes, _ = group_codes(groups, p.size)
    assigned = equal_mass_bins(p, bins, w)
    result = []
    for index in range(int(assigned.max(initial=-1)) + 1):
        inside = assigned == index
        held, mass = p[inside], w[inside]
        mean = _mean(y[inside], None if weights is None else mass, codes[inside], level)
        centre = float(np.average(held, weights=mass))
        result.append(ReliabilityBin(float(held.min()), float(held.max()), centre, mean, held.size))
    return tuple(result)


def calibration_error(
    predicted: ArrayLike,
    observed: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    bins: int = 10,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> CalibrationError:
    """Return the ECE of `predicted` (n,) against `observed` (n,), on any one scale, its interval by drawing groups.

    The interval begins at 0 where the error could be noise (:mod:`evalharness.stats.absolute_gaps`).
    """
    p, y = paired(predicted, observed)
    bias = _mean(p - y, weights, groups, level)
    if p.size == 0:
        return CalibrationError(undefined("no observations", level=level), None, bias, None, 0)
    w = _mass(weights, p)
    assigned = equal_mass_bins(p, bins, w)
    used = int(assigned.max()) + 1
    codes, count = group_codes(groups, p.size)
    here = np.arange(used) == assigned[:, None]
    gaps, sizes = (group_sums(here * values[:, None], codes, count) for values in (w * (p - y), w))
    ece = absolute_gap_interval(gaps, sizes, level=level, draws=draws, seed=seed)
    largest = float(np.max(np.abs(gaps.sum(axis=0)) / sizes.sum(axis=0)))
    return CalibrationError(ece, largest, bias, _noise_floor(p, y, w, assigned, seed), used)


def brier(
    probability: ArrayLike,
    outcome: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Return the Brier score, mean of (probability - outcome)^2, with its clustered interval (Brier 1950)."""
    p, y = _probabilities(probability, outcome)
    return _mean((p - y) ** 2, weights, groups, level)


def murphy(
    probability: ArrayLike, outcome: ArrayLike, bins: int | None = None, weights: ArrayLike | None = None
) -> Murphy | None:
    """Return the decomposition of the Brier score over distinct probabilities, or over ``bins`` of equal mass.

    The parts always add up to the score. ``None`` without observations.
    """
    p, y = _probabilities(probability, outcome)
    if p.size == 0:
        return None
    w = _mass(weights, p)
    assigned = np.unique(p, return_inverse=True)[1] if bins is None else equal_mass_bins(p, bins, w)
    counts = np.bincount(assigned, weights=w)
    mean_p, mean_y = (group_sums(w * v, assigned, counts.size) / counts for v in (p, y))
    weight, rate = counts / w.sum(), float(np.average(y, weights=w))
    reliability = float(weight @ (mean_p - mean_y) ** 2)
    resolution = float(weight @ (mean_y - rate) ** 2)
    inner_p, inner_y = p - mean_p[assigned], y - mean_y[assigned]
    within, uncertainty, score = (
        float(np.average(part, weights=w))
        for part in (inner_p**2 - 2.0 * inner_p * inner_y, (y - rate) ** 2, (p - y) ** 2)
    )
    return Murphy(score, reliability, resolution, uncertainty, within)


def ranked_probability_score(
    probabilities: ArrayLike,
    level_index: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Return the mean ranked probability score of level probabilities (n, K) for observed level indices (n,).

    sum_k (F_k - O_k)^2 / (K - 1) with cumulative forecasts and outcomes: 0 is perfect, 1 the worst; with two levels
    the Brier score (Epstein 1969; normalised as Murphy 1971).
    """
    f = np.asarray(probabilities, dtype=np.float64)
    index = np.asarray(level_index, dtype=np.intp)
    if f.ndim != 2 or f.shape[1] < 2 or index.shape != f.shape[:1]:
        raise ValueError("needs probabilities (n, at least 2 levels) and one level index each")
    if f.size and (f.min() < 0.0 or not np.allclose(f.sum(axis=1), 1.0, atol=1e-6)):
        raise ValueError("each row of probabilities must be non-negative and sum to 1")
    happened = index[:, None] <= np.arange(f.shape[1])
    scores = ((np.cumsum(f, axis=1) - happened) ** 2).sum(axis=1) / (f.shape[1] - 1)
    return _mean(scores, weights, groups, level)


def _mass(weights: ArrayLike | None, like: FloatArray) -> FloatArray:
    """Return the weights (n,), ones where there are none."""
    if weights is None:
        return np.ones_like(like)
    w, _ = paired(weights, like)
    if w.size and not w.min() > 0.0:
        raise ValueError("weights are positive")
    return w


def _mean(values: FloatArray, weights: ArrayLike | None, groups: ArrayLike | None, level: float) -> Estimate:
    """Return the mean of `values` (n,), weighted where there are weights, with its clustered interval."""
    if weights is None:
        return mean_interval(values, groups, level)
    w = _mass(weights, values)
    return ratio_interval(w * values, w, groups, level)


def _noise_floor(
    p: FloatArray, y: FloatArray, w: FloatArray, assigned: IntArray, seed: int, draws: int = 200
) -> float | None:
    """Return the mean ECE of outcomes drawn from the predictions themselves (Broecker & Smith 2007)."""
    if not np.isin(y, (0.0, 1.0)).all() or p.min() < 0.0 or p.max() > 1.0:
        return None
    rng = np.random.default_rng(seed)
    count = int(assigned.max()) + 1
    draws = min(200, max(20, 5_000_000 // p.size))  # many items need few draws: their gaps hardly vary
    total = 0.0
    for _ in range(draws):
        gap = group_sums(w * (p - (rng.random(p.size) < p)), assigned, count)
        total += float(np.abs(gap).sum() / w.sum())
    return total / draws


def _probabilities(probability: ArrayLike, outcome: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, y = paired(probability, outcome)
    if p.size and (p.min() < 0.0 or p.max() > 1.0):
        raise ValueError("probabilities lie between 0 and 1")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes are 0 or 1")
    return p, y
