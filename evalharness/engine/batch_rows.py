"""Which row of a batch's results belongs to which request: every request is accounted for once.

Rows come in any order, in one or two files, and can be missing, doubled, unreadable, or of another batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from evalharness.llm.batches import Row
from evalharness.llm.bodies import MalformedBody

LONGEST_LINE = 64 << 20
"""Bytes of a line of results; a longer one counts as unreadable."""


@dataclass(slots=True)
class Reconciler:
    """Takes a batch's result lines and tells for each which place it answers, as long as the place has no better one.

    A row with an answer replaces one without; of two alike the first counts.
    """

    marker: str
    places: Collection[int]
    read: Callable[[bytes], Row]
    good: dict[int, bool] = field(default_factory=dict)
    duplicates: int = 0
    unknown: int = 0
    unreadable: int = 0

    def take(self, lines: Iterator[bytes | None]) -> Iterator[tuple[int, Row]]:
        """The rows that count, with the place of their request; a later one for the same place replaces the earlier."""
        for line in lines:
            row = self._read(line)
            if row is None:
                self.unreadable += 1
                continue
            place = self._place(row.custom_id)
            if place is None:
                self.unknown += 1
                continue
            answered = row.status == 200 and not row.never_run
            if place in self.good:
                self.duplicates += 1
                if self.good[place] or not answered:
                    continue
            self.good[place] = answered
            yield place, row

    @property
    def missing(self) -> list[int]:
        """The places that no row was about."""
        return sorted(set(self.places) - self.good.keys())

    def told(self) -> str:
        """What was odd about the rows, in words; empty when nothing was."""
        counts = {
            "without a row": len(self.missing),
            "doubled": self.duplicates,
            "of no request of ours": self.unknown,
            "unreadable": self.unreadable,
        }
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count)

    def _read(self, line: bytes | None) -> Row | None:
        if line is None:
            return None
        try:
            return self.read(line)
        except MalformedBody:
            return None

    def _place(self, custom_id: str) -> int | None:
        """The place that a custom id names, if it is one of this batch that waits for a row."""
        head, _, number = custom_id.rpartition("-")
        if head != self.marker or not number.isascii() or not number.isdigit() or len(number) > 9:
            return None
        return int(number) if int(number) in self.places and str(int(number)) == number else None


def custom_id(marker: str, place: int) -> str:
    """The id that a request has in a batch: the batch's marker and the request's place, from 0."""
    return f"{marker}-{place}"


def lines_of(file: BinaryIO, longest: int = LONGEST_LINE) -> Iterator[bytes | None]:
    """The lines that are not blank, None for one that is too long; never more than ``longest`` bytes in memory."""
    while True:
        line = file.readline(longest)
        if not line:
            return
        if len(line) < longest or line.endswith(b"\n"):
            if line.strip():
                yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(longest)
        yield None
