"""What in a text is to be masked: the built-in kinds, and patterns of the user's own."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.core.redaction.keys import keys, random_tokens
from evalharness.core.redaction.numbers import Span, cards, ibans, phones
from evalharness.core.text import one_line
from evalharness.errors import InputError, UsageError

EMAIL, PHONE, CARD, IBAN, KEY = "EMAIL", "PHONE", "CARD", "IBAN", "KEY"
KINDS = (EMAIL, PHONE, CARD, IBAN, KEY)
"""The built-in kinds."""

MATCH_SECONDS = 2.0
"""How long a pattern of the user's may look at one text."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_LOCAL = r"[\w.+%'&-]"
_EMAIL = re.compile(rf"(?<!{_LOCAL}){_LOCAL}+@(?:[\w-]{{1,63}}\.)+(?:xn--[a-z0-9-]{{2,30}}|[^\W\d_]{{2,24}})")
_LEADING = ".'+%&-"


@dataclass(frozen=True, slots=True)
class Finding:
    """A part of a text to be masked, and the kind of thing that it is."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a user calls ``name`` and describes by a regular expression (syntax of the ``regex`` package)."""

    name: str
    expression: str
    compiled: Any

    def spans(self, text: str) -> Iterator[Span]:
        """Where it matches; an :class:`InputError` where it backtracks for too long, since nothing may slip through."""
        try:
            found = [match.span() for match in self.compiled.finditer(text, timeout=MATCH_SECONDS)]
        except TimeoutError:
            raise InputError(
                f"the pattern {self.name} took more than {MATCH_SECONDS:g} seconds on one text",
                fix="Write it without nested repeats, e.g. [0-9]{4,12} instead of ([0-9]+)+.",
            ) from None
        return iter(found)


def parse_pattern(entry: str) -> Pattern:
    """``NAME=REGEX`` as a pattern; a :class:`UsageError` says what is wrong with another text."""
    import regex

    name, sign, expression = entry.partition("=")
    name = name.strip().upper()
    if not sign or not expression or not _NAME.fullmatch(name):
        raise UsageError(
            f"--redact-pattern {one_line(entry, 80)!r} is no NAME=REGEX",
            fix="Write a name of letters, digits and _, then = and an expression: CUSTOMER=C-[0-9]{6}",
        )
    if name in KINDS:
        raise UsageError(f"--redact-pattern {name}: the name is taken", fix=f"Not one of {', '.join(KINDS)}.")
    try:
        compiled = regex.compile(expression)
    except (regex.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--redact-pattern {name} is no regular expression: {error}") from error
    if compiled.match(""):
        raise UsageError(
            f"--redact-pattern {name} matches nothing at all", fix="Require at least one character."
        )
    return Pattern(name, expression, compiled)


def findings(text: str, patterns: Sequence[Pattern] = ()) -> list[Finding]:
    """What is to be masked, in order and without overlap; where two overlap, the user's patterns win over ours."""
    taken: list[Finding] = []
    for kind, spans in _detectors(text, patterns):
        for start, end in spans:
            place = bisect_left(taken, start, key=_start)
            before, after = taken[place - 1 : place] if place else [], taken[place : place + 1]
            if (
                end > start
                and all(one.end <= start for one in before)
                and all(end <= one.start for one in after)
            ):
                taken.insert(place, Finding(start, end, kind))
    return taken


def _start(found: Finding) -> int:
    return found.start


def _detectors(text: str, patterns: Sequence[Pattern]) -> Iterator[tuple[str, Iterator[Span]]]:
    for pattern in patterns:
        yield pattern.name, pattern.spans(text)
    yield KEY, keys(text)
    if "@" in text:
        yield EMAIL, emails(text)
    if _has_digit(text):
        yield IBAN, ibans(text)
        yield CARD, cards(text)
        yield PHONE, phones(text)
        yield KEY, random_tokens(text)


_has_digit: Callable[[str], object] = re.compile("[0-9]").search


def emails(text: str) -> Iterator[Span]:
    """Addresses ``local@domain`` with a top-level domain of letters, in any script."""
    for match in _EMAIL.finditer(text):
        local = match.group().partition("@")[0]
        lead = len(local) - len(local.lstrip(_LEADING))
        if lead < len(local):
            yield match.start() + lead, match.end()
