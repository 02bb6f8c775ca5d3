"""ShareGPT: ``conversations`` of ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalharness.data import strictjson
from evalharness.data.readers import native
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.parts import finished
from evalharness.data.reading import Read, Record, RecordError

_CALL = "function_call"


class ShareGPTReader(RecordReader):
    """Dialogues as training sets write them, with ``system`` and ``tools`` beside the turns where they are."""

    name = "sharegpt"
    looks_for = "a list 'conversations' of objects with 'from' and 'value'"

    def recognises(self, value: dict[str, Any]) -> bool:
        """Any message list whose objects have ``from`` and ``value``."""
        key = native.message_key(value)
        items = value[key] if key else None
        if not isinstance(items, list) or not items:
            return False
        return all(isinstance(item, dict) and "from" in item and "value" in item for item in items)

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The one dialogue of the record."""
        value = dict(record.value)
        key = native.message_key(value)
        items = value.pop(key) if key else None
        if not isinstance(items, list):
            raise RecordError("there is no list 'conversations'")
        system = value.pop("system", None)
        opening = [{"role": "system", "content": system}] if system else []
        value["messages"] = opening + [_message(index, item) for index, item in enumerate(items)]
        if isinstance(value.get("tools"), str):
            value["tools"] = _parsed_tools(value["tools"])
        changed = replace(record, value=value)
        return (finished(native.draft(changed), changed),)


def _message(index: int, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or "from" not in item or "value" not in item:
        raise RecordError(f"message {index}: it has no 'from' and 'value'")
    rest = {key: value for key, value in item.items() if key not in ("from", "value")}
    if item["from"] == _CALL:
        return {**rest, "role": "assistant", "content": "", "tool_calls": [_call(index, item["value"])]}
    return {**rest, "role": item["from"], "content": item["value"]}


def _call(index: int, text: Any) -> dict[str, Any]:
    """The tool call that a ``function_call`` turn holds as JSON text."""
    try:
        call = strictjson.loads_scrubbed(text)[0] if isinstance(text, str) else text
    except strictjson.JsonError as error:
        raise RecordError(f"message {index}: the function call is not JSON: {error.message}") from None
    if not isinstance(call, dict):
        raise RecordError(f"message {index}: the function call is not a JSON object")
    return call


def _parsed_tools(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return strictjson.loads_scrubbed(text)[0]
    except strictjson.JsonError as error:
        raise RecordError(f"'tools' is text, but not JSON: {error.message}") from None
