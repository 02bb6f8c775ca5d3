"""Masking on the way in: dialogues are stored, scored, sent and reported as they are masked here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from evalharness.core.canonical import Json
from evalharness.core.redaction.detect import Pattern, findings
from evalharness.core.redaction.redactor import Redactor, Scope
from evalharness.data.dialogues import Read, Rejected
from evalharness.data.files import atomic
from evalharness.data.ledger.store import Ledger
from evalharness.engine.plan import REDACT
from evalharness.errors import RunConflictError, UsageError
from evalharness.report.console import masked_line

_COUNTED = "redaction"
_ID_NOTE = "the id looks like personal data or a secret; ids are not masked"


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is masked, and the file (if any) that says what stood behind each placeholder."""

    redactor: Redactor = field(default_factory=Redactor)
    map_file: Path | None = None

    @classmethod
    def of(cls, patterns: tuple[Pattern, ...], map_file: Path | None = None) -> Redaction:
        """With patterns of the user's own; two of one name are a :class:`UsageError`."""
        names = Counter(pattern.name for pattern in patterns)
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise UsageError(f"--redact-pattern {twice} is given twice", fix="Join them: A=one|other")
        return cls(Redactor(patterns), map_file)


class Masking:
    """Masks the rows of one reading and counts what it masked."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._counts: Counter[str] = Counter()
        self._dialogues = 0

    @property
    def facts(self) -> dict[str, Json]:
        """What the run keeps: dialogues with something masked, and how often each kind was."""
        return {"dialogues": self._dialogues, "masked": dict(sorted(self._counts.items()))}

    @property
    def words(self) -> str:
        """What was masked, in a line."""
        return masked_line(sorted(self._counts.items()))

    def rows(self, rows: Iterator[Read | Rejected]) -> Iterator[Read | Rejected]:
        """The rows with everything masked; the map is written when the last one was read."""
        if self._redaction.map_file is None:
            yield from (self._row(row, None) for row in rows)
            return
        with atomic(self._redaction.map_file) as out:
            yield from (self._row(row, out) for row in rows)

    def _row(self, row: Read | Rejected, out: IO[str] | None) -> Read | Rejected:
        redactor = self._redaction.redactor
        if isinstance(row, Rejected):
            text = redactor.text_scope().text
            raw = text(row.raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            return Rejected(replace(row.problem, message=text(row.problem.message)), raw)
        scope = redactor.scope(row.dialogue)
        self._counts += scope.counts
        self._dialogues += bool(scope.counts)
        if out is not None:
            out.writelines(_map_lines(row.dialogue.id, scope))
        notes = (*row.notes, _ID_NOTE) if findings(row.dialogue.id, redactor.patterns) else row.notes
        return replace(row, dialogue=scope.dialogue, notes=notes)


def _map_lines(dialogue: str, scope: Scope) -> Iterator[str]:
    for text, placeholder in scope.placeholders.items():
        yield (
            json.dumps({"dialogue": dialogue, "placeholder": placeholder, "text": text}, ensure_ascii=True)
            + "\n"
        )


def check_not_added(stored: Json, wanted: Json, folder: str) -> None:
    """A folder that holds dialogues masked otherwise can't follow: SQLite keeps what was deleted for a while."""
    if isinstance(stored, dict) and stored.get(REDACT) != wanted:
        raise RunConflictError(
            f"{folder} holds dialogues that were masked otherwise or not at all", fix="Use another --out."
        )


def keep_counts(ledger: Ledger, facts: dict[str, Json]) -> None:
    """Store what was masked, for reports."""
    ledger.set(_COUNTED, facts)


def counts_of(ledger: Ledger) -> tuple[int, tuple[tuple[str, int], ...]] | None:
    """Dialogues with something masked and how often each kind was; None for a run without masking."""
    facts = ledger.get(_COUNTED)
    if not isinstance(facts, dict):
        return None
    masked = facts.get("masked")
    pairs = masked.items() if isinstance(masked, dict) else ()
    return int(str(facts.get("dialogues", 0))), tuple((kind, int(str(count))) for kind, count in pairs)
