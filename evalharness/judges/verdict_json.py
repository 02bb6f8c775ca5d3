"""Verdicts in JSON: a bare object, one in a code fence, or one inside prose. Linear in the length of the text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from evalharness.core.rubric import Criterion
from evalharness.core.scores import Cause
from evalharness.judges.answers import (
    Answer,
    CannotAssess,
    Citation,
    Fit,
    Odd,
    TooManyError,
    Unreadable,
    Verdict,
    answer_of,
    fit_number,
    fit_words,
)
from evalharness.judges.verdict_text import bare_verdict

MAX_DEPTH = 32
"""Deepest nesting that is read; a verdict needs four levels."""

MAX_OBJECTS = 500
"""Most pairs of braces that are looked at; no reply with a verdict has so many."""

_VALUE_KEYS = ("value", "rating", "score", "verdict", "answer", "label")
_RATIONALES = ("rationale", "reasoning", "reason")
_MAX_CITATIONS = 20
_BRACKET = re.compile(r'[{}\[\]"]')
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*"|[{}\[\]:]|[^\s{}\[\]:,"]++', re.DOTALL)
_STRING_END = re.compile(r'(?:[^"\\]++|\\.)*"', re.DOTALL)


class _Members(dict[str, Any]):
    """An object of a reply; ``repeated`` holds the keys that stand in it more than once."""

    repeated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it was written; never made a float before its size is known."""

    text: str

    def as_float(self) -> float:
        return float(self.text) if len(self.text) <= 40 else float("inf")


@dataclass(frozen=True, slots=True)
class JsonReply:
    """An object found in a reply: its members, its text, and where that begins."""

    members: _Members
    text: str
    start: int


def json_objects(text: str) -> tuple[JsonReply, ...]:
    """The outermost JSON objects of a text, in their order; anything else in braces is passed over.

    Raises :class:`TooManyError` beyond :data:`MAX_OBJECTS`.
    """
    whole = _whole(text)
    if whole is not None:
        return (whole,)
    found = []
    for number, (start, stop) in enumerate(_braced(text)):
        if number == MAX_OBJECTS:
            raise TooManyError
        members = _decoded(text[start:stop])
        if members is not None:
            found.append(JsonReply(members, text[start:stop], start))
    return tuple(found)


def names(reply: JsonReply, key: str, *, alone: bool) -> bool:
    """Whether the object answers the criterion of this key; ``alone``: it is the only one, and need not be named."""
    return _member_key(reply.members, key) is not None or (
        alone and any(k in reply.members for k in _VALUE_KEYS)
    )


def answer_in(reply: JsonReply, criterion: Criterion, key: str) -> Answer:
    """What an object that :func:`names` a criterion says about it."""
    if reply.members.repeated:
        return _repeated(reply.members)
    name = _member_key(reply.members, key)
    member = reply.members if name is None else reply.members[name]
    if member is None:
        return Unreadable(Cause.NO_VERDICT, f"the member {key!r} is null")
    if not isinstance(member, _Members):
        return answer_of(criterion, _fit(criterion, member), _said(member))
    return _judged(criterion, member)


def value_start(reply: JsonReply, key: str) -> int | None:
    """Where in the whole text the value of a criterion begins, behind an opening quotation mark."""
    name = _member_key(reply.members, key)
    member = reply.members if name is None else reply.members[name]
    inner = [k for k in _VALUE_KEYS if isinstance(member, _Members) and member.get(k) is not None]
    path = [*([] if name is None else [name]), *inner[:1]]
    keys: list[str | None] = []
    last = ""
    tokens = _TOKEN.finditer(reply.text)
    for token in tokens:
        word = token.group()
        if word in "{[":
            keys.append(None)
        elif word in "}]":
            keys.pop()
        elif word == ":" and keys:
            keys[-1] = json.loads(last)
            if keys == path and (value := next(tokens, None)) is not None:
                return reply.start + value.start() + value.group().startswith('"')
        else:
            last = word
    return None


def is_object(reply: JsonReply, key: str) -> bool:
    """Whether the text that :func:`member_text` gives for a criterion is that of an object."""
    name = _member_key(reply.members, key)
    return name is None or isinstance(reply.members[name], _Members)


def member_text(reply: JsonReply, key: str) -> str:
    """The text of a criterion's member, to be looked for in what the judge was shown: without its name where it is an
    object, so that a copy under another name is found too."""
    name = _member_key(reply.members, key)
    if name is None:
        return reply.text
    member = reply.members[name]
    return _dumped(member) if isinstance(member, _Members) else f"{_dumped(name)}:{_dumped(member)}"


