"""OpenAI Responses: ``input`` and ``output`` items of a logged call, or a stored list of items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Message, Role, ToolCall
from evalharness.data.readers.envelope import unwrapped, with_response
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.messages import content_text, role_of
from evalharness.data.readers.parts import (
    Draft,
    argument_text,
    documents,
    finished,
    keep_unknown,
    object_field,
    optional_text,
    record_id,
    tools,
)
from evalharness.data.reading import Read, Record, RecordError
from evalharness.data.words import json_kind, quoted

_KNOWN = frozenset(
    ("id", "input", "output", "items", "instructions", "tools", "metadata", "group", "goal", "context")
)
_OUTPUT_TYPES = ("message", "reasoning", "function_call", "function_call_output")


class ResponsesReader(RecordReader):
    """Items of the Responses API: messages, function calls and their outputs, reasoning, built-in tools."""

    name = "responses"
    looks_for = "lists 'input' and 'output' (or 'items') of objects with 'type' such as 'function_call'"

    def recognises(self, value: dict[str, Any]) -> bool:
        """A list of typed items, or input messages beside an output list."""
        flat = _flat(value)
        if flat.get("object") == "response" or _typed(flat.get("output")) or _typed(flat.get("items")):
            return True
        return _typed(flat.get("input")) or _is_messages(flat.get("input"))

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The one dialogue of the record."""
        flat = _flat(record.value)
        build = _Builder()
        build.opening(flat.get("instructions"))
        build.add_all(flat.get("input"))
        build.add_all(flat.get("items"))
        build.add_all(flat.get("output"), plain="assistant")
        metadata = object_field(flat, "metadata")
        keep_unknown(flat, _KNOWN, metadata, build.notes)
        draft = Draft(
            build.finish(),
            id=record_id(Record(record.source, record.line, flat, record.raw)),
            group=optional_text(flat, "group") or "",
            goal=optional_text(flat, "goal"),
            tools=tools(flat.get("tools")),
            context=documents(flat.get("context")),
            metadata=metadata,
            notes=build.notes,
        )
        return (finished(draft, record),)


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    return with_response(unwrapped(value), ("output",), ("id", "model", "instructions", "tools", "usage"))


def _typed(items: Any) -> bool:
    """Whether this is a list of items as the Responses API writes them."""
    if not isinstance(items, list):
        return False
    kinds = [item.get("type") for item in items if isinstance(item, dict)]
    return any(isinstance(kind, str) and (kind in _OUTPUT_TYPES or kind.endswith("_call")) for kind in kinds)


def _is_messages(items: Any) -> bool:
    return isinstance(items, list) and bool(items) and all(isinstance(i, dict) and "role" in i for i in items)


@dataclass(slots=True)
class _Builder:
    """Gathers items into messages: calls join the assistant message before them, reasoning goes to its metadata."""

    notes: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    _role: Role | None = None
    _text: str = ""
    _id: str | None = None
    _calls: list[ToolCall] = field(default_factory=list)
    _metadata: dict[str, Json] = field(default_factory=dict)
    _reasoning: list[str] = field(default_factory=list)

    def opening(self, instructions: Any) -> None:
        """The instructions as a system message (text, or a list of items)."""
        self.add_all(instructions, plain="system")

    def add_all(self, items: Any, plain: Role = "user") -> None:
        """The items of one list; text alone is a message of the role ``plain``."""
        if items is None:
            return
        if isinstance(items, str):
            self._message(plain, items, None)
            return
        if not isinstance(items, list):
            raise RecordError(f"the items are {json_kind(items)}, not a list")
        for index, item in enumerate(items):
            try:
                self._add(item)
            except RecordError as error:
                raise RecordError(f"item {index}: {error.message}", error.fix) from None

    def finish(self) -> list[Message]:
        """All messages; reasoning without a message after it is noted."""
        self._flush()
        if self._reasoning:
            self.notes.append("reasoning without a message left out")
        return self.messages

    def _add(self, item: Any) -> None:
        if not isinstance(item, dict):
            raise RecordError(f"it is {json_kind(item)}, not an object")
        kind = item.get("type", "message")
        if kind == "message":
            text = content_text(item.get("content"), self.notes)
            self._message(role_of(item.get("role")), text, optional_text(item, "id"))
        elif kind == "reasoning":
            self._reasoning.extend(_summaries(item))
        elif isinstance(kind, str) and kind.endswith("_call_output"):
            self._output(item, item.get("output"), optional_text(item, "call_id"))
        elif isinstance(kind, str) and kind.endswith("_call"):
            self._call(item, kind)
        else:
            raise RecordError(f"the item type {quoted(str(kind))} is unknown")

    def _message(self, role: Role, text: str, name: str | None) -> None:
        self._flush()
        self._role, self._text, self._id = role, text, name
        if role == "assistant" and self._reasoning:
            self._metadata["reasoning"] = "\n".join(self._reasoning)
            self._reasoning = []

    def _call(self, item: dict[str, Any], kind: str) -> None:
        """A function call, or a call of a built-in tool, whose result may stand in the same item."""
        if self._role != "assistant":
            self._message("assistant", "", None)
        call_id = optional_text(item, "call_id") or optional_text(item, "id")
        if "name" in item:
            name, arguments = optional_text(item, "name") or "", item.get("arguments", item.get("input"))
        else:
            hidden = ("type", "id", "call_id", "status", "output", "results")
            name = kind.removesuffix("_call")
            arguments = {key: value for key, value in item.items() if key not in hidden}
        self._calls.append(ToolCall(name, argument_text(arguments), call_id))
        for key in ("output", "results"):
            if item.get(key) is not None:
                self._output(item, item[key], call_id)

    def _output(self, item: dict[str, Any], output: Any, call_id: str | None) -> None:
        parts = isinstance(output, list) and all(isinstance(p, dict) and "type" in p for p in output)
        if isinstance(output, str) or parts:
            text = content_text(output, self.notes)
        else:
            text = json.dumps(output, ensure_ascii=False)
        self._flush()
        self.messages.append(Message("tool", text, id=optional_text(item, "id"), tool_call_id=call_id))

    def _flush(self) -> None:
        if self._role is None:
            return
        self.messages.append(
            Message(self._role, self._text, self._id, tool_calls=tuple(self._calls), metadata=self._metadata)
        )
        self._role, self._calls, self._metadata = None, [], {}


def _summaries(item: dict[str, Any]) -> list[str]:
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
