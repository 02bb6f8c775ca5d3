"""Reliability over repeated trials: the chance that all of k trials of a task succeed, or that any does."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, paired
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rates import share_interval


def pass_all(successes: int, trials: int, k: int) -> float:
    """Return C(c, k) / C(n, k), the unbiased estimate of p^k from c successes in n >= k trials.

    It is the share of the k-subsets of the trials that succeed throughout (Yao et al. 2024, tau-bench,
    arXiv 2406.12045, eq. 1).

    >>> pass_all(3, 4, 2)
    0.5
    """
    return math.comb(successes, k) / math.comb(trials, k)


def pass_any(successes: int, trials: int, k: int) -> float:
    """Return 1 - C(n - c, k) / C(n, k), the unbiased estimate of 1 - (1 - p)^k (Chen et al. 2021, arXiv 2107.03374).

    >>> pass_any(1, 4, 2)
    0.5
    """
    return 1.0 - math.comb(trials - successes, k) / math.comb(trials, k)


def pass_k(
    successes: ArrayLike,
    trials: ArrayLike,
    k: int,
    clusters: ArrayLike | None = None,
    *,
    anyone: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Return pass^k (or pass@k with ``anyone``) over tasks, with an interval clustered by `clusters`.

    successes, trials: (T,) counts by task; tasks with fewer than k trials have no estimate and are left out.
    clusters: (T,) what tasks belong together; every task by itself where absent. The trials of a task are one
    observation, so that repeating a task does not make the interval shorter than the number of tasks allows. The
    interval is made in log odds, since near 0 and 1 Student's own holds far less than it says (simulated: .70 for a
    pass@3 of .9 over 8 tasks); where all tasks have none or all, it is Wilson's.
    """
    won, made = paired(successes, trials)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if np.any(won < 0) or np.any(won > made):
        raise ValueError("successes must lie between 0 and the number of trials")
    enough = made >= k
    if not enough.any():
        return undefined(f"no task has {k} trials", level=level)
    values = _values(won[enough], made[enough], k, anyone)
    groups = None if clusters is None else np.asarray(clusters)[enough]
    return share_interval(values, groups, level)


def _values(won: FloatArray, made: FloatArray, k: int, anyone: bool) -> FloatArray:
    estimate = pass_any if anyone else pass_all
    return np.array([estimate(int(c), int(n), k) for c, n in zip(won, made, strict=True)], dtype=np.float64)
