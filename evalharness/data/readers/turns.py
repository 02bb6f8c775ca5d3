"""Tables of turns: one row for each message, or for each exchange of a user text and a reply."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from evalharness.core.canonical import Json
from evalharness.data import strictjson
from evalharness.data.readers import native
from evalharness.data.readers.messages import read_messages
from evalharness.data.readers.parts import Draft, finished, optional_text, record_id, tools
from evalharness.data.reading import Read, Record, RecordError, Rejected, Tally
from evalharness.data.spool import Groups

_ROLE = ("role", "speaker", "author", "from")
_CONTENT = ("content", "text", "message", "utterance", "value")
_ORDER = ("turn", "turn_index", "turn_id", "index", "position")
_DIALOGUE = ("dialogue_id", "conversation_id", "session_id", "dialogue", "id")
_EXCHANGE = ("user", "assistant")
_PARTS = ("references", "context", "given", "name", "tool_calls", "tool_call_id", "message_id")
_FIELDS = ("group", "goal", "tools")
_JSON_CELLS = frozenset(("references", "context", "tool_calls", "tools", "metadata"))
_EMPTY = ("", None)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the columns of a table are for; every other one is metadata."""

    role: str | None
    content: str | None
    order: str | None
    dialogue: str | None
    exchange: bool
    own: frozenset[str]


@lru_cache(maxsize=64)
def _columns(names: tuple[str, ...]) -> _Columns:
    role, content, order, dialogue = (_among(names, known) for known in (_ROLE, _CONTENT, _ORDER, _DIALOGUE))
    exchange = all(name in names for name in _EXCHANGE)
    used = [name for name in (role, content, order, dialogue) if name]
    own = frozenset(("id", *_PARTS, *_FIELDS, *used, *(_EXCHANGE if exchange else ())))
    return _Columns(role, content, order, dialogue, exchange, own)