def _judged(criterion: Criterion, member: _Members) -> Answer:
    if member.repeated:
        return _repeated(member)
    keys = [key for key in _VALUE_KEYS if member.get(key) is not None]
    if not keys:
        return Unreadable(Cause.NO_VERDICT, "the reply has no value")
    fits = {_fit(criterion, member[key]) for key in keys}
    fit = fits.pop() if len(fits) == 1 else Odd.SEVERAL
    said = " and ".join([_said(member[key]) for key in keys]) if isinstance(fit, Odd) else ""
    answer = answer_of(criterion, fit, said)
    rationale = _rationale(member)
    match answer:
        case Verdict():
            return Verdict(answer.value, rationale, tuple(_citations(member.get("evidence"))))
        case CannotAssess():
            return CannotAssess(rationale)
        case Unreadable():
            return answer


def _rationale(member: _Members) -> str:
    for name in _RATIONALES:
        found = member.get(name)
        if isinstance(found, str):
            return found
    return ""


def _fit(criterion: Criterion, raw: Any) -> Fit:
    match raw:
        case bool():
            return fit_words(criterion).get("true" if raw else "false", Odd.OUT_OF_RANGE)
        case _Number():
            return fit_number(criterion, raw.as_float())
        case str():
            fit = bare_verdict(raw, criterion)
            return Odd.OUT_OF_RANGE if fit is None else fit
        case _:
            return Odd.OUT_OF_RANGE


def _repeated(members: _Members) -> Unreadable:
    name = min(members.repeated)
    return Unreadable(Cause.TWO_VERDICTS, f"the key {name[:40]!r} stands twice in one JSON object")


def _member_key(members: _Members, key: str) -> str | None:
    """The member of this name; failing that, the only one that differs in case, spaces or hyphens."""
    if key in members:
        return key
    near = [name for name in members if _loose(name) == _loose(key)]
    return near[0] if len(near) == 1 else None


def _loose(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _citations(evidence: Any) -> Iterator[Citation]:
    for row in evidence[:_MAX_CITATIONS] if isinstance(evidence, list) else ():
        if isinstance(row, _Members):
            part = row.get("message", row.get("source", ""))
            quote = row.get("quote", "")
            yield Citation(_said(part), quote if isinstance(quote, str) else "")
        elif isinstance(row, str):
            yield Citation("", row)


def _said(raw: Any) -> str:
    match raw:
        case _Number():
            return raw.text
        case str():
            return raw
        case None:
            return "null"
        case bool():
            return "true" if raw else "false"
        case _:
            return "an array" if isinstance(raw, list) else "an object"


def _dumped(raw: Any) -> str:
    """Compact JSON with numbers as they were written; depth is bounded by :data:`MAX_DEPTH`."""
    match raw:
        case _Number():
            return raw.text
        case str():
            return encode_basestring(raw)
        case dict():
            return "{" + ",".join(f"{_dumped(key)}:{_dumped(value)}" for key, value in raw.items()) + "}"
        case list():
            return "[" + ",".join(map(_dumped, raw)) + "]"
        case _:
            return json.dumps(raw, ensure_ascii=False)


def _braced(text: str) -> Iterator[tuple[int, int]]:
    """Where balanced ``{...}`` begin and end, outermost only; quotation marks count inside braces only."""
    begin, depth, position = 0, 0, 0
    while (mark := _BRACKET.search(text, position)) is not None:
        position = mark.end()
        char = mark.group()
        if depth == 0:
            if char == "{":
                begin, depth = mark.start(), 1
        elif char == '"':
            end = _STRING_END.match(text, position)
            if end is None:
                return
            position = end.end()
        else:
            depth += 1 if char in "{[" else -1
            if depth > MAX_DEPTH:
                return
            if depth == 0:
                yield begin, position


def _whole(text: str) -> JsonReply | None:
    """The text as one object, where that can be told without looking for its braces."""
    bare = text.strip()
    if not bare.startswith("{") or bare.count("{") + bare.count("[") > MAX_DEPTH:
        return None
    members = _decoded(bare)
    return None if members is None else JsonReply(members, bare, text.index("{"))


def _decoded(text: str) -> _Members | None:
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Members) else None


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    members = _Members(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        members.repeated = frozenset(name for name, count in counts.items() if count > 1)
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_Number, parse_float=_Number, parse_constant=_Number
)
