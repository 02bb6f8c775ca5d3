"""The interface of a system under test, and what it may answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from evalharness.core.dialogue import Message, ToolCall


class TargetCause(StrEnum):
    """Why there is no reply."""

    CRASHED = "crashed"
    TIMEOUT = "timeout"
    BAD_REPLY = "bad_reply"
    HTTP_ERROR = "http_error"
    CONNECTION = "connection"


class TargetError(Exception):
    """The system under test gave no usable reply; ``detail`` says what happened, in our words."""

    def __init__(self, cause: TargetCause, detail: str) -> None:
        super().__init__(f"{cause.value}: {detail}")
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Asked:
    """What the target is told: the conversation so far, as an OpenAI chat, and which play it is."""

    scenario: str
    trial: int
    messages: Sequence[Mapping[str, Any]]

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {"scenario": self.scenario, "trial": self.trial, "messages": list(self.messages)},
            ensure_ascii=False,
        )


class Target(Protocol):
    """A system under test. One instance serves one worker; a conversation is asked reply by reply."""

    async def reply(self, asked: Asked) -> tuple[Message, ...]:
        """The messages that the system adds, the last one its reply; :class:`TargetError` where there is none."""
        ...

    async def close(self) -> None:
        """Give back processes and connections; safe to call twice."""
        ...


def read_reply(value: Any) -> tuple[Message, ...]:
    """The messages in a target's answer: a text, ``{"content", "tool_calls"}``, or ``{"messages": […]}``.

    :class:`TargetError` for anything else: an answer without a reply must not look like an empty one.
    """
    if isinstance(value, str):
        return (Message("assistant", value),)
    if not isinstance(value, Mapping):
        raise _bad(f"the answer is {type(value).__name__}, not a text or an object")
    if "messages" in value:
        return _messages(value["messages"])
    if "error" in value and "content" not in value:
        raise TargetError(TargetCause.BAD_REPLY, "the answer is an error object")
    return (_message({"role": "assistant", **value}),)


def _messages(rows: Any) -> tuple[Message, ...]:
    if not isinstance(rows, list) or not rows:
        raise _bad("'messages' is no list with messages")
    messages = tuple(_message(row) for row in rows)
    if messages[-1].role != "assistant":
        raise _bad("the last message of the answer is not the assistant's")
    return messages


def _message(row: Any) -> Message:
    if not isinstance(row, Mapping):
        raise _bad("a message of the answer is no object")
    role, content = row.get("role", "assistant"), row.get("content")
    calls = tuple(_call(call) for call in row.get("tool_calls") or ())
    if role not in ("assistant", "tool"):
        raise _bad(f"a message of the answer has the role {str(role)[:40]!r}")
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise _bad("the answer has no 'content' that is text")
    call_id = row.get("tool_call_id")
    return Message(role, content, tool_calls=calls, tool_call_id=None if call_id is None else str(call_id))


def _call(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise _bad("a tool call has no function with a name")
    arguments = function.get("arguments", "{}")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(function["name"], text, None if call.get("id") is None else str(call["id"]))


def _bad(detail: str) -> TargetError:
    return TargetError(TargetCause.BAD_REPLY, detail)
