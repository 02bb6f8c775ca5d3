"""Pairs of items: listed inside groups, and counted item by item by how two sides order them, in O(n log n).

For every item: with how many others is it concordant, discordant, or tied on the first side, the second, or
both? Kendall's family and the pairwise accuracies are ratios of sums of these counts, and their influence
values ratios of the counts themselves, so that one pass gives value and error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalharness.stats.arrays import RELATIVE_TIE, FloatArray, IntArray, dense_codes

PAIR_LIMIT = 20_000_000  # listing more pairs than this would take gigabytes


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """Counts (n,) of the other items, by how the pair is ordered; over all items each pair counts twice."""

    concordant: FloatArray
    discordant: FloatArray
    tied_first: FloatArray
    tied_second: FloatArray
    tied_both: FloatArray

    @property
    def n(self) -> int:
        """Number of items."""
        return self.concordant.size

    @property
    def pairs(self) -> float:
        """Number of unordered pairs."""
        return self.n * (self.n - 1) / 2.0


def pair_counts(first: FloatArray, second: FloatArray, epsilon: float = 0.0) -> PairCounts:
    """Return the pair counts of two vectors (n,).

    epsilon: differences of the FIRST side up to this size are ties (WMT's tie threshold); "tied_first" and
        "tied_second" count pairs tied on that side only.
    """
    if epsilon < 0.0:
        raise ValueError(f"a tie threshold can't be negative, got {epsilon}")
    y = dense_codes(second)
    n = first.size
    order = np.argsort(first, kind="stable")
    low, high = _tie_window(first, order, epsilon)
    before = _PrefixCounts(y[order])
    less_low, through_low = before.below(low, y), before.below(low, y + 1)
    less_high, through_high = before.below(high, y), before.below(high, y + 1)
    everything = np.full(n, n, dtype=np.intp)
    less_all, through_all = before.below(everything, y), before.below(everything, y + 1)
    same_low, same_high = through_low - less_low, through_high - less_high
    concordant = less_low + (n - high) - (through_all - through_high)
    discordant = (low - through_low) + (less_all - less_high)
    tied_both = same_high - same_low - 1
    tied_first = (high - low - 1) - tied_both
    tied_second = (through_all - less_all - 1) - tied_both
    counts = (concordant, discordant, tied_first, tied_second, tied_both)
    return PairCounts(*(count.astype(np.float64) for count in counts))


def pair_total(codes: IntArray, count: int) -> int:
    """Return the number of unordered pairs of items in the same group."""
    sizes = np.bincount(codes, minlength=count).astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def within_group_pairs(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return the item indices (p,), (p,) of every unordered pair inside a group."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    later = np.searchsorted(ordered, ordered, "right") - np.arange(codes.size) - 1
    left = np.repeat(np.arange(codes.size), later)
    starts = np.cumsum(later) - later
    right = left + 1 + np.arange(left.size) - np.repeat(starts, later)
    return order[left], order[right]


def _tie_window(first: FloatArray, order: IntArray, epsilon: float) -> tuple[IntArray, IntArray]:
    """Return, for each item, how many items lie below its tie window and how many below its upper end."""
    if epsilon == 0.0:
        codes = dense_codes(first)
        ordered = codes[order]
        return np.searchsorted(ordered, codes, "left"), np.searchsorted(ordered, codes, "right")
    width = epsilon + RELATIVE_TIE * max(epsilon, float(np.abs(first).max(initial=0.0)))
    values = first[order]
    return np.searchsorted(values, first - width, "left"), np.searchsorted(values, first + width, "right")


class _PrefixCounts:
    """How many of the first p codes are smaller than c, for many (p, c) at once: a wavelet matrix.

    Codes are split bit by bit, the highest first; a query walks down with one table look-up a level, so that
    m queries on n codes below 2^b cost O((n + m) b), all of it in array operations. Claude, Navarro & Ordonez
    (2015).
    """

    def __init__(self, codes: IntArray) -> None:
        self._bits = int(codes.max(initial=0) + 1).bit_length()
        self._zeros: list[IntArray] = []
        level = codes
        for bit in reversed(range(self._bits)):
            zero = (level >> bit) & 1 == 0
            self._zeros.append(np.concatenate(([0], np.cumsum(zero))).astype(np.intp))
            level = np.concatenate((level[zero], level[~zero]))

    def below(self, prefix: IntArray, code: IntArray) -> IntArray:
        """Return how many of the first `prefix` codes are below `code` <= max + 1, elementwise."""
        low, high = np.zeros_like(prefix), prefix
        count = np.zeros_like(prefix)
        for depth, zeros in enumerate(self._zeros):
            ones = (code >> (self._bits - 1 - depth)) & 1 == 1
            low_zero, high_zero = zeros[low], zeros[high]
            count += np.where(ones, high_zero - low_zero, 0)
            low = np.where(ones, zeros[-1] + low - low_zero, low_zero)
            high = np.where(ones, zeros[-1] + high - high_zero, high_zero)
        return count
