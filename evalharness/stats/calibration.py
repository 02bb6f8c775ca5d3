"""How far predicted values are from what was observed: reliability, ECE, Brier score, ranked probability score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, paired
from evalharness.stats.bootstrap import DRAWS, bca
from evalharness.stats.clustered import group_sums, mean_interval
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


def equal_mass_bins(predicted: ArrayLike, bins: int = 10) -> IntArray:
    """Return the bin 0..B-1 (n,) of each prediction: about n / bins each, equal predictions never apart."""
    values, _ = paired(predicted, predicted)
    if bins < 1:
        raise ValueError("at least one bin")
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2.0
    wanted = np.minimum((middle * bins / max(1, values.size)).astype(np.intp), bins - 1)
    _, dense = np.unique(wanted, return_inverse=True)
    return np.asarray(dense[codes] if distinct.size else codes, dtype=np.intp)


def reliability_bins(
    predicted: ArrayLike,
    observed: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    bins: int = 10,
    level: float = 0.95,
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability diagram of `predicted` (n,) against `observed` (n,), clustered intervals by bin."""
    p, y = paired(predicted, observed)
    codes, _ = group_codes(groups, p.size)
    assigned = equal_mass_bins(p, bins)
    result = []
    for index in range(int(assigned.max(initial=-1)) + 1):
        inside = assigned == index
        held = p[inside]
        mean = mean_interval(y[inside], codes[inside], level)
        result.append(
            ReliabilityBin(float(held.min()), float(held.max()), float(held.mean()), mean, held.size)
        )
    return tuple(result)


def calibration_error(
    predicted: ArrayLike,
    observed: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    bins: int = 10,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> CalibrationError:
    """Return the ECE of `predicted` (n,) against `observed` (n,), on any one scale, with a BCa interval by group."""
    p, y = paired(predicted, observed)
    bias = mean_interval(p - y, groups, level)
    if p.size == 0:
        return CalibrationError(undefined("no observations", level=level), None, bias, None, 0)
    assigned = equal_mass_bins(p, bins)
    used = int(assigned.max()) + 1
    codes, count = group_codes(groups, p.size)
    gaps = np.zeros((p.size, used + 1))
    gaps[np.arange(p.size), assigned] = p - y
    gaps[:, used] = 1.0
    ece = bca(group_sums(gaps, codes, count), _absolute_gap, level=level, draws=draws, seed=seed)
    if ece.low is not None and ece.high is not None:
        ece = ece.clipped(0.0, float("inf"))
    sums = gaps.sum(axis=0)
    largest = float(np.max(np.abs(sums[:used]) / np.bincount(assigned, minlength=used)))
    return CalibrationError(ece, largest, bias, _noise_floor(p, y, assigned, seed), used)


def brier(
    probability: ArrayLike, outcome: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return the Brier score, mean of (probability - outcome)^2, with its clustered interval (Brier 1950)."""
    p, y = _probabilities(probability, outcome)
    return mean_interval((p - y) ** 2, groups, level)


def murphy(probability: ArrayLike, outcome: ArrayLike, bins: int | None = None) -> Murphy | None:
    """Return the decomposition of the Brier score over distinct probabilities, or over ``bins`` of equal mass.

    The parts always add up to the score. ``None`` without observations.
    """
    p, y = _probabilities(probability, outcome)
    if p.size == 0:
        return None
    assigned = np.unique(p, return_inverse=True)[1] if bins is None else equal_mass_bins(p, bins)
    counts = np.bincount(assigned).astype(np.float64)
    mean_p, mean_y = (group_sums(v, assigned, counts.size) / counts for v in (p, y))
    weight, rate = counts / p.size, float(y.mean())
    reliability = float(weight @ (mean_p - mean_y) ** 2)
    resolution = float(weight @ (mean_y - rate) ** 2)
    inner_p, inner_y = p - mean_p[assigned], y - mean_y[assigned]
    within = float(np.mean(inner_p**2 - 2.0 * inner_p * inner_y))
    uncertainty = float(np.mean((y - rate) ** 2))
    return Murphy(float(np.mean((p - y) ** 2)), reliability, resolution, uncertainty, within)


def ranked_probability_score(
    probabilities: ArrayLike, level_index: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
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
    return mean_interval(scores, groups, level)


def _absolute_gap(sums: FloatArray) -> FloatArray:
    return np.asarray(np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1])


def _noise_floor(
    p: FloatArray, y: FloatArray, assigned: IntArray, seed: int, draws: int = 200
) -> float | None:
    """Return the mean ECE of outcomes drawn from the predictions themselves (Broecker & Smith 2007)."""
    if not np.isin(y, (0.0, 1.0)).all() or p.min() < 0.0 or p.max() > 1.0:
        return None
    rng = np.random.default_rng(seed)
    count = int(assigned.max()) + 1
    draws = min(200, max(20, 5_000_000 // p.size))  # many items need few draws: their gaps hardly vary
    total = 0.0
    for _ in range(draws):
        gap = group_sums(p - (rng.random(p.size) < p), assigned, count)
        total += float(np.abs(gap).sum()) / p.size
    return total / draws


def _probabilities(probability: ArrayLike, outcome: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, y = paired(probability, outcome)
    if p.size and (p.min() < 0.0 or p.max() > 1.0):
        raise ValueError("probabilities lie between 0 and 1")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes are 0 or 1")
    return p, y
