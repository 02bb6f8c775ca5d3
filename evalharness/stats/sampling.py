"""Which items to send to human raters: seeded samples with known probabilities, and the estimates that use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, vector

FLOOR = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A sample to label: who is in (n,), and with what probability each item could have been (n,)."""

    chosen: BoolArray
    probability: FloatArray
    seed: int


def inclusion_probabilities(
    n: int, budget: float, priority: ArrayLike | None = None, floor: float = FLOOR
) -> FloatArray:
    """Return probabilities (n,) that sum to ``budget``, proportional to a priority mixed with a uniform share.

    priority: (n,) non-negative, say the expected disagreement of judge and human. floor: the share of the budget that
    is spread evenly, so that every item can be drawn and no weight 1 / probability explodes. Items that would exceed
    1 are taken for sure and the rest shared out again.
    """
    if not 0.0 <= budget <= n:
        raise ValueError(f"a budget of {budget} labels does not fit {n} items")
    if not 0.0 < floor <= 1.0:
        raise ValueError("the floor lies above 0 and at most at 1")
    wish = np.ones(n) if priority is None else vector(priority, "priority")
    if wish.size != n or (n and wish.min() < 0.0):
        raise ValueError("needs one non-negative priority per item")
    total = float(wish.sum())
    shares = floor / max(n, 1) + (1.0 - floor) * (
        wish / total if total > 0.0 else np.full(n, 1.0 / max(n, 1))
    )
    return _capped(shares, budget)


def draw_sample(probability: ArrayLike, seed: int) -> Drawn:
    """Return a sample of fixed size by systematic sampling of shuffled items (Madow 1949; Hartley & Rao 1962).

    Each item is in with exactly its probability; the size is the rounded sum of the probabilities, up or down.
    """
    pi = vector(probability, "probability")
    if pi.size and (pi.min() < 0.0 or pi.max() > 1.0):
        raise ValueError("probabilities lie between 0 and 1")
    rng = np.random.default_rng(seed)
    order = rng.permutation(pi.size)
    ends = np.cumsum(pi[order])
    start = rng.random()
    hits = np.floor(ends - start + 1.0) - np.floor(np.concatenate([[0.0], ends[:-1]]) - start + 1.0)
    chosen = np.zeros(pi.size, dtype=np.bool_)
    chosen[order] = hits >= 1.0
    return Drawn(chosen, pi, seed)


def _capped(shares: FloatArray, budget: float) -> FloatArray:
    """Return shares scaled to sum to the budget with none above 1."""
    pi = np.zeros_like(shares)
    sure = np.zeros(shares.size, dtype=np.bool_)
    for _ in range(shares.size + 1):
        rest = ~sure
        left, weight = budget - float(sure.sum()), float(shares[rest].sum())
        pi[sure] = 1.0
        pi[rest] = shares[rest] * (left / weight) if weight > 0.0 else 0.0
        if not bool(np.any(pi[rest] > 1.0)):
            break
        sure |= pi >= 1.0
    return np.minimum(pi, 1.0)
