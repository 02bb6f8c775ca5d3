"""Placeholders in place of what was found: ``[EMAIL-1]``, the same for the same string throughout a dialogue.

Numbers are given within one dialogue, in the order of reading, so they depend neither on other dialogues nor on the
order of the input, and nobody can be followed from one dialogue to the next. Ids (of dialogues, groups, messages and
tool calls) and names of tools and of metadata fields stay: labels, baselines and checks go by them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalharness.core import scorejson
from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall
from evalharness.core.redaction.detect import KINDS, Finding, Pattern, findings
from evalharness.core.scores import Result

_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z0-9_]{0,30})-([0-9]{1,9})\]")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
_DEEPEST = 4
"""How far JSON in a string of JSON is opened."""

_LEAST_DIGITS = 9
"""Numbers (rather than texts) with fewer digits are never masked."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """What is masked: the built-in kinds and ``patterns`` of the user's own."""

    patterns: tuple[Pattern, ...] = ()

    @property
    def facts(self) -> dict[str, Json]:
        """What a resume must find unchanged."""
        return {"kinds": list(KINDS), "patterns": {p.name: p.expression for p in self.patterns}}

    def scope(self, dialogue: Dialogue) -> Scope:
        """The placeholders of one dialogue, with the dialogue itself already masked under them."""
        return Scope(self, dialogue)

    def text_scope(self) -> Scope:
        """Placeholders for texts that belong to no dialogue."""
        return Scope(self, Dialogue("", ()))


class Scope:
    """The placeholders of one dialogue. ``dialogue`` is the masked one, ``counts`` how often each kind was masked."""

    def __init__(self, redactor: Redactor, dialogue: Dialogue) -> None:
        self._patterns = redactor.patterns
        self._known: dict[str, str] = {}
        self._last: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        _skip_used(self._last, _texts(dialogue))
        self.dialogue = self._dialogue(dialogue)

    @property
    def placeholders(self) -> Mapping[str, str]:
        """The placeholder of every string that was masked."""
        return self._known

    def text(self, text: str) -> str:
        """A text with placeholders; JSON is opened, so that escapes in it hide nothing and it stays JSON."""
        return self._text(text, _DEEPEST)

    def result(self, result: Result) -> Result:
        """An outcome with everything masked that a judge or a check may have written."""
        row: Any = self.value(scorejson.to_json(result), kept=("failed", "skipped", "value", "samples"))
        return scorejson.from_json(row)

    def value(self, value: Json, kept: Sequence[str] = ()) -> Json:
        """A JSON value with its texts and long numbers masked; fields named in ``kept`` (of the first level) stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): part if key in kept else self.value(part) for key, part in value.items()}
        if isinstance(value, Sequence):
            return [self.value(part) for part in value]
        return self._number(value)

    def _number(self, value: Any) -> Json:
        if type(value) is not int or abs(value) < 10 ** (_LEAST_DIGITS - 1):
            return value  # type: ignore[no-any-return]
        text = str(value)
        masked = self._plain(text)
        return value if masked == text else masked

    def _text(self, text: str, depth: int) -> str:
        if depth and _is_json(text):
            return _JSON_TOKEN.sub(lambda match: self._token(match.group(), depth - 1), text)
        return self._plain(text)

    def _token(self, token: str, depth: int) -> str:
        """A string or number of a JSON text, as JSON."""
        plain = json.loads(token) if token[0] == '"' else token
        masked = self._text(plain, depth)
        return token if masked == plain else json.dumps(masked, ensure_ascii=False)

    def _plain(self, text: str) -> str:
        found = findings(text, self._patterns)
        if not found:
            return text
        parts, place = [], 0
        for finding in found:
            parts += [text[place : finding.start], self._placeholder(text, finding)]
            place = finding.end
        return "".join([*parts, text[place:]])

    def _placeholder(self, text: str, finding: Finding) -> str:
        own = text[finding.start : finding.end]
        if own not in self._known:
            self._last[finding.kind] += 1
            self._known[own] = f"[{finding.kind}-{self._last[finding.kind]}]"
        self.counts[finding.kind] += 1
        return self._known[own]

    def _dialogue(self, dialogue: Dialogue) -> Dialogue:
        return replace(
            dialogue,
            goal=None if dialogue.goal is None else self.text(dialogue.goal),
            tools=tuple(self._tool(tool) for tool in dialogue.tools),
            context=self._documents(dialogue.context),
            messages=tuple(self._message(message) for message in dialogue.messages),
            metadata=self._fields(dialogue.metadata),
        )

    def _message(self, message: Message) -> Message:
        return replace(
            message,
            content=self.text(message.content),
            name=None if message.name is None else self.text(message.name),
            tool_calls=tuple(self._call(call) for call in message.tool_calls),
            references=tuple(self.text(reference) for reference in message.references),
            context=self._documents(message.context),
            metadata=self._fields(message.metadata),
        )

    def _call(self, call: ToolCall) -> ToolCall:
        return replace(call, arguments=self.text(call.arguments))

    def _tool(self, tool: Tool) -> Tool:
        return replace(
            tool, description=self.text(tool.description), parameters=self._fields(tool.parameters)
        )

    def _documents(self, documents: Iterable[Document]) -> tuple[Document, ...]:
        return tuple(
            Document(self.text(one.text), None if one.id is None else self.text(one.id)) for one in documents
        )

    def _fields(self, fields: Mapping[str, Json]) -> dict[str, Json]:
        return {name: self.value(value) for name, value in fields.items()}


def _is_json(text: str) -> bool:
    """Whether a text is a JSON object, array or string."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _skip_used(last: Counter[str], texts: Iterable[str]) -> None:
    """Count on from placeholders that a dialogue holds already, so that two things never get the same one."""
    for text in texts:
        for match in _PLACEHOLDER.finditer(text):
            last[match[1]] = max(last[match[1]], int(match[2]))


def _texts(dialogue: Dialogue) -> Iterator[str]:
    yield dialogue.goal or ""
    for message in dialogue.messages:
        yield message.content
        yield from message.references
        yield from (call.arguments for call in message.tool_calls)
        yield from (document.text for document in message.context)
        yield json.dumps(dict(message.metadata))
    yield from (document.text for document in dialogue.context)
    yield json.dumps(
        [dict(dialogue.metadata), [[tool.description, dict(tool.parameters)] for tool in dialogue.tools]]
    )
