"""Randomisation tests by group: sign flips of paired differences, and swaps of paired sufficient statistics.

Under "no difference between the two systems" the labels of a group (a dialogue, a scenario) can be exchanged, so the
sign of all its differences flips together. Flipping single turns instead would treat the turns as independent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, group_codes, vector
from evalharness.stats.clustered import group_sums
from evalharness.stats.significance import Alternative, Significance, untestable

Weighting = Literal["items", "groups"]
Score = Callable[[FloatArray], FloatArray]

EXACT_UP_TO = 16  # groups: 2^16 sign vectors
_BYTE = 8

# Sums that differ by rounding only are the same value of the statistic: without this, ties with the observed
# value are counted or not by accident of the order of summation.
_TIE = 1e-10


def sign_flip_test(
    differences: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    alternative: Alternative = "two-sided",
    weighting: Weighting = "items",
    draws: int = 9_999,
    seed: int = 0,
) -> Significance:
    """Return the sign-flip permutation test of H0: no paired difference (n,), flipping whole groups.

    weighting: "items" tests the mean over items, "groups" the mean of group means.
    Exact, over all sign vectors, for up to ``EXACT_UP_TO`` groups that differ at all; else ``draws`` seeded ones with
    p = (hits + 1) / (draws + 1): the observed assignment counts as one of them, which keeps the rejection rate at its
    level (Phipson & Smyth 2010) and p above 0. Groups whose difference is 0 change nothing and are left out.
    """
    d = vector(differences, "differences")
    codes, count = group_codes(groups, d.size)
    units = group_sums(d, codes, count)
    if weighting == "groups":
        units = units / np.maximum(np.bincount(codes, minlength=count), 1)
    scale = d.size if weighting == "items" else count
    units = units[np.abs(units) > _TIE * max(1.0, float(np.abs(d).max(initial=0.0)))]
    if units.size == 0:
        return untestable("no group differs", method="sign-flip", n=d.size, groups=count)
    p, method = _sign_flip_p(units, alternative, draws, seed)
    return Significance(p, float(units.sum()) / scale, method, d.size, count)


def approximate_randomisation(
    totals_first: ArrayLike,
    totals_second: ArrayLike,
    score: Score,
    *,
    alternative: Alternative = "two-sided",
    draws: int = 9_999,
    seed: int = 0,
) -> Significance:
    """Return the paired randomisation test of a corpus score, swapping systems group by group.

    totals_first, totals_second: (G, k) sufficient statistics summed by group (n-gram matches, lengths ...).
    score: maps sums (..., k) to scores (...).
    Riezler & Maxwell (2005), the "ar" test of sacrebleu, over groups instead of segments. Always by seeded draws.
    """
    first, second = _same_shape(totals_first, totals_second)
    middle, half = (first + second).sum(axis=0) / 2, (first - second) / 2
    method = f"paired randomisation, {draws} draws, seed {seed}"
    if not half.any():
        return untestable("no group differs", method=method, n=len(first), groups=len(first))
    observed = float((score(first.sum(axis=0)[None]) - score(second.sum(axis=0)[None]))[0])
    if not np.isfinite(observed):
        return untestable("the score is undefined", method=method, n=len(first), groups=len(first))
    shift = _signed_sums(half, draws, seed)
    swapped = score(middle + shift) - score(middle - shift)
    if not np.isfinite(swapped).all():
        return untestable(
            "the score is undefined in some swap", method=method, n=len(first), groups=len(first)
        )
    hits = _count_hits(swapped, observed, alternative, abs(observed))
    return Significance((hits + 1) / (draws + 1), observed, method, len(first), len(first))


def _sign_flip_p(units: FloatArray, alternative: Alternative, draws: int, seed: int) -> tuple[float, str]:
    observed, size = float(units.sum()), float(np.abs(units).sum())
    if units.size <= EXACT_UP_TO:
        hits = _count_hits(_all_signs(units.size) @ units, observed, alternative, size)
        return hits / 2**units.size, f"sign-flip, exact (2^{units.size})"
    hits = _count_hits(_signed_sums(units[:, None], draws, seed)[:, 0], observed, alternative, size)
    return (hits + 1) / (draws + 1), f"sign-flip, {draws} draws, seed {seed}"


def _count_hits(sums: FloatArray, observed: float, alternative: Alternative, size: float) -> int:
    tolerance = _TIE * size
    if alternative == "greater":
        return int(np.sum(sums >= observed - tolerance))
    if alternative == "less":
        return int(np.sum(sums <= observed + tolerance))
    return int(np.sum(np.abs(sums) >= abs(observed) - tolerance))


def _all_signs(units: int) -> FloatArray:
    codes = np.arange(2**units, dtype=np.int64)[:, None] >> np.arange(units)
    return np.asarray(1.0 - 2.0 * (codes & 1), dtype=np.float64)


def _signed_sums(units: FloatArray, draws: int, seed: int) -> FloatArray:
    """Return ``draws`` sums of `units` (G, k) under independent random signs (draws, k).

    One random byte picks the signs of eight units from the table of their 256 signed sums: an eighth of the
    additions, and no matrix of signs in memory.
    """
    rng = np.random.default_rng(seed)
    signs = _all_signs(_BYTE)
    padded = np.zeros((-(-len(units) // _BYTE) * _BYTE, units.shape[1]))
    padded[: len(units)] = units
    sums = np.zeros((draws, units.shape[1]))
    for block in padded.reshape(-1, _BYTE, units.shape[1]):
        sums += (signs @ block)[rng.integers(0, 256, size=draws, dtype=np.uint8)]
    return sums


def _same_shape(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"paired totals must be equal matrices (groups, k), got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("totals must be finite")
    return a, b
