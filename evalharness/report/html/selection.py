"""Choosing the dialogues that the page holds, in one pass and in memory bounded by what it may hold.

While everything fits, everything is kept; from then on pools of the most telling dialogues compete (see ``pool``).
Chance is a hash of the seed and the dialogue, so the choice depends neither on the order of the input nor on the run.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from evalharness.core.canonical import sha256_text
from evalharness.report.html.columns import ColumnSet
from evalharness.report.html.entries import NO_MARKS, Entry, Flag, Marks, make_entry, reading_text
from evalharness.report.html.interest import Interest, Low, interest_of
from evalharness.report.html.island import PackedSize
from evalharness.report.html.joining import Joined
from evalharness.report.html.pool import Cap, Pools, Rank, Weighed

_SURE = 0.7
"""A part of the cap that plain texts may take without being measured: packing never makes them a third longer."""

_LOWEST = 3


@dataclass(frozen=True, slots=True)
class Lowest:
    """One of the lowest items of the run, with the start of its text; ``low`` says which and how low."""

    dialogue: str
    text: str
    low: Low


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries that the page holds, in the order of the dialogues, how many there are, and in how many hidden
    characters stand; and facts of the whole run: its dialogues, scored turns, items with a failure, with evidence that
    was not found and with an unsure verdict, and what is worth reading first."""

    entries: tuple[Entry, ...]
    held: int
    hidden: int
    dialogues: int
    turns: int
    failed: int = 0
    unfound: int = 0
    uncertain: int = 0
    lowest: tuple[Lowest, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the page holds every dialogue."""
        return self.held == self.dialogues


class _Everything:
    """All entries so far, as long as they fit."""

    def __init__(self, cap: Cap) -> None:
        self._cap = cap
        self._rows, self._records = PackedSize(), PackedSize()
        self._turns = self._plain = self._packed = 0
        self._kept: list[tuple[Entry, dict[str, Rank]]] = []
        self._measured: list[int] = []

    def add(self, entry: Entry, ranks: dict[str, Rank]) -> bool:
        """Keep an entry; whether all still fit."""
        self._kept.append((entry, ranks))
        self._turns += entry.turns
        self._plain += entry.plain_size
        if self._plain > self._cap.size * _SURE:
            self._measure()
        return self._turns <= self._cap.turns and self._packed <= self._cap.size

    def size_of(self, entry: Entry) -> int:
        """Bytes that an entry takes in the file."""
        return self._rows.of(entry.index) + self._records.of(entry.record)

    def into(self, pools: Pools) -> None:
        """Hand all entries over."""
        self._measure()
        for (entry, ranks), size in zip(self._kept, self._measured, strict=True):
            pools.push(ranks, Weighed(entry, size))
        self._kept.clear()

    def entries(self) -> list[Entry]:
        """The entries."""
        return [entry for entry, _ in self._kept]

    def _measure(self) -> None:
        for entry, _ in self._kept[len(self._measured) :]:
            self._measured.append(self.size_of(entry))
            self._packed += self._measured[-1]


class Selector:
    """Takes dialogues one by one; :meth:`chosen` says what the page holds."""

    def __init__(self, columns: ColumnSet, cap: Cap, marks: Marks = NO_MARKS) -> None:
        self._columns = columns
        self._marks = marks
        self._marked = frozenset(name for items in marks.values() for name, _ in items)
        self._seed = cap.seed
        self._all = _Everything(cap)
        self._pools = Pools(cap)
        self._overflown = False
        self._dialogues = self._turns = self._failed = self._unfound = self._uncertain = 0
        self._lowest: list[tuple[float, str, Lowest]] = []

    def offer(self, joined: Joined) -> None:
        """Take a dialogue into account."""
        order = self._dialogues
        interest = interest_of(joined, self._columns)
        self._count(joined, interest)
        chance = sha256_text(f"{self._seed}:{joined.stored.body}")
        self._note_low(joined, interest.low, chance)
        ranks = _ranks(interest, chance)
        if joined.rows and joined.rows[0].dialogue in self._marked:
            ranks["marked"] = (0.0, chance)
        if self._overflown:
            if self._pools.wants(ranks):
                entry = make_entry(order, joined, self._columns, self._marks)
                self._pools.push(ranks, Weighed(entry, self._all.size_of(entry)))
        elif not self._all.add(make_entry(order, joined, self._columns, self._marks), ranks):
            self._all.into(self._pools)
            self._overflown = True

    def chosen(self) -> Chosen:
        """What the page holds of everything offered."""
        entries = self._pools.entries() if self._overflown else self._all.entries()
        return Chosen(
            tuple(sorted(entries, key=lambda entry: entry.order)),
            len(entries),
            sum(Flag.INVISIBLE in entry.flags for entry in entries),
            self._dialogues,
            self._turns,
            self._failed,
            self._unfound,
            self._uncertain,
            tuple(lowest for _, _, lowest in self._lowest),
        )

    def _count(self, joined: Joined, interest: Interest) -> None:
        self._dialogues += 1
        self._turns += len({row.turn for row in joined.rows if row.turn is not None})
        self._failed += interest.failed
        self._unfound += interest.unfound
        self._uncertain += interest.uncertain

    def _note_low(self, joined: Joined, low: Low | None, chance: str) -> None:
        if low is None or low.share == 1.0:
            return
        if len(self._lowest) == _LOWEST and (low.share, chance) >= self._lowest[-1][:2]:
            return
        name, text = reading_text(joined.stored.body, low.turn)
        insort(self._lowest, (low.share, chance, Lowest(name, text, low)), key=lambda known: known[:2])
        del self._lowest[_LOWEST:]


def _ranks(interest: Interest, chance: str) -> dict[str, Rank]:
    ranks: dict[str, Rank] = {"sample": (0.0, chance)}
    if interest.failed:
        ranks["failures"] = (0.0, chance)
    if interest.low is not None:
        ranks["lowest"] = (1.0 - interest.low.share, chance)
    if interest.spread > 0:
        ranks["spread"] = (interest.spread, chance)
    return ranks
