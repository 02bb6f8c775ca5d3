"""Counts of bounded size: names with their frequencies, and lengths."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

_EXACT_BELOW = 1000


@dataclass(frozen=True, slots=True)
class Names:
    """How often each name occurred, the most frequent first; ``more`` counts occurrences of names not listed.

    At most :attr:`MOST` names of at most :attr:`LONGEST` characters are listed.
    """

    counts: tuple[tuple[str, int], ...] = ()
    more: int = 0

    MOST: ClassVar[int] = 500
    LONGEST: ClassVar[int] = 120

    @property
    def total(self) -> int:
        """All occurrences."""
        return sum(count for _, count in self.counts) + self.more


class NameCounter:
    """Counts names, of which it lists the first :attr:`Names.MOST` that it meets and pools the others."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._more = 0

    def __len__(self) -> int:
        return len(self._counts) + bool(self._more)

    def add(self, *names: str) -> None:
        """Count each of the names once."""
        for name in names:
            name = name if len(name) <= Names.LONGEST else name[: Names.LONGEST - 1] + "…"
            if name in self._counts or len(self._counts) < Names.MOST:
                self._counts[name] += 1
            else:
                self._more += 1

    def names(self) -> Names:
        """The counts, the most frequent first, ties by name."""
        ranked = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return Names(tuple(ranked), self._more)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Least, mean, median, 95th percentile and greatest of some lengths; all 0 where there are none.

    Percentiles are exact below 1,000 and rounded down to three digits above; mean and extremes are exact.
    """

    count: int
    least: int
    mean: float
    median: int
    p95: int
    greatest: int


class Histogram:
    """Gathers lengths in at most a few thousand bins."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._total = 0
        self._least: int | None = None
        self._greatest = 0

    def add(self, length: int) -> None:
        """Count one length."""
        self._bins[_bin(length)] += 1
        self._total += length
        self._greatest = max(self._greatest, length)
        self._least = length if self._least is None else min(self._least, length)

    def lengths(self) -> Lengths:
        """The figures."""
        count = sum(self._bins.values())
        if not count:
            return Lengths(0, 0, 0.0, 0, 0, 0)
        median, p95 = self._quantile(0.5, count), self._quantile(0.95, count)
        return Lengths(count, self._least or 0, self._total / count, median, p95, self._greatest)

    def _quantile(self, share: float, count: int) -> int:
        """The least bin with at least ``share`` of the lengths in or below it."""
        reached = 0
        for value, members in sorted(self._bins.items()):
            reached += members
            if reached >= share * count:
                return value
        raise AssertionError("the shares add up to one")


def _bin(length: int) -> int:
    if length < _EXACT_BELOW:
        return length
    step = 10 ** (len(str(length)) - 3)
    return int(length // step * step)
