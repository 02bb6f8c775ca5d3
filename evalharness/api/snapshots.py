"""From a run folder or a baseline file to the :class:`Snapshot` that a gate compares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalharness.api.analysing import planned_columns
from evalharness.api.folder import RunFolder, open_run
from evalharness.core.canonical import Json
from evalharness.core.dialogue import TurnChoice, Unit
from evalharness.core.scores import Result, Score, status_of
from evalharness.core.snapshot import Mark, Series, Snapshot, Subject
from evalharness.data.baselines import read_baseline
from evalharness.data.ledger.rows import digest
from evalharness.data.ledger.store import Ledger, StoredDialogue
from evalharness.errors import UsageError

_LONGEST = 200
"""Metadata values longer than this are texts rather than names, and are left out."""


def load_snapshot(path: Path) -> Snapshot:
    """The snapshot of a run folder, or of the baseline file at ``path``."""
    if path.is_dir():
        with open_run(path) as (folder, ledger):
            return snapshot_of(ledger, path.name or str(path), _created(folder))
    if not path.exists():
        raise UsageError(f"there is no run folder or baseline file {path}", fix="Name what `score` wrote.")
    return read_baseline(path)


def snapshot_of(ledger: Ledger, name: str, created: str) -> Snapshot:
    """The snapshot of a ledger: the scorers that the run's plan names, dialogues by group and id."""
    columns = planned_columns(ledger)
    turns = TurnChoice(str(ledger.get("turns") or TurnChoice.ALL.value))
    subjects, replies, scored_turns = _subjects(ledger, turns)
    index = {subject.id: number for number, subject in enumerate(subjects)}
    marks: dict[tuple[int, int], list[Mark]] = {
        (scorer, place): [] for scorer, group in columns.items() for place in range(len(group))
    }
    for row in ledger.outcomes(columns):
        subject = index[row.dialogue]
        reply = None if row.turn is None else replies[subject].get(row.turn, 0)
        for place, result in enumerate(row.results):
            marks[row.scorer, place].append(_mark(subject, row.turn, reply, result))
    series = tuple(
        Series(
            column,
            len(subjects) if column.unit is Unit.DIALOGUE else scored_turns,
            tuple(marks[scorer, place]),
        )
        for scorer, group in columns.items()
        for place, column in enumerate(group)
    )
    partial, toys = ledger.get("partial"), ledger.get("toy_judges")
    return Snapshot(
        name=name,
        created=created,
        subjects=tuple(subjects),
        series=series,
        partial=partial if isinstance(partial, str) else None,
        toy_judges=tuple(str(toy) for toy in toys) if isinstance(toys, list) else (),
    )


def _subjects(ledger: Ledger, turns: TurnChoice) -> tuple[list[Subject], list[dict[int, int]], int]:
    """Dialogues by group and id, the reply number of every assistant turn of each, and how many turns are scored."""
    subjects: list[Subject] = []
    replies: list[dict[int, int]] = []
    scored = 0
    for stored in ledger.sorted_dialogues():
        body = json.loads(stored.body)
        subjects.append(_subject(stored, body))
        spoken = [place for place, message in enumerate(body["messages"]) if message["role"] == "assistant"]
        replies.append({turn: number for number, turn in enumerate(spoken, start=1)})
        scored += _scored_turns(body["messages"], turns)
    return subjects, replies, scored


def _subject(stored: StoredDialogue, body: Mapping[str, Any]) -> Subject:
    metadata = {key: _name(value) for key, value in body.get("metadata", {}).items() if _is_name(value)}
    return Subject(
        id=body["id"],
        group=body.get("group") or body["id"],
        content=digest(stored.body),
        source=stored.source,
        line=stored.line,
        metadata=metadata,
        place=stored.seq,
    )


def _scored_turns(messages: Sequence[Mapping[str, Any]], turns: TurnChoice) -> int:
    own = [message for message in messages if message["role"] == "assistant" and not message.get("given")]
    if turns is TurnChoice.LAST:
        return min(1, len(own))
    if turns is TurnChoice.REFERENCED:
        return sum(bool(message.get("references")) for message in own)
    return len(own)


def _mark(subject: int, turn: int | None, reply: int | None, result: Result) -> Mark:
    if not isinstance(result, Score):
        return Mark(subject, turn, reply, None, status_of(result))
    if isinstance(result.value, str):
        return Mark(subject, turn, reply, None, "scored")
    samples = tuple(float(part) for part in result.samples if isinstance(part, int | float))
    return Mark(subject, turn, reply, float(result.value), "scored", samples)


def _is_name(value: Json) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _LONGEST)


def _name(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _created(folder: RunFolder) -> str:
    """When the run's reports were last written, to the second, in UTC."""
    path = next(path for path in (folder.report, folder.ledger) if path.exists())
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
