"""A pool of dialogues that keeps the most wanted ones that fit together."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from evalharness.report.html.entries import Entry

Rank = tuple[float, str]
"""How much a dialogue is wanted, then chance: the greater is kept."""


@dataclass(frozen=True, slots=True)
class Cap:
    """How much the page may hold: scored turns, and bytes of data in the file (estimated, within some percent)."""

    turns: int = 20_000
    size: int = 24_000_000
    seed: int = 0

    def share(self, part: float) -> Cap:
        """A part of both."""
        return Cap(int(self.turns * part), int(self.size * part), self.seed)


@dataclass(frozen=True, slots=True)
class Weighed:
    """An entry with the bytes that it takes in the file."""

    entry: Entry
    size: int


class Pool:
    """Entries with the greatest ranks within a cap."""

    def __init__(self, cap: Cap) -> None:
        self._cap = cap
        self._heap: list[tuple[Rank, int, Weighed]] = []
        self._turns = self._size = 0
        self._full = False

    def wants(self, rank: Rank) -> bool:
        """Whether an entry of this rank would be kept."""
        return not self._full or (bool(self._heap) and rank > self._heap[0][0])

    def push(self, rank: Rank, weighed: Weighed) -> None:
        """Keep an entry, at the cost of less wanted ones; one that is larger than the cap is left out."""
        if weighed.size > self._cap.size or weighed.entry.turns > self._cap.turns:
            return
        heapq.heappush(self._heap, (rank, weighed.entry.order, weighed))
        self._turns += weighed.entry.turns
        self._size += weighed.size
        while self._heap and (self._turns > self._cap.turns or self._size > self._cap.size):
            self._full = True
            dropped = heapq.heappop(self._heap)[2]
            self._turns -= dropped.entry.turns
            self._size -= dropped.size

    def ranked(self) -> list[Weighed]:
        """What was kept, most wanted first."""
        return [weighed for _, _, weighed in sorted(self._heap, reverse=True)]


class Pools:
    """Five pools that compete for a page: dialogues that a gate or labels point at, with failures, with the lowest
    values, with the widest disagreement between judges, and a random sample, which fills what the others leave."""

    def __init__(self, cap: Cap) -> None:
        self._cap = cap
        self._pools = {
            "marked": Pool(cap.share(0.2)),
            "failures": Pool(cap.share(0.2)),
            "lowest": Pool(cap.share(0.35)),
            "spread": Pool(cap.share(0.15)),
            "sample": Pool(cap),
        }

    def wants(self, ranks: dict[str, Rank]) -> bool:
        """Whether any pool would keep an entry of these ranks."""
        return any(self._pools[name].wants(rank) for name, rank in ranks.items())

    def push(self, ranks: dict[str, Rank], weighed: Weighed) -> None:
        """Offer an entry to every pool that it has a rank for."""
        for name, rank in ranks.items():
            if self._pools[name].wants(rank):
                self._pools[name].push(rank, weighed)

    def entries(self) -> list[Entry]:
        """What fits together, in no order."""
        *telling, sample = self._pools.values()
        kept = {weighed.entry.order: weighed for pool in telling for weighed in pool.ranked()}
        turns = sum(weighed.entry.turns for weighed in kept.values())
        size = sum(weighed.size for weighed in kept.values())
        for weighed in sample.ranked():
            if weighed.entry.order in kept:
                continue
            turns += weighed.entry.turns
            size += weighed.size
            if turns > self._cap.turns or size > self._cap.size:
                break
            kept[weighed.entry.order] = weighed
        return [weighed.entry for weighed in kept.values()]
