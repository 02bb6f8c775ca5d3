"""OpenAI chat: requests with ``messages``, alone or logged together with the completion's ``choices``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalharness.data.readers import native
from evalharness.data.readers.envelope import unwrapped, with_response
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.parts import finished
from evalharness.data.reading import Read, Record, RecordError

_PARTS = frozenset(("image_url", "input_audio", "file", "refusal"))
_ROLES = frozenset(("developer", "function"))


class OpenAIChatReader(RecordReader):
    """Chat completions: tool calls, content parts, and one dialogue for each choice."""

    name = "openai"
    looks_for = "'messages' with 'choices', tools under 'function', content parts, or the role 'developer'"

    def recognises(self, value: dict[str, Any]) -> bool:
        """Something that only OpenAI chat writes; plain messages are native."""
        flat = with_response(unwrapped(value), ("choices",), ())
        messages = flat.get("messages")
        if not isinstance(messages, list):
            return False
        wrapped = "messages" not in value or _has_choices(flat)
        return (wrapped and not _anthropic(flat)) or _wraps_tools(flat) or any(map(_typical, messages))

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The dialogue of the request, ended by each choice of the completion."""
        flat = with_response(unwrapped(record.value), ("choices",), ("id", "model", "usage"))
        choices = flat.pop("choices") if _has_choices(flat) else []
        if not choices:
            return (_one(flat, record),)
        ended = (_with_choice(flat, choice, number, len(choices)) for number, choice in enumerate(choices))
        return [_one(one, record) for one in ended]


def _one(flat: dict[str, Any], record: Record) -> Read:
    changed = replace(record, value=flat)
    return finished(native.draft(changed), changed)


def _has_choices(flat: Mapping[str, Any]) -> bool:
    choices = flat.get("choices")
    return isinstance(choices, list) and any(isinstance(c, dict) and "message" in c for c in choices)


def _with_choice(flat: dict[str, Any], choice: Any, number: int, count: int) -> dict[str, Any]:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or not isinstance(flat.get("messages"), list):
        raise RecordError("a choice has no 'message'")
    ended = {**flat, "messages": [*flat["messages"], message]}
    if choice.get("finish_reason") is not None:
        ended["finish_reason"] = choice["finish_reason"]
    if count > 1 and flat.get("id") is not None:
        ended.update(id=f"{flat['id']}-choice-{number}", group=str(flat.get("group") or flat["id"]))
    return ended


def _anthropic(flat: Mapping[str, Any]) -> bool:
    """Signs of an Anthropic call in the same kind of envelope."""
    response = flat.get("response")
    typed = isinstance(response, dict) and response.get("type") == "message"
    return typed or "system" in flat or "max_tokens_to_sample" in flat


def _wraps_tools(flat: Mapping[str, Any]) -> bool:
    tools = flat.get("tools")
    return isinstance(tools, list) and any(isinstance(t, dict) and "function" in t for t in tools)


def _typical(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    if message.get("role") in _ROLES or "function_call" in message:
        return True
    parts = message.get("content")
    return isinstance(parts, list) and any(isinstance(p, dict) and p.get("type") in _PARTS for p in parts)
