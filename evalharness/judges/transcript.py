"""A dialogue as a judge is shown it: numbered parts between two lines that carry a secret marker.

Every structural line ends with the marker, so text of a participant can't pass for a heading. Text stands as it is,
save that characters which hide or reorder text are written as escapes (:func:`evalharness.core.text.visible`) and
line ends are ``\\n``. Ids, names of participants and metadata are never shown: they could tell which system spoke.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool
from evalharness.core.text import one_line, visible

MARKER_DIGITS = 16
_NAME_LIMIT = 100


def fence(secret: bytes, dialogue_id: str) -> str:
    """The marker of a dialogue: hexadecimal digits of HMAC-SHA256 of its id under the run's secret."""
    message = b"evalharness fence\0" + dialogue_id.encode("utf-8", "surrogatepass")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:MARKER_DIGITS]


def shown_text(text: str) -> str:
    """Text of a participant as the judge sees it."""
    return visible(text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Span:
    """The messages from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def whole(item: Item) -> Span:
    """All messages that belong to an item: of a turn those up to and with it."""
    return Span(0, len(item.dialogue.messages) if item.turn is None else item.turn + 1)


def shared_text(item: Item, marker: str, span: Span, *, references: bool = False) -> str:
    """The fenced dialogue with the messages of ``span``; parts that are left out are named in it."""
    lines = _Lines(marker)
    lines.heading("dialogue begins")
    _head(lines, item.dialogue)
    numbers = _document_numbers(item)
    lines.documents(item.dialogue.context, numbers)
    last = whole(item).stop
    if span.start > 0:
        lines.heading(f"messages [M0] to [M{span.start - 1}] are not shown")
    _messages(lines, item, span, numbers)
    if span.stop < last:
        lines.heading(f"messages [M{span.stop}] to [M{last - 1}] are not shown")
    if references:
        for number, reference in enumerate(item.references, 1):
            lines.part(f"[R{number}] reference reply", reference)
    lines.heading("dialogue ends")
    return lines.text


def message_texts(item: Item, marker: str) -> list[str]:
    """The part of each message by itself, with the documents that follow it, all in full."""
    numbers = _document_numbers(item)
    texts = []
    for index in range(whole(item).stop):
        lines = _Lines(marker)
        _shown_message(lines, item, index, {}, numbers)
        texts.append(lines.text)
    return texts


def sources(item: Item, span: Span) -> dict[str, str]:
    """What a judge may cite: the text of each part that is shown, by its number (``M3``, ``D1``)."""
    messages = item.dialogue.messages
    cited = {f"M{index}": _message_text(messages[index]) for index in range(span.start, span.stop)}
    numbers = _document_numbers(item)
    for document in _documents(item, span):
        cited[f"D{numbers[document]}"] = shown_text(document.text)
    return cited


def _message_text(message: Message) -> str:
    calls = (f"{call.name} {call.arguments}" for call in message.tool_calls)
    return shown_text("\n".join((message.content, *calls)))


class _Lines:
    """Collects the lines of one transcript."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._parts: list[str] = []
        self._given: set[Document] = set()

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def heading(self, title: str) -> None:
        self._parts.append(f"{title} #{self._marker}\n")

    def part(self, title: str, body: str) -> None:
        if not body:
            self.heading(f"{title} (empty)")
            return
        self.heading(title)
        self._parts.append(shown_text(body) + "\n")

    def documents(self, documents: Sequence[Document], numbers: dict[Document, int], owner: str = "") -> None:
        """Documents in full where they come up first, later by their number alone."""
        for document in documents:
            title = f"[D{numbers[document]}] document{owner}"
            if document in self._given:
                self.heading(f"{title} (shown above)")
            else:
                self._given.add(document)
                self.part(title, document.text)


def _head(lines: _Lines, dialogue: Dialogue) -> None:
    if dialogue.goal:
        lines.part("goal of the user", dialogue.goal)
    for tool in dialogue.tools:
        lines.part(f"tool of the assistant: {one_line(tool.name, _NAME_LIMIT)}", _declaration(tool))


def _declaration(tool: Tool) -> str:
    parameters = json.dumps(dict(tool.parameters), ensure_ascii=False) if tool.parameters else ""
    return "\n".join(part for part in (tool.description, parameters) if part)


def _messages(lines: _Lines, item: Item, span: Span, numbers: dict[Document, int]) -> None:
    """The messages of the span; earlier ones are looked at for the calls that a tool's message answers."""
    calls: dict[str, str] = {}
    for index, message in enumerate(item.dialogue.messages[: span.stop]):
        for number, call in enumerate(message.tool_calls, 1):
            if call.id is not None:
                calls[call.id] = f"[M{index} call {number}]"
        if index >= span.start:
            _shown_message(lines, item, index, calls, numbers)


def _shown_message(
    lines: _Lines, item: Item, index: int, calls: Mapping[str, str], numbers: dict[Document, int]
) -> None:
    message = item.dialogue.messages[index]
    _message(lines, index, message, _answered(message, calls))
    if item.turn is None or item.turn == index:
        lines.documents(message.context, numbers, f" for [M{index}]")


def _message(lines: _Lines, index: int, message: Message, answered: str) -> None:
    title = f"[M{index}] {message.role}{answered}"
    if message.content or not message.tool_calls:
        lines.part(title, message.content)
    else:
        lines.heading(title)
    for number, call in enumerate(message.tool_calls, 1):
        lines.part(f"[M{index} call {number}] {one_line(call.name, _NAME_LIMIT)}", call.arguments)


def _answered(message: Message, calls: Mapping[str, str]) -> str:
    """Which call a tool's message answers, as far as that can be told."""
    if message.role != "tool":
        return ""
    place = calls.get(message.tool_call_id) if message.tool_call_id else None
    name = place or (one_line(message.name, _NAME_LIMIT) if message.name else "")
    return f", result of {name}" if name else ""


def _document_numbers(item: Item) -> dict[Document, int]:
    """Numbers from 1 by first appearance; the same document under the same id has one number."""
    numbers: dict[Document, int] = {}
    for document in _documents(item, whole(item)):
        numbers.setdefault(document, len(numbers) + 1)
    return numbers


def _documents(item: Item, span: Span) -> Iterator[Document]:
    """The documents that are shown with these messages: the dialogue's, then those of its messages."""
    yield from item.dialogue.context
    shown = range(span.start, span.stop) if item.turn is None else (item.turn,)
    for index in shown:
        yield from item.dialogue.messages[index].context
