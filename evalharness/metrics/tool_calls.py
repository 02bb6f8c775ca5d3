"""The tool calls of a dialogue with what each returned, and which results are errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Message, ToolCall
from evalharness.core.text import one_line
from evalharness.data.strictjson import JsonError, loads

_ERROR_TEXT = re.compile(r"(?:\w{0,40}(?:error|exception)|traceback|failed)\b", re.IGNORECASE)
_FAILED_STATES = frozenset({"error", "failed", "failure"})


@dataclass(frozen=True, slots=True)
class Made:
    """A call, where it stands (``turn`` as index into messages, ``number`` from 1), and its result, if one came.

    ``own`` is False for a call of a message that is given.
    """

    call: ToolCall
    turn: int
    number: int
    result: Message | None
    own: bool

    @property
    def where(self) -> str:
        """The place and name for messages: ``[M5] book``."""
        return f"[M{self.turn}] {one_line(self.call.name, 60)}"

    @property
    def content(self) -> tuple[str, str]:
        """What is called with what: equal for calls that differ in the spelling of their JSON only."""
        try:
            arguments = canonical_json(loads(self.call.arguments))
        except JsonError:
            arguments = self.call.arguments
        return self.call.name, arguments

    @property
    def failed(self) -> bool:
        """Whether the result is an error."""
        return self.result is not None and is_error(self.result)


def made_calls(dialogue: Dialogue) -> list[Made]:
    """Every call in order. A result belongs to the call whose id it names, up to the next message that is none of a
    tool; results and calls without ids belong together in their order."""
    made: list[Made] = []
    for turn, message in enumerate(dialogue.messages):
        if message.tool_calls:
            results = list(_results(dialogue.messages, turn))
            for number, call in enumerate(message.tool_calls, 1):
                made.append(Made(call, turn, number, _taken(call, results), not message.given))
    return made


def is_error(message: Message) -> bool:
    """Whether a tool's message says that the call failed: it is marked so (``is_error`` of its metadata), is an object
    with ``error``, ``is_error``, a false ``success`` or ``ok``, or a failed ``status``, or begins like an error."""
    flag = message.metadata.get("is_error")
    if isinstance(flag, bool):
        return flag
    text = message.content.strip()
    if not text.startswith("{"):
        return _ERROR_TEXT.match(text) is not None
    try:
        value = loads(text)
    except JsonError:
        return False
    if not isinstance(value, dict):
        return False
    if any(
        value.get(key) not in (None, False, "", [], {}) for key in ("error", "errors", "is_error", "isError")
    ):
        return True
    status = value.get("status")
    return (
        value.get("success") is False
        or value.get("ok") is False
        or (isinstance(status, str) and status.casefold() in _FAILED_STATES)
    )


def _results(messages: Sequence[Message], turn: int) -> Iterator[Message]:
    for message in messages[turn + 1 :]:
        if message.role != "tool":
            return
        yield message


def _taken(call: ToolCall, results: list[Message]) -> Message | None:
    """The result of a call, taken out of those that are left: the one that names it, else the first that names none."""
    for named in (call.id, None):
        for place, message in enumerate(results):
            if message.tool_call_id == named and message.name in (None, call.name):
                return results.pop(place)
    return None
