"""Soft pairwise accuracy of a metric between systems (WMT 2024), from paired permutation tests.

SPA = mean over pairs of systems of 1 - |p_human - p_metric|, where p is the one-sided p-value of the
hypothesis that one system is better than the other. A metric is not punished for a near-tie that the human scores can't
decide either. Thompson, Mathur, Deutsch & Khayrallah (2024), arXiv 2409.09598.

Scores are matrices (systems, segments), NaN where missing; a pair of systems is compared on the segments that
both sides have for both systems. Signs are flipped by group of segments, the same for all pairs and both
sides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, ratings_matrix
from evalharness.stats.clustered import group_sums
from evalharness.stats.estimate import Estimate, point, undefined

DRAWS = 1_000
SEED = 4
_BLOCK_CELLS = 8_000_000


def soft_pairwise_accuracy(
    metric: ArrayLike,
    human: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    signs: FloatArray | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return SPA of two score matrices (systems, segments); it has no interval of its own.

    groups: (segments,) codes of segments that flip together.
    signs: (draws, G) of +1 and -1 to use instead of drawing them. With few groups all sign patterns are
    taken, which
        makes the p-values exact.

    >>> soft_pairwise_accuracy([[2, 2, 4], [1, 3, 5]], [[1, 2, 3], [2, 3, 4]]).value
    0.875
    """
    m, h = ratings_matrix(metric), ratings_matrix(human)
    if m.shape != h.shape:
        raise ValueError(f"score matrices differ in shape: {m.shape} and {h.shape}")
    systems, segments = m.shape
    codes, count = group_codes(groups, segments)
    present = ~np.isnan(m) & ~np.isnan(h)
    left, right = np.triu_indices(systems, 1)
    shared = present[left] & present[right]
    usable = shared.any(axis=1)
    if not usable.any():
        return undefined("no two systems have a segment in common", n=segments, groups=count, level=level)
    patterns = _patterns(count, draws, seed) if signs is None else signs
    chosen = (left[usable], right[usable], shared[usable])
    p_human = _p_values(_by_group(h, *chosen, codes, count), patterns)
    p_metric = _p_values(_by_group(m, *chosen, codes, count), patterns)
    value = 1.0 - float(np.abs(p_human - p_metric).mean())
    method = f"none: {len(patterns)} sign patterns of {count} groups"
    return point(value, n=int(present.sum()), groups=count, level=level, method=method)


def _patterns(count: int, draws: int, seed: int) -> FloatArray:
    """Return sign patterns (draws, G); all 2^G of them where there are no more than ``draws``."""
    if count < 63 and 2**count <= draws:
        bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return np.where(bits == 1, 1.0, -1.0)
    return np.where(np.random.default_rng(seed).random((draws, count)) < 0.5, -1.0, 1.0)


def _by_group(
    scores: FloatArray, left: IntArray, right: IntArray, shared: BoolArray, codes: IntArray, count: int
) -> FloatArray:
    """Return the score difference of each pair of systems summed by group, (pairs, G)."""
    gaps = np.where(shared, scores[left] - scores[right], 0.0)
    return group_sums(gaps.T, codes, count).T


def _p_values(gaps: FloatArray, patterns: FloatArray) -> FloatArray:
    """Return the share of sign patterns whose total is at least the observed one, (pairs,)."""
    observed = gaps.sum(axis=1)
    slack = 1e-12 * np.abs(gaps).sum(axis=1)
    hits: FloatArray = np.zeros(observed.size)
    step = max(1, _BLOCK_CELLS // max(1, observed.size))
    for start in range(0, len(patterns), step):
        hits += (patterns[start : start + step] @ gaps.T >= observed - slack).sum(axis=0)
    return hits / len(patterns)
