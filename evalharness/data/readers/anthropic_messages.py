"""Anthropic messages: content blocks with text, tool use and tool results, the system prompt beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from evalharness.data.readers import native
from evalharness.data.readers.envelope import unwrapped, with_response
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.messages import content_text
from evalharness.data.readers.parts import finished, optional_text
from evalharness.data.reading import Read, Record, RecordError
from evalharness.data.words import json_kind

_BLOCKS = frozenset(
    ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result")
)
_PROMPT_LENGTH = 30


class AnthropicReader(RecordReader):
    """Requests of the Messages API, alone or logged together with the reply."""

    name = "anthropic"
    looks_for = (
        "'messages' with content blocks such as 'tool_use', a 'system' prompt, or tools with 'input_schema'"
    )

    def recognises(self, value: dict[str, Any]) -> bool:
        """Blocks, tools or a system prompt as only Anthropic writes them."""
        flat = _flat(value)
        messages = flat.get("messages")
        if not isinstance(messages, list):
            return False
        return _has_schema(flat) or _is_prompt(flat) or _is_reply(flat) or any(map(_has_block, messages))

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The one dialogue of the record, its blocks turned into messages and tool calls."""
        flat = _flat(record.value)
        notes: list[str] = []
        messages: list[dict[str, Any]] = []
        if flat.get("system") is not None:
            messages.append({"role": "system", "content": content_text(flat.pop("system"), notes)})
        for index, item in enumerate(_items(flat)):
            try:
                messages.extend(_plain_messages(item))
            except RecordError as error:
                raise RecordError(f"message {index}: {error.message}", error.fix) from None
        flat["messages"] = messages
        changed = replace(record, value=flat, notes=record.notes + tuple(notes))
        return (finished(native.draft(changed), changed),)


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    flat = with_response(unwrapped(value), ("content",), ("id", "model", "stop_reason", "usage"))
    return dict(flat)


def _items(flat: dict[str, Any]) -> list[Any]:
    """The messages of the request, and the reply whose content was logged with it."""
    messages = flat.pop("messages", None)
    if not isinstance(messages, list):
        raise RecordError(f"the messages are {json_kind(messages)}, not a list")
    if not _is_reply(flat):
        return messages
    reply = flat.pop("content")
    for key in ("type", "role"):
        flat.pop(key, None)
    return [*messages, {"role": "assistant", "content": reply}]


def _is_reply(flat: dict[str, Any]) -> bool:
    """Whether the content of a reply was logged beside the messages of its request."""
    content = flat.get("content")
    return isinstance(content, list) and all(isinstance(b, dict) and "type" in b for b in content)


def _has_schema(flat: dict[str, Any]) -> bool:
    tools = flat.get("tools")
    return isinstance(tools, list) and any(isinstance(t, dict) and "input_schema" in t for t in tools)


def _is_prompt(flat: dict[str, Any]) -> bool:
    """Whether ``system`` is a prompt; a short word there is rather the name of a system under test."""
    system = flat.get("system")
    if isinstance(system, list):
        return True
    if not isinstance(system, str):
        return False
    return "max_tokens" in flat or (len(system) > _PROMPT_LENGTH and " " in system)


def _has_block(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(
        isinstance(b, dict) and b.get("type") in _BLOCKS for b in content
    )


def _plain_messages(item: Any) -> Iterator[dict[str, Any]]:
    """A message with blocks as chat messages: tool results first, as they answer the message before."""
    if not isinstance(item, dict) or not isinstance(item.get("content"), list):
        yield item
        return
    shown: list[Any] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[str] = []
    results: list[dict[str, Any]] = []
    for block in item["content"]:
        kind = block.get("type") if isinstance(block, dict) else "text"
        if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            calls.append(_call(block))
        elif isinstance(kind, str) and kind.endswith("tool_result"):
            results.append(_result(block))
        elif kind == "thinking":
            thoughts.append(str(block.get("thinking", "")))
        elif kind == "redacted_thinking":
            thoughts.append("[redacted]")
        else:
            shown.append(block)
    own = _own_message(item, shown, calls, thoughts)
    if item.get("role") == "assistant":  # results of server tools stand inside the reply that called them
        yield own
        yield from results
    else:
        yield from results
        if shown or not results:
            yield own


def _own_message(
    item: dict[str, Any], shown: list[Any], calls: list[dict[str, Any]], thoughts: list[str]
) -> dict[str, Any]:
    message: dict[str, Any] = {**item, "content": shown}
    if calls:
        message["tool_calls"] = calls
    if thoughts:
        given = item.get("metadata")
        message["metadata"] = {**(given if isinstance(given, dict) else {}), "thinking": "\n".join(thoughts)}
    return message


def _call(block: dict[str, Any]) -> dict[str, Any]:
    return {"id": block.get("id"), "name": block.get("name"), "arguments": block.get("input")}


def _result(block: dict[str, Any]) -> dict[str, Any]:
    content = block.get("content")
    if content is None:
        content = ""
    elif not isinstance(content, str) and not _is_blocks(content):
        content = json.dumps(content, ensure_ascii=False)
    message: dict[str, Any] = {"role": "tool", "content": content}
    if (call_id := optional_text(block, "tool_use_id")) is not None:
        message["tool_call_id"] = call_id
    if block.get("is_error") is not None:
        message["metadata"] = {"is_error": block["is_error"]}
    return message


def _is_blocks(content: Any) -> bool:
    readable = ("text", "image", "document")
    return isinstance(content, list) and all(
        isinstance(b, dict) and b.get("type") in readable for b in content
    )