def _among(names: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    return next((name for name in known if name in names), None)


def _columns_of(value: Mapping[str, Any]) -> _Columns:
    return _columns(tuple(value))


class TurnsReader:
    """Rows become messages; those of one dialogue may stand anywhere, a turn column orders them where there is one.

    A column that says the same in all rows of a dialogue is metadata of the dialogue, any other of the message.
    """

    name = "turns"
    looks_for = "columns 'role' and 'content' (or 'user' and 'assistant'), and the dialogue's id"
    joint = False

    def recognises(self, value: dict[str, Any]) -> bool:
        """Role and content, or both texts of an exchange, in one flat row."""
        if any(isinstance(value.get(name), list) for name in native.MESSAGE_KEYS):
            return False
        columns = _columns_of(value)
        return columns.exchange or (bool(columns.content) and isinstance(value.get(columns.role or ""), str))

    def read(self, records: Iterator[Record | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The dialogues, in the order of their first rows; all rows are read before the first is given."""
        del tally  # every count belongs to a dialogue
        with closing(Groups()) as groups:
            for record in records:
                if isinstance(record, Rejected):
                    yield record
                    continue
                try:
                    groups.add(_key(record), _packed(record))
                except RecordError as error:
                    yield error.rejecting(record)
            for payloads in groups.groups():
                rows = [_unpacked(payload) for payload in payloads]
                try:
                    yield _dialogue(rows)
                except RecordError as error:
                    yield error.rejecting(rows[0])


def _key(record: Record) -> str:
    """The dialogue that a row belongs to; a row of an exchange without an id is a dialogue of its own."""
    columns = _columns_of(record.value)
    key = record_id(record, columns.dialogue) if columns.dialogue else None
    if key is not None:
        return f"id {key}"
    if columns.exchange:
        return f"row {record.line}"
    fix = "Name the column that tells the dialogue: --map id=COLUMN."
    raise RecordError("the row does not say which dialogue it belongs to", fix)


def _packed(record: Record) -> bytes:
    return json.dumps((record.source, record.line, record.value, record.notes)).encode()


def _unpacked(payload: bytes) -> Record:
    source, line, value, notes = json.loads(payload)
    return Record(source, line, value, b"", tuple(notes))


def _dialogue(rows: list[Record]) -> Read:
    columns = _columns_of(rows[0].value)
    rows = _ordered(rows, columns.order)
    first = rows[0].value
    shared = _shared([row.value for row in rows], columns)
    notes = [note for row in rows for note in row.notes]
    items = [item for row in rows for item in _items(row, shared)]
    for name in _FIELDS:
        if any(row.value.get(name) != first.get(name) for row in rows):
            raise RecordError(f"the rows of the dialogue differ in {name!r}")
    draft = Draft(
        read_messages(items, notes),
        id=record_id(rows[0], columns.dialogue) if columns.dialogue else None,
        group=optional_text(first, "group") or "",
        goal=optional_text(first, "goal") or None,
        tools=tools(_parsed("tools", first.get("tools")) or None),
        metadata=_lifted(shared),
        notes=notes,
    )
    return finished(draft, rows[0])


def _ordered(rows: list[Record], column: str | None) -> list[Record]:
    """The rows by their turn numbers where they have them, else as they stand."""
    if column is None:
        return rows
    placed = [(_number(row, column), row) for row in rows]
    if len({number for number, _ in placed}) < len(rows):
        raise RecordError(f"two rows of the dialogue have the same {column!r}")
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _number(row: Record, column: str) -> float:
    value: Any = row.value.get(column)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RecordError(f"line {row.line}: {column!r} is not a number")
    return number


def _shared(rows: list[dict[str, Any]], columns: _Columns) -> dict[str, Json]:
    """Metadata columns that say the same in every row, without empty cells."""
    return {
        key: cell
        for key, cell in rows[0].items()
        if key not in columns.own and cell not in _EMPTY and all(row.get(key) == cell for row in rows)
    }


def _items(row: Record, shared: Mapping[str, Json]) -> Iterable[dict[str, Any]]:
    """The messages of a row in the form of a chat."""
    value = row.value
    columns = _columns_of(value)
    reply = _message_cells(row, columns)
    metadata = {
        key: cell
        for key, cell in value.items()
        if key not in columns.own and key not in shared and cell not in _EMPTY
    }
    if metadata:
        reply["metadata"] = _lifted(metadata)
    if not columns.exchange:
        reply.update(role=value.get(columns.role or ""), content=value.get(columns.content or ""))
        return (reply,)
    reply.update(role="assistant", content=value["assistant"])
    asked = {"role": "user", "content": value["user"]}
    return (asked, reply) if value["user"] not in _EMPTY else (reply,)


def _lifted(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata with the content of a ``metadata`` column beside that of the other columns."""
    inner = _parsed("metadata", metadata.get("metadata"))
    if not isinstance(inner, dict):
        return metadata
    return {**inner, **{key: value for key, value in metadata.items() if key != "metadata"}}


def _message_cells(row: Record, columns: _Columns) -> dict[str, Any]:
    """The parts of a message that have cells of their own, empty ones left out."""
    cells = {name: _parsed(name, row.value[name]) for name in _PARTS if row.value.get(name) not in _EMPTY}
    if "id" in row.value and columns.dialogue != "id":
        cells.setdefault("message_id", row.value["id"])
    if "message_id" in cells:
        cells["id"] = cells.pop("message_id")
    if "given" in cells:
        cells["given"] = _flag(row, cells["given"])
    return cells


def _parsed(key: str, cell: Any) -> Any:
    """A cell that holds JSON as its value; any other text stays as it is."""
    if key not in _JSON_CELLS or not isinstance(cell, str) or not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        return strictjson.loads_scrubbed(cell)[0]
    except strictjson.JsonError:
        return cell


def _flag(row: Record, cell: Any) -> bool:
    word = str(cell).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise RecordError(f"line {row.line}: 'given' is {word[:20]!r}", "Write true or false.")
