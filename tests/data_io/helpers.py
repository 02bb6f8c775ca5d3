"""Short ways to write files and to read dialogues from them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evalharness.core.dialogue import Dialogue
from evalharness.data.dialogues import Read, ReadOptions, Rejected, read_dialogues

ASK = {"role": "user", "content": "hi"}
REPLY = {"role": "assistant", "content": "hello"}


def native(name: str | int | None = "d1", **fields: Any) -> dict[str, Any]:
    """A short native record."""
    row: dict[str, Any] = {"messages": [ASK, REPLY], **fields}
    return row if name is None else {"id": name, **row}


def put(path: Path, *records: Any) -> str:
    """Write records as JSON Lines; the path as text."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def reads(*sources: str, **options: Any) -> list[Read]:
    """The dialogues of the sources; fails where a record is rejected."""
    outcomes = list(read_dialogues(sources, ReadOptions(**options)))
    assert not [o.problem for o in outcomes if isinstance(o, Rejected)]
    return [o for o in outcomes if isinstance(o, Read)]


def one(path: Path, record: Any, **options: Any) -> Read:
    """The one dialogue of a file with one record."""
    (read,) = reads(put(path / "one.jsonl", record), **options)
    return read


def refused(path: Path, record: Any, **options: Any) -> str:
    """Why the one record is rejected."""
    (outcome,) = read_dialogues([put(path / "one.jsonl", record)], ReadOptions(**options))
    assert isinstance(outcome, Rejected)
    assert (outcome.problem.source, outcome.problem.line) == (str(path / "one.jsonl"), 1)
    return f"{outcome.problem.message} | {outcome.problem.fix or ''}"


def talk(dialogue: Dialogue) -> list[tuple[str, str]]:
    """Role and content of every message."""
    return [(message.role, message.content) for message in dialogue.messages]


def ids(found: Iterable[Read]) -> list[str]:
    """The ids of the dialogues."""
    return [read.dialogue.id for read in found]
