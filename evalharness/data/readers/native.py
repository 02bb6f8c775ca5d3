"""The native form: a chat with roles and contents, and what else is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.messages import read_messages
from evalharness.data.readers.parts import (
    Draft,
    documents,
    finished,
    keep_unknown,
    object_field,
    optional_text,
    record_id,
    tools,
)
from evalharness.data.reading import Read, Record, RecordError

MESSAGE_KEYS = ("messages", "turns", "conversation", "conversations", "dialogue", "dialog")
"""Names of the list of messages, in the order in which they are looked for."""

ID_KEYS = ("id", "dialogue_id", "conversation_id", "session_id")
"""Names of the id, in the order in which they are looked for."""

_KNOWN = frozenset((*MESSAGE_KEYS, *ID_KEYS, "group", "goal", "tools", "context", "metadata", "id_is_hash"))
_PLAIN = frozenset(("id", "messages", "turns"))


def message_key(value: dict[str, Any]) -> str | None:
    """The field that holds the list of messages, None when there is none."""
    return next((key for key in MESSAGE_KEYS if key in value), None)


def id_key(value: dict[str, Any]) -> str:
    """The field that holds the dialogue's id."""
    return next((key for key in ID_KEYS if value.get(key) is not None), "id")


class NativeReader(RecordReader):
    """One object per dialogue with ``messages`` (or ``turns``) of ``role`` and ``content``."""

    name = "native"
    looks_for = "a list 'messages' (or 'turns') of objects with 'role' and 'content'"

    def recognises(self, value: dict[str, Any]) -> bool:
        """A list of messages that are not in another dialect's shape (an empty list counts)."""
        key = message_key(value)
        items = value[key] if key else None
        if not isinstance(items, list):
            return False
        objects = [item for item in items if isinstance(item, dict)]
        if not objects:
            return not any(isinstance(item, str) for item in items)
        return any("role" in item or "content" in item for item in objects)

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The one dialogue of the record."""
        return (finished(draft(record), record),)


def draft(record: Record) -> Draft:
    """The parts of a dialogue in the native form; other dialects change the record and start from here."""
    value = record.value
    key = message_key(value)
    if key is None:
        raise RecordError(
            "there is no list of messages", "Name it 'messages', or map it: --map messages=FIELD."
        )
    notes: list[str] = []
    messages = read_messages(value[key], notes)
    if value.keys() <= _PLAIN:
        return Draft(messages, record_id(record), notes=notes)
    metadata = object_field(value, "metadata")
    name_key = id_key(value)
    keep_unknown(value, _KNOWN - _clashing(value, key, name_key), metadata, notes)
    return Draft(
        messages,
        id=record_id(record, name_key),
        group=optional_text(value, "group") or "",
        goal=optional_text(value, "goal"),
        tools=tools(value.get("tools")),
        context=documents(value.get("context")),
        metadata=metadata,
        notes=notes,
        id_is_hash=value.get("id_is_hash") is True,
    )


def _clashing(value: dict[str, Any], key: str, name_key: str) -> set[str]:
    """Second names of messages and id that stand beside the ones used: they are kept as metadata."""
    return {name for name in (*MESSAGE_KEYS, *ID_KEYS) if name in value and name not in (key, name_key)}
