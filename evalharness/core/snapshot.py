"""A run cut down to what a comparison needs: who was scored, with what, and the values. No dialogue text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from evalharness.core.scores import Column


@dataclass(frozen=True, slots=True)
class Subject:
    """A dialogue of a run.

    ``content`` is the hash of what it holds; ``source`` and ``line`` say where it is from; ``place`` is its position in
    the order in which the run got its dialogues, 0 where that is not known.
    """

    id: str
    group: str
    content: str
    source: str = ""
    line: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    place: int = 0

    def key(self, pair_by: str) -> str | None:
        """What the dialogue is paired by: its group, id, or a metadata value; None where it lacks that one."""
        if pair_by == "group":
            return self.group
        if pair_by == "dialogue":
            return self.id
        return self.metadata.get(pair_by.removeprefix("metadata."))


class Mark(NamedTuple):
    """One outcome on one item.

    ``subject`` is an index into the subjects; ``turn`` the message index and ``reply`` the reply number, both
    None for a whole dialogue; ``value`` None unless scored; ``status`` ``scored``, ``failed`` or ``skipped``;
    ``samples`` the single verdicts where several were asked (unusable ones left out).
    """

    subject: int
    turn: int | None
    reply: int | None
    value: float | None
    status: str
    samples: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """All outcomes in one column. ``items`` is how many there should be; fewer marks: the run is unfinished."""

    column: Column
    items: int
    marks: tuple[Mark, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """The column's name: scorer, rubric, criterion."""
        return (self.column.scorer, self.column.rubric, self.column.criterion)

    @property
    def without_verdict(self) -> int:
        """Items that failed or were never scored."""
        return self.items - len(self.marks) + sum(mark.status == "failed" for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a gate compares. ``created`` is an ISO date in UTC; ``partial`` says why a run is incomplete."""

    name: str
    created: str
    subjects: tuple[Subject, ...]
    series: tuple[Series, ...]
    partial: str | None = None
    toy_judges: tuple[str, ...] = ()

    def find(self, key: tuple[str, str, str]) -> Series | None:
        """The series of a column, if there is one."""
        return next((series for series in self.series if series.key == key), None)

    @property
    def groups(self) -> int:
        """How many groups the dialogues belong to."""
        return len({subject.group for subject in self.subjects})
