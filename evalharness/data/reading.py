"""What reading a file of dialogues gives: a dialogue with its origin, or a rejected record with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalharness.core.dialogue import Dialogue
from evalharness.core.labels import Label, PairLabel
from evalharness.errors import Problem

DEFAULT_MAX_LINE_BYTES = 16 << 20
"""Longest line, array element or table cell that is read: 16 MiB."""

RAW_LIMIT = 64 << 10
"""How much of a rejected record is kept, in bytes."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dialogue was read.

    ``source`` is the file as the user named it (``-`` for standard input); ``line`` counts from 1 and is the line of
    JSON Lines, the element of a JSON array, or the row of a table (the header row is not counted).
    """

    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Read:
    """A dialogue, where it stood, the ratings that the file holds about it, and what was remarkable in reading it."""

    dialogue: Dialogue
    origin: Origin
    labels: tuple[Label | PairLabel, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not a dialogue: the problem with its place, and the start of the record (at most 64 KiB)."""

    problem: Problem
    raw: bytes


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    ``format`` forces a dialect (``native``, ``openai`` …) or a container (``csv``, ``jsonl`` …). ``map`` names, for
    one of our fields, the field of the file that holds it (``{"id": "session_id"}``; dots descend). ``set`` adds
    metadata to every dialogue. ``references`` is a second file with known good replies.
    """

    format: str | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)
    references: str | None = None
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES


@dataclass(frozen=True, slots=True)
class Record:
    """One parsed record of a file, before any dialect is applied; ``raw`` is empty for the row of a table."""

    source: str
    line: int
    value: dict[str, Any]
    raw: bytes
    notes: tuple[str, ...] = ()


class RecordError(Exception):
    """A record that can't be used: ``message`` says what was found, ``fix`` what to write instead."""

    def __init__(self, message: str, fix: str | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.column = column

    def rejected(self, source: str, line: int, raw: bytes) -> Rejected:
        """The rejected record, with at most :data:`RAW_LIMIT` bytes of it."""
        return Rejected(Problem(self.message, source, line, self.column, self.fix), raw[:RAW_LIMIT])

    def rejecting(self, record: Record) -> Rejected:
        """A parsed record rejected; the row of a table is kept as JSON."""
        raw = record.raw or json.dumps(record.value).encode()
        return self.rejected(record.source, record.line, raw)


@dataclass(slots=True)
class FileTally:
    """What was seen of one file, filled while it is read; ``dialect`` and ``container`` name its form."""

    source: str
    dialect: str = ""
    container: str = ""
    records: int = 0
    blank_lines: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Tally:
    """Counts that belong to no single dialogue; complete once the reading is.

    ``unplaced_ratings`` counts votes about dialogues that are not in the files, ``unused_references`` entries of the
    reference file whose dialogue did not come up; ``first_unused_reference`` says where one of these stands.
    """

    files: list[FileTally] = field(default_factory=list)
    unplaced_ratings: int = 0
    references_used: int = 0
    unused_references: int = 0
    first_unused_reference: str | None = None
