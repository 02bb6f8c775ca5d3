"""References from a second file, joined to the dialogues by id and turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from evalharness.core.dialogue import Dialogue, Message
from evalharness.data import strictjson
from evalharness.data.readers.parts import record_id, texts
from evalharness.data.reading import FileTally, Read, Record, RecordError, Rejected, Tally
from evalharness.data.records import file_records
from evalharness.data.spool import private_table
from evalharness.data.turnref import turn_index
from evalharness.data.words import json_kind, quoted
from evalharness.errors import InputError, Problem

_MAX_PROBLEMS = 20
_DIALOGUE_KEYS = ("dialogue", "dialogue_id", "id")


def open_references(source: str, limit: int) -> References:
    """The references of a JSON Lines, JSON or CSV file, kept on disk where they are many.

    Each record has ``dialogue``, ``turn`` (index, message id or ``reply N``; may be absent where the dialogue has one
    reply) and ``reference`` or ``references``. Raises ``InputError`` with all faults of the file.
    """
    references = References(source)
    problems: list[Problem] = []
    counts = FileTally(source)
    for item in file_records(source, None, limit, counts):
        problem = item.problem if isinstance(item, Rejected) else _added(references, item)
        if problem is not None:
            problems.append(problem)
        if len(problems) >= _MAX_PROBLEMS:
            break
    if not counts.records:
        problems.append(Problem("there are no references: the file is empty", source))
    if problems:
        references.close()
        raise InputError(problems)
    return references


def _added(references: References, record: Record) -> Problem | None:
    try:
        references.add(record)
    except RecordError as error:
        return error.rejecting(record).problem
    return None


class References:
    """References by dialogue; :meth:`joined` puts them into the dialogues."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._table = private_table(
            "CREATE TABLE refs(serial INTEGER PRIMARY KEY, dialogue TEXT, line INTEGER, turn TEXT, texts TEXT, "
            "used INTEGER DEFAULT 0)"
        )
        self._table.execute("CREATE INDEX by_dialogue ON refs(dialogue)")

    def add(self, record: Record) -> None:
        """Keep the references of one record."""
        key = next((key for key in _DIALOGUE_KEYS if record.value.get(key) not in (None, "")), None)
        name = record_id(record, key) if key else None
        if name is None:
            raise RecordError("there is no 'dialogue' that says whose reference this is")
        found = texts(_listed(record.value), "references")
        if not found:
            raise RecordError("there is neither 'reference' nor 'references'")
        row = (name, record.line, json.dumps(_turn(record.value)), json.dumps(found))
        self._table.execute("INSERT INTO refs(dialogue, line, turn, texts) VALUES (?, ?, ?, ?)", row)

    def joined(self, outcomes: Iterator[Read | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The outcomes with references added; a dialogue whose reference names no reply of it is rejected.

        References of dialogues that did not come up are counted in ``tally`` at the end.
        """
        for outcome in outcomes:
            yield self._with_references(outcome, tally) if isinstance(outcome, Read) else outcome
        count, line = self._table.execute("SELECT count(*), min(line) FROM refs WHERE NOT used").fetchone()
        tally.unused_references = count
        tally.first_unused_reference = f"{self._source}:{line}" if count else None

    def close(self) -> None:
        """Delete the table."""
        self._table.close()

    def _with_references(self, read: Read, tally: Tally) -> Read | Rejected:
        name = read.dialogue.id
        query = "SELECT line, turn, texts FROM refs WHERE dialogue = ? ORDER BY serial"
        rows = self._table.execute(query, (name,)).fetchall()
        if not rows:
            return read
        messages = list(read.dialogue.messages)
        for line, turn, found in rows:
            try:
                index = _reply_index(read.dialogue, json.loads(turn))
            except RecordError as error:
                return error.rejected(self._source, line, json.dumps([name, json.loads(turn)]).encode())
            messages[index] = _extended(messages[index], json.loads(found))
        self._table.execute("UPDATE refs SET used = 1 WHERE dialogue = ?", (name,))
        tally.references_used += len(rows)
        return replace(read, dialogue=replace(read.dialogue, messages=tuple(messages)))


def _listed(value: dict[str, Any]) -> Any:
    """The field with the texts; a CSV cell may hold a JSON list."""
    found = value.get("references", value.get("reference"))
    if isinstance(found, str) and found.lstrip().startswith("["):
        try:
            parsed, _ = strictjson.loads_scrubbed(found)
        except strictjson.JsonError:
            return found
        return parsed if isinstance(parsed, list) else found
    return found


def _turn(value: dict[str, Any]) -> int | str | None:
    turn = value.get("turn")
    if turn is None or turn == "":
        return None
    if type(turn) not in (int, str):
        raise RecordError(f"'turn' is {json_kind(turn)}", "Write an index, a message id, or 'reply N'.")
    return turn  # type: ignore[no-any-return]


def _reply_index(dialogue: Dialogue, turn: int | str | None) -> int:
    if turn is None:
        own = dialogue.assistant_turns()
        if len(own) != 1:
            raise RecordError(f"dialogue {quoted(dialogue.id)} has {len(own)} replies: say which by 'turn'")
        return own[0]
    index = turn_index(dialogue, turn)
    role = dialogue.messages[index].role
    if role != "assistant":
        raise RecordError(f"message {index} of dialogue {quoted(dialogue.id)} is the {role}'s, not a reply")
    return index


def _extended(message: Message, found: Sequence[str]) -> Message:
    return replace(message, references=(*message.references, *found))
