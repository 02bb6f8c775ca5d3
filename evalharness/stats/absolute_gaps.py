"""The interval of a sum of absolute gaps, such as the expected calibration error.

The observed sum is biased upwards: noise makes every gap larger, and where all true gaps are 0 the sum is all noise. So
a bootstrap interval around it does not hold a small true sum. Here a test is inverted instead. For a true sum of theta
times the observed gaps, noise e (the resampled gaps minus the observed ones) shows sums of |theta * gap + e|; the
interval begins at the least theta that could have shown the observed one (Davison & Hinkley 1997, section 5.5, on tests
turned into intervals), which is 0 where it could be noise. It ends at the largest such theta, or at the sum plus
Student's quantile of standard errors where that is more: the observed gaps are more uneven than the true ones, which
makes the test end early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from evalharness.stats.arrays import FloatArray
from evalharness.stats.bootstrap import DRAWS, MIN_GROUPS
from evalharness.stats.clustered import t_quantile
from evalharness.stats.estimate import Estimate, point

_CHUNK_ENTRIES = 1 << 21
_HALVINGS = 40
_FARTHEST = 64.0


def absolute_gap(sums: FloatArray) -> FloatArray:
    """Return sum of |first columns| over the last column (...,) of sums (..., k + 1)."""
    return np.asarray(np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1])


def absolute_gap_interval(
    totals: FloatArray, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Return :func:`absolute_gap` of the sum of `totals` (G, k + 1), one group per row, with its interval.

    Noise comes from seeded draws of whole groups, widened by sqrt(G / (G - 1)) and by Student's quantile over the
    normal one. Fewer than five groups, and groups that are all alike, have no interval.
    """
    groups = len(totals)
    value = float(absolute_gap(totals.sum(axis=0)))
    if groups < MIN_GROUPS:
        method = f"none: at least {MIN_GROUPS} groups are needed"
        return point(value, n=groups, groups=groups, level=level, method=method)
    gap, noise = _gaps(totals.sum(axis=0)), np.concatenate(list(_noise(totals, draws, seed)))
    if float(np.abs(noise).max()) <= 1e-12 * max(1.0, value):
        method = "none: every resample gives the same value"
        return point(value, n=groups, groups=groups, level=level, method=method)
    tail = (1.0 - level) / 2.0
    student = t_quantile(1.0 - tail, groups - 1)
    small = math.sqrt(groups / (groups - 1))
    wider = small * student / t_quantile(1.0 - tail, math.inf)
    se = small * float(np.abs(gap + noise).sum(axis=1).std(ddof=1))

    def shown(theta: float, q: float) -> float:
        return float(np.quantile(np.abs(theta * gap + wider * noise).sum(axis=1), q))

    low = _first(lambda theta: shown(theta, 1.0 - tail) >= value)
    high = max(value + student * se, value * _first(lambda theta: shown(theta, tail) > value))
    method = f"inverted bootstrap, {draws} draws of {groups} groups, seed {seed}"
    return Estimate(value, se, low * value, high, level, method, groups, groups, None)


def _gaps(sums: FloatArray) -> FloatArray:
    return np.asarray(sums[..., :-1] / sums[..., -1:])


def _noise(totals: FloatArray, draws: int, seed: int) -> Iterator[FloatArray]:
    """Yield resampled gaps minus the observed ones (b, k), in blocks of bounded size."""
    rng = np.random.default_rng(seed)
    groups, observed = len(totals), _gaps(totals.sum(axis=0))
    block = max(1, _CHUNK_ENTRIES // groups)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        counts = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=rows).astype(np.float64)
        yield _gaps(counts @ totals) - observed


def _first(reached: Callable[[float], bool]) -> float:
    """Return the least theta at which a condition holds that stays true from there on."""
    if reached(0.0):
        return 0.0
    high = 1.0
    while not reached(high):
        if high >= _FARTHEST:
            return high
        high *= 2.0
    low = 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
