"""Choosing the dialogues that the page holds, in one pass and in memory bounded by what it may hold.

While everything fits, everything is kept. From then on four pools compete: dialogues with failures, with the lowest
values, with the widest disagreement between judges, and a random sample of all, which fills what the others leave.
Chance is a hash of the seed and the dialogue's id, so the choice does not depend on the order of the input.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from evalharness.core.canonical import sha256_text
from evalharness.report.html.columns import ColumnSet
from evalharness.report.html.entries import Entry, make_entry, reading_text
from evalharness.report.html.interest import Interest, Low, interest_of
from evalharness.report.html.island import PackedSize, island_json
from evalharness.report.html.joining import Joined

_LOWEST = 3


@dataclass(frozen=True, slots=True)
class Cap:
    """How much the page may hold: scored turns, and bytes of data in the file (estimated, within some percent)."""

    turns: int = 20_000
    size: int = 22_000_000
    seed: int = 0

    def share(self, part: float) -> Cap:
        """A part of both."""
        return Cap(int(self.turns * part), int(self.size * part), self.seed)


@dataclass(frozen=True, slots=True)
class Lowest:
    """One of the lowest items of the run, with the start of its text; ``low`` says which and how low."""

    dialogue: str
    text: str
    low: Low


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries that the page holds, in the order of the dialogues, and facts of the whole run: its dialogues, scored
    turns, items with a failure, items with evidence that was not found, and what is worth reading first."""

    entries: tuple[Entry, ...]
    dialogues: int
    turns: int
    failed: int = 0
    unfound: int = 0
    lowest: tuple[Lowest, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the page holds every dialogue."""
        return len(self.entries) == self.dialogues


@dataclass(frozen=True, slots=True)
class _Weighed:
    entry: Entry
    size: int


Rank = tuple[float, str]
"""How much a pool wants a dialogue, then chance: greater is wanted more."""


class _Pool:
    """The dialogues with the greatest ranks that fit together into a cap."""

    def __init__(self, cap: Cap) -> None:
        self._cap = cap
        self._heap: list[tuple[Rank, int, _Weighed]] = []
        self._turns = self._size = 0
        self._full = False

    def wants(self, rank: Rank) -> bool:
        """Whether a dialogue of this rank would be kept."""
        return not self._full or (bool(self._heap) and rank > self._heap[0][0])

    def push(self, rank: Rank, weighed: _Weighed) -> None:
        heapq.heappush(self._heap, (rank, weighed.entry.order, weighed))
        self._turns += weighed.entry.turns
        self._size += weighed.size
        while self._heap and (self._turns > self._cap.turns or self._size > self._cap.size):
            self._full = True
            dropped = heapq.heappop(self._heap)[2]
            self._turns -= dropped.entry.turns
            self._size -= dropped.size

    def ranked(self) -> list[_Weighed]:
        """What was kept, most wanted first."""
        return [weighed for _, _, weighed in sorted(self._heap, reverse=True)]


class Selector:
    """Takes dialogues one by one; :meth:`chosen` says what the page holds."""

    def __init__(self, columns: ColumnSet, cap: Cap) -> None:
        self._columns = columns
        self._cap = cap
        self._sizes = PackedSize()
        self._all: list[tuple[_Weighed, Interest, str]] | None = []
        self._dialogues = self._turns = self._failed = self._unfound = 0
        self._kept_turns = self._kept_size = 0
        self._lowest: list[tuple[float, str, Lowest]] = []
        self._pools = {
            "failures": _Pool(cap.share(0.2)),
            "worst": _Pool(cap.share(0.35)),
            "spread": _Pool(cap.share(0.15)),
            "sample": _Pool(cap),
        }

    def offer(self, joined: Joined) -> None:
        """Take a dialogue into account."""
        order = self._dialogues
        self._dialogues += 1
        self._turns += len({row.turn for row in joined.rows if row.turn is not None})
        interest = interest_of(joined, self._columns)
        self._failed += interest.failed
        self._unfound += interest.unfound
        chance = sha256_text(f"{self._cap.seed}:{joined.stored.body}")
        self._note_low(joined, interest.low, chance)
        if self._all is None and not self._wanted(interest, chance):
            return
        entry = make_entry(order, joined, self._columns)
        weighed = _Weighed(entry, self._sizes.of(entry.record) + len(island_json(entry.index)))
        if self._all is None:
            self._into_pools(weighed, interest, chance)
            return
        self._all.append((weighed, interest, chance))
        self._kept_turns += entry.turns
        self._kept_size += weighed.size
        if self._kept_turns > self._cap.turns or self._kept_size > self._cap.size:
            self._spill(self._all)

    def chosen(self) -> Chosen:
        """What the page holds of everything offered."""
        kept = [weighed for weighed, _, _ in self._all] if self._all is not None else self._from_pools()
        entries = sorted((weighed.entry for weighed in kept), key=lambda entry: entry.order)
        return Chosen(
            tuple(entries),
            self._dialogues,
            self._turns,
            self._failed,
            self._unfound,
            tuple(lowest for _, _, lowest in self._lowest),
        )

    def _note_low(self, joined: Joined, low: Low | None, chance: str) -> None:
        if (
            low is None
            or low.share == 1.0
            or (len(self._lowest) == _LOWEST and (low.share, chance) >= self._lowest[-1][:2])
        ):
            return
        name, text = reading_text(joined.stored.body, low.turn)
        insort(self._lowest, (low.share, chance, Lowest(name, text, low)), key=lambda known: known[:2])
        del self._lowest[_LOWEST:]

    def _spill(self, everything: Iterable[tuple[_Weighed, Interest, str]]) -> None:
        self._all = None
        for weighed, interest, chance in everything:
            self._into_pools(weighed, interest, chance)

    def _wanted(self, interest: Interest, chance: str) -> bool:
        return any(self._pools[name].wants(rank) for name, rank in _ranks(interest, chance))

    def _into_pools(self, weighed: _Weighed, interest: Interest, chance: str) -> None:
        for name, rank in _ranks(interest, chance):
            if self._pools[name].wants(rank):
                self._pools[name].push(rank, weighed)

    def _from_pools(self) -> list[_Weighed]:
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
        return list(kept.values())


def _ranks(interest: Interest, chance: str) -> Iterable[tuple[str, Rank]]:
    yield "sample", (0.0, chance)
    if interest.failed:
        yield "failures", (0.0, chance)
    if interest.low is not None:
        yield "worst", (1.0 - interest.low.share, chance)
    if interest.spread > 0:
        yield "spread", (interest.spread, chance)


def choose(joined: Iterable[Joined], columns: ColumnSet, cap: Cap) -> Chosen:
    """The dialogues that the page holds."""
    selector = Selector(columns, cap)
    for one in joined:
        selector.offer(one)
    return selector.chosen()


def chunks(entries: Iterable[Entry], size: int) -> Iterable[list[Entry]]:
    """Neighbouring entries in lists of about ``size`` characters of records."""
    rest = iter(entries)
    for first in rest:
        chunk, length = [first], len(first.record)
        while length < size and (more := next(islice(rest, 1), None)) is not None:
            chunk.append(more)
            length += len(more.record)
        yield chunk
