"""Confidence sequences: intervals that hold at every look at once, so that watching a canary is no cheating.

An ordinary 95 % interval looked at after every new dialogue is wrong far more often than 5 % of the time. A confidence
sequence covers the mean at all times together with probability ``level``. Its observations must be new and independent:
group means of newly arriving dialogues, in order of arrival, never re-runs of one fixed set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, group_codes, vector
from evalharness.stats.clustered import group_sums


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceSequence:
    """Bounds after each observation.

    centre, low, high: (T,); NaN bounds never occur, before ``first`` they are -inf and +inf (or the scale's ends).
    first: 0-based index of the first look whose bounds may be used.
    """

    centre: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    method: str
    first: int

    def decided_above(self, value: float) -> int | None:
        """Return the 1-based number of observations after which the mean is known to exceed ``value``."""
        return _first_true(self.low > value)

    def decided_below(self, value: float) -> int | None:
        """Return the 1-based number of observations after which the mean is known to lie below ``value``."""
        return _first_true(self.high < value)


def arrival_means(values: ArrayLike, groups: ArrayLike) -> FloatArray:
    """Return group means (G,) of `values` (n,) in order of first arrival: the units of a sequence."""
    y = vector(values)
    codes, count = group_codes(groups, y.size)
    means = group_sums(y, codes, count) / np.bincount(codes, minlength=count)
    _, arrived = np.unique(codes, return_index=True)
    return np.asarray(means[np.argsort(arrived, kind="stable")])


def asymptotic_sequence(
    units: ArrayLike, *, level: float = 0.95, tightest_at: int = 100, first: int = 20
) -> ConfidenceSequence:
    """Return the asymptotic confidence sequence of a mean (Waudby-Smith et al. 2024, Annals of Statistics 52).

    units: (T,) independent units of any scale. tightest_at: the number of units at which the bounds are to be
    narrowest. first: units seen before the first usable look, as the variance must be known roughly.
    Half-width s_t sqrt(2 (t r^2 + 1) / (t^2 r^2) log(sqrt(t r^2 + 1) / alpha)) with the running deviation s_t.
    """
    x = vector(units, "units")
    t = np.arange(1, x.size + 1, dtype=np.float64)
    alpha = 1.0 - level
    rho2 = best_rho(tightest_at, alpha) ** 2
    origin = float(x[0]) if x.size else 0.0  # squares of small numbers: no cancellation far from 0
    moved = np.cumsum(x - origin) / t
    centre = origin + moved
    spread = np.sqrt(
        np.maximum(np.cumsum((x - origin) ** 2) / t - moved**2, 0.0) * t / np.maximum(t - 1.0, 1.0)
    )
    width = np.sqrt(2.0 * (t * rho2 + 1.0) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1.0) / alpha))
    early = t < max(2, first)
    half = np.where(early, np.inf, spread * width)
    method = f"asymptotic confidence sequence, tightest at {tightest_at}"
    return ConfidenceSequence(centre, centre - half, centre + half, level, method, max(2, first) - 1)


def best_rho(tightest_at: int, alpha: float) -> float:
    """Return the tuning constant whose boundary is narrowest at ``tightest_at`` units (ibid., eq. 11)."""
    log = -2.0 * math.log(alpha)
    return math.sqrt((log + math.log(log) + 1.0) / tightest_at)


def empirical_bernstein_sequence(
    units: ArrayLike, *, low: float = 0.0, high: float = 1.0, level: float = 0.95
) -> ConfidenceSequence:
    """Return the predictable plug-in empirical-Bernstein sequence: valid at any size for scores within [low, high].

    Waudby-Smith & Ramdas (2024), JRSS-B 86:1-27, theorem 2; bounds are intersected over time.
    """
    x = _unit_scale(units, low, high)
    t = np.arange(1, x.size + 1, dtype=np.float64)
    before, variance = _predictable(x, t)
    alpha = 1.0 - level
    bets = np.minimum(np.sqrt(2.0 * math.log(2.0 / alpha) / (variance * t * np.log1p(t))), 0.5)
    cost = 4.0 * (x - before) ** 2 * (-np.log1p(-bets) - bets) / 4.0
    total = np.cumsum(bets)
    centre = np.cumsum(bets * x) / total
    half = (math.log(2.0 / alpha) + np.cumsum(cost)) / total
    return _intersected(
        centre, centre - half, centre + half, low, high, level, "empirical-Bernstein sequence"
    )


def betting_sequence(
    units: ArrayLike, *, low: float = 0.0, high: float = 1.0, level: float = 0.95, grid: int = 1_001
) -> ConfidenceSequence:
    """Return the hedged betting confidence sequence: the tightest of the three for bounded scores.

    A mean m is ruled out once a gambler who bets against it would have multiplied the stake by 1 / alpha; half of
    the stake bets on each side. Waudby-Smith & Ramdas (2024), section 4.2. Means are searched on a grid of ``grid``
    points and the bounds widened to the next point.
    """
    x = _unit_scale(units, low, high)
    t = np.arange(1, x.size + 1, dtype=np.float64)
    _, variance = _predictable(x, t)
    alpha = 1.0 - level
    bets = np.sqrt(2.0 * math.log(2.0 / alpha) / (variance * t * np.log1p(t)))
    means = np.linspace(0.0, 1.0, grid)
    lows, highs = np.empty(x.size), np.empty(x.size)
    up, down = np.zeros(grid), np.zeros(grid)
    alive = np.ones(grid, dtype=np.bool_)
    with np.errstate(divide="ignore"):
        most_up, most_down = 0.5 / means, 0.5 / (1.0 - means)
    for step, (value, bet) in enumerate(zip(x, bets, strict=True)):
        up += np.log1p(np.minimum(bet, most_up) * (value - means))
        down += np.log1p(-np.minimum(bet, most_down) * (value - means))
        alive &= np.maximum(up, down) + math.log(0.5) < math.log(1.0 / alpha)
        lows[step], highs[step] = _kept_range(means, alive)
    centre = np.cumsum(x) / t
    return _intersected(centre, lows, highs, low, high, level, f"betting sequence, grid of {grid}")


def two_arm_units(values: ArrayLike, candidate: ArrayLike, share: float) -> FloatArray:
    """Return one unit per arrival (T,) whose mean is mean(candidate) - mean(baseline), for randomised traffic.

    values: (T,) scores in order of arrival. candidate: (T,) whether the candidate answered. share: the known
    probability of that. Augmented inverse-probability units with running means of the past (ibid. AsympCS, section 4).
    """
    y, arm = vector(values), np.asarray(candidate, dtype=np.bool_)
    if arm.shape != y.shape or not 0.0 < share < 1.0:
        raise ValueError("needs one arm per value and a share strictly between 0 and 1")
    first, second = _running_mean(y, arm), _running_mean(y, ~arm)
    gain = np.where(arm, (y - first) / share, -(y - second) / (1.0 - share))
    return np.asarray(first - second + gain)


def _running_mean(y: FloatArray, chosen: np.ndarray) -> FloatArray:
    """Return the mean of the chosen values before each position, 0 until there is one."""
    counts = np.concatenate([[0.0], np.cumsum(chosen)[:-1]])
    sums = np.concatenate([[0.0], np.cumsum(np.where(chosen, y, 0.0))[:-1]])
    return np.asarray(sums / np.maximum(counts, 1.0))


def _predictable(x: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return regularised running mean and variance of the values *before* each position."""
    means = (0.5 + np.cumsum(x)) / (t + 1.0)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1.0)
    return np.concatenate([[0.5], means[:-1]]), np.concatenate([[0.25], variances[:-1]])


