"""Streaming dialogues into the ledger, and on a resume checking that they are still the same.

Everything is read before anything is paid for: bad lines, equal ids and changed input stop a run at its start.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from evalharness.core import native
from evalharness.core.canonical import Json, canonical_json
from evalharness.data.dialogues import Read, Rejected
from evalharness.data.files import atomic
from evalharness.data.ledger.rows import dialogue_hash
from evalharness.data.ledger.store import Ledger
from evalharness.engine.shards import Whole
from evalharness.errors import InputError, Problem, RunConflictError, StorageError

_BLOCK = 2_000
_MOST_PROBLEMS = 50
_INGESTED = "ingested"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What was read: dialogues kept, lines set aside, and how often each note came up."""

    dialogues: int
    rejected: int
    notes: tuple[tuple[str, int], ...]
    sources: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """The form that the manifest keeps."""
        return {
            "dialogues": self.dialogues,
            "rejected": self.rejected,
            "notes": [[note, count] for note, count in self.notes],
            "sources": list(self.sources),
        }


def ingest(
    ledger: Ledger,
    rows: Iterable[Read | Rejected],
    rejects: Path,
    *,
    skip_bad: bool,
    update: bool,
    whole: Whole | None = None,
) -> Ingested:
    """Read every row into the ledger, or check it against what the ledger holds from an earlier start.

    Bad rows are an :class:`InputError` naming the first 50 of them; with ``skip_bad`` they go to ``rejects`` instead
    and are counted. Changed input is a :class:`RunConflictError` naming the first difference; with ``update`` the
    ledger follows the input, and unchanged dialogues keep their outcomes. No dialogue at all is an :class:`InputError`,
    unless the rows are a piece of a ``whole`` that has some.
    """
    first_time = ledger.get(_INGESTED) is None
    with ExitStack() as stack:
        keeper = _Keeper(rejects, skip_bad, stack)
        good = keeper.good(rows)
        if first_time:
            _store(ledger, good)
        elif update:
            _follow(ledger, good)
        else:
            _compare(ledger, good)
        keeper.finish()
        if ledger.dialogue_count() == 0 and (whole is None or whole.dialogues == 0):
            raise InputError(
                "there is no dialogue in the input", fix="An empty input has no quality to report."
            )
        summary = keeper.summary(ledger.dialogue_count())
    ledger.set(_INGESTED, summary.to_json())
    return summary


class _Keeper:
    """Sorts rows into good ones and rejects, and counts what is worth knowing."""

    def __init__(self, rejects: Path, skip_bad: bool, stack: ExitStack) -> None:
        self._path = rejects
        self._skip_bad = skip_bad
        self._stack = stack
        self._out: IO[str] | None = None
        self._problems: list[Problem] = []
        self._bad = 0
        self._notes: Counter[str] = Counter()
        self._sources: dict[str, None] = {}

    def good(self, rows: Iterable[Read | Rejected]) -> Iterator[Read]:
        for row in rows:
            if isinstance(row, Rejected):
                self._reject(row)
            else:
                self._notes.update(row.notes)
                self._sources.setdefault(row.origin.source)
                yield row

    def finish(self) -> None:
        """Raise what was wrong, unless bad rows are set aside."""
        if self._problems and not self._skip_bad:
            more = self._bad - len(self._problems)
            listed = [*self._problems]
            if more:
                listed.append(Problem(f"… and {more} more bad lines"))
            listed.append(
                Problem(
                    "nothing was scored", fix="Mend these lines, or set them aside with --skip-bad-lines."
                )
            )
            raise InputError(listed)

    def summary(self, dialogues: int) -> Ingested:
        return Ingested(dialogues, self._bad, tuple(sorted(self._notes.items())), tuple(self._sources))

    def _reject(self, row: Rejected) -> None:
        self._bad += 1
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(row.problem)
        if self._skip_bad:
            if self._out is None:
                self._out = self._stack.enter_context(atomic(self._path))
            self._out.write(_reject_line(row))


def _reject_line(row: Rejected) -> str:
    problem = row.problem
    entry = {
        "source": problem.source,
        "line": problem.line,
        "problem": problem.message,
        "raw": row.raw.decode("utf-8", "backslashreplace"),
    }
    return json.dumps(entry, ensure_ascii=True) + "\n"


def _store(ledger: Ledger, rows: Iterator[Read]) -> None:
    with ledger.transaction():
        ledger.clear_dialogues()
    while block := list(islice(rows, _BLOCK)):
        with ledger.transaction():
            for row in block:
                ledger.add_dialogue(row.dialogue, row.origin.source, row.origin.line)


def _compare(ledger: Ledger, rows: Iterator[Read]) -> None:
    seen = 0
    for row in rows:
        seen += 1
        stored = ledger.stored_hash(row.dialogue.id)
        if stored is None:
            raise _changed(f"dialogue {row.dialogue.id!r} is new", row)
        if stored != _hash(row):
            raise _changed(f"dialogue {row.dialogue.id!r} has changed", row)
    missing = ledger.dialogue_count() - seen
    if missing > 0:
        raise _changed(f"{missing} dialogues of the run are no longer in the input", None)
    if missing < 0:
        raise StorageError(
            f"{ledger.path} is damaged: {-missing} dialogues that its index has are gone",
            fix="Restore the run folder from a copy, or start a new one.",
        )


def _follow(ledger: Ledger, rows: Iterator[Read]) -> None:
    with ledger.transaction():
        ledger.begin_follow()
        for row in rows:
            ledger.follow_dialogue(row.dialogue, row.origin.source, row.origin.line)
        ledger.end_follow()


def _hash(row: Read) -> str:
    return dialogue_hash(row.dialogue, canonical_json(native.to_json(row.dialogue)))


def _changed(what: str, row: Read | None) -> RunConflictError:
    return RunConflictError(
        Problem(
            f"the input is not what this run folder was made from: {what}",
            None if row is None else row.origin.source,
            None if row is None else row.origin.line,
            fix="Use another --out, or --update to keep what is unchanged and score the rest.",
        )
    )
