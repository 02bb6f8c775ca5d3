"""The interval of a sum of absolute gaps, such as the expected calibration error.

The observed sum is biased upwards: noise makes every gap larger, and where all true gaps are 0 the sum is all noise. So
a bootstrap interval around it does not hold a small true sum. Here a test is inverted instead. Were the true gaps theta
times the observed ones, resampled groups would show gaps of theta * m + e, with m the bins' mean differences and e what
items differ from them; the interval begins at the least theta that could have shown the observed sum (Davison & Hinkley
1997, section 5.5, on tests turned into intervals), which is 0 where it could be noise. It ends at the largest such
theta, or at the sum plus Student's quantile of standard errors where that is more: the observed gaps are more uneven
than the true ones, which makes the test end early.
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


def absolute_gap_interval(
    gaps: FloatArray, sizes: FloatArray, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Return sum over bins of |sum of gaps| over the number of items, with its interval.

    gaps, sizes: (G, k) sum of differences and number (or weight) of items of each group in each bin; no bin is empty.
    Resamples are seeded draws of whole groups, with noise widened by sqrt(g / (g - 1)) for the g groups of a bin and by
    Student's quantile over the normal one. Fewer than five groups, and groups that are all alike, have no interval.
    """
    groups, total = len(gaps), float(sizes.sum())
    value = float(np.abs(gaps.sum(axis=0)).sum()) / total
    if groups < MIN_GROUPS:
        method = f"none: at least {MIN_GROUPS} groups are needed"
        return point(value, n=groups, groups=groups, level=level, method=method)
    mean = gaps.sum(axis=0) / sizes.sum(axis=0)
    held = (sizes > 0.0).sum(axis=0)
    noise = (gaps - mean * sizes) * np.sqrt(held / np.maximum(held - 1, 1))
    drawn = list(_resampled(np.hstack([mean * sizes, noise]), sizes.sum(axis=1), draws, seed))
    share, error = np.split(np.concatenate(drawn), 2, axis=1)
    sums = np.abs(share + error).sum(axis=1)
    if float(np.ptp(sums)) <= 1e-12 * max(1.0, value):
        method = "none: every resample gives the same value"
        return point(value, n=groups, groups=groups, level=level, method=method)
    tail = (1.0 - level) / 2.0
    student = t_quantile(1.0 - tail, groups - 1)
    se = math.sqrt(groups / (groups - 1)) * float(sums.std(ddof=1))
    wider = student / t_quantile(1.0 - tail, math.inf)

    def shown(theta: float, q: float) -> float:
        return float(np.quantile(np.abs(theta * share + wider * error).sum(axis=1), q))

    low = value * _first(lambda theta: shown(theta, 1.0 - tail) >= value)
    high = max(value + student * se, value * _first(lambda theta: shown(theta, tail) > value))
    method = f"inverted bootstrap, {draws} draws of {groups} groups, seed {seed}"
    return Estimate(value, se, low, high, level, method, groups, groups, None)


def _resampled(parts: FloatArray, sizes: FloatArray, draws: int, seed: int) -> Iterator[FloatArray]:
    """Yield sums of parts (b, columns) over the number of items, of resampled groups, in blocks of bounded size."""
    rng = np.random.default_rng(seed)
    groups = len(parts)
    block = max(1, _CHUNK_ENTRIES // groups)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        counts = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=rows).astype(np.float64)
        yield (counts @ parts) / (counts @ sizes)[:, None]


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