def _unit_scale(units: ArrayLike, low: float, high: float) -> FloatArray:
    x = vector(units, "units")
    if not low < high:
        raise ValueError("the scale needs a lower end below its upper end")
    if x.size and not (x.min() >= low and x.max() <= high):
        raise ValueError(f"units must lie within {low} and {high}")
    return np.asarray((x - low) / (high - low))


def _kept_range(means: FloatArray, alive: np.ndarray) -> tuple[float, float]:
    """Return the range of means not ruled out, widened by one grid step; the last resort is the whole range."""
    kept = np.flatnonzero(alive)
    if kept.size == 0:
        return 0.0, 1.0
    return float(means[max(0, kept[0] - 1)]), float(means[min(means.size - 1, kept[-1] + 1)])


def _intersected(
    centre: FloatArray,
    lows: FloatArray,
    highs: FloatArray,
    low: float,
    high: float,
    level: float,
    method: str,
) -> ConfidenceSequence:
    """Return bounds on the original scale that never widen."""
    span = high - low
    lows = low + span * np.maximum.accumulate(np.maximum(lows, 0.0)) if lows.size else lows
    highs = low + span * np.minimum.accumulate(np.minimum(highs, 1.0)) if highs.size else highs
    return ConfidenceSequence(low + span * centre, lows, highs, level, method, 0)


def _first_true(flags: np.ndarray) -> int | None:
    hits = np.flatnonzero(flags)
    return int(hits[0]) + 1 if hits.size else None
