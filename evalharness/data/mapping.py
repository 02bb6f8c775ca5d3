"""Field names of a user's file put in the place of ours: ``--map id=session_id``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from evalharness.data import strictjson
from evalharness.data.readers.native import ID_KEYS, message_key
from evalharness.data.reading import Read, Record, RecordError
from evalharness.errors import UsageError

RECORD_FIELDS = ("id", "group", "goal", "messages", "tools", "context")
"""Fields of a dialogue that can be mapped, beside ``system`` and ``metadata.NAME``."""

MESSAGE_FIELDS = (
    "role", "content", "name", "references", "given", "tool_calls", "tool_call_id", "message_id", "turn", "user",
    "assistant",
)  # fmt: skip
"""Fields of a message, or of the row of a table, that can be mapped."""

_METADATA = "metadata."
_SHORT = {"system": "metadata.system"}
_ABSENT = object()


def field_mapper(mapping: Mapping[str, str]) -> Callable[[Record], Record] | None:
    """A function that renames the fields of a record, or None when there is nothing to rename.

    Raises ``UsageError`` for a target that does not exist. A field that is absent leaves the record as it is, except
    the id's, which must be there (``RecordError``).
    """
    if not mapping:
        return None
    wanted = {_SHORT.get(target, target): path for target, path in mapping.items()}
    for target in wanted:
        if target not in (*RECORD_FIELDS, *MESSAGE_FIELDS) and not target.startswith(_METADATA):
            known = ", ".join((*RECORD_FIELDS, *MESSAGE_FIELDS, "system", "metadata.NAME"))
            raise UsageError(f"--map: there is no field {target!r}", fix=f"Fields are: {known}.")
    return lambda record: _mapped(record, wanted)


def _mapped(record: Record, wanted: Mapping[str, str]) -> Record:
    value = dict(record.value)
    for target, path in wanted.items():
        found = _taken(value, path)
        if target == "id" and type(found) is float and record.raw:
            found = _as_written(record.raw, path, found)
        if found is not _ABSENT:
            _put(value, target, found)
        elif target == "id":
            raise RecordError(f"there is no field {path!r}, which --map names as the id")
    if "id" in wanted:
        _set_aside_other_ids(value)
    inner = {target: path for target, path in wanted.items() if target in (*MESSAGE_FIELDS, "context")}
    key = message_key(value)
    if inner and key and isinstance(value[key], list):
        value[key] = [_mapped_message(item, inner) for item in value[key]]
    return replace(record, value=value)


def _as_written(raw: bytes, path: str, value: float) -> str:
    found = _taken(strictjson.loads_keeping_numbers(raw), path)
    return str(found) if isinstance(found, str) else repr(value)


def _set_aside_other_ids(value: dict[str, Any]) -> None:
    """Fields that would pass for the dialogue's id are kept under other names: the mapping decides."""
    for name in (*ID_KEYS, "dialogue"):
        if name != "id" and name in value and not isinstance(value[name], list):
            value[f"{name}_in_file"] = value.pop(name)


def _mapped_message(item: Any, wanted: Mapping[str, str]) -> Any:
    if not isinstance(item, dict):
        return item
    message = dict(item)
    for target, path in wanted.items():
        found = _taken(message, path)
        if found is not _ABSENT:
            _put(message, "id" if target == "message_id" else target, found)
    return message


def _taken(value: dict[str, Any], path: str) -> Any:
    """The field taken out of the object; an inner field (``a.b``) is only read."""
    if path in value:
        return value.pop(path)
    found: Any = value
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return _ABSENT
        found = found[name]
    return found


def _put(value: dict[str, Any], target: str, found: Any) -> None:
    """Set the field; what stood there before is kept beside it."""
    if target.startswith(_METADATA):
        metadata = value.get("metadata")
        name = target.removeprefix(_METADATA)
        value["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), name: found}
        return
    if target in value:
        value[f"{target}_in_file"] = value[target]
    value[target] = found


def with_metadata(read: Read, extra: Mapping[str, str]) -> Read:
    """The dialogue with the metadata of ``--set`` over its own."""
    dialogue = read.dialogue
    return replace(read, dialogue=replace(dialogue, metadata={**dialogue.metadata, **extra}))
