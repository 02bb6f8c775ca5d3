"""Checks of a reply's text: what it contains, what it matches, how long it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import regex

from evalharness.core.dialogue import Item
from evalharness.core.scores import Cause, Failure
from evalharness.errors import UsageError
from evalharness.metrics.checks import Answer, Check, own_text, shown
from evalharness.metrics.reference import MAX_CHARACTERS, too_long
from evalharness.metrics.tokenizers import UnicodeWords

MATCH_SECONDS = 2.0
"""How long one pattern may look at one text; a pattern that takes longer is a failure, not an answer."""


@dataclass(frozen=True, kw_only=True)
class Contains(Check):
    """Whether the text contains ``text`` (``negate``: does not)."""

    text: str
    ignore_case: bool = False
    negate: bool = False

    def __post_init__(self) -> None:
        if not self.text:
            raise UsageError(f"{self.name} names no text", fix="Write contains:TEXT.")

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """What is sought, and how."""
        return (
            ("text", self.text),
            ("case", "folded" if self.ignore_case else "mixed"),
            ("negate", self.negate),
        )

    def answer(self, item: Item) -> Answer:
        """Whether the text contains what it should."""
        text, sought = own_text(item), self.text
        if self.ignore_case:
            text, sought = text.casefold(), sought.casefold()
        if (sought in text) is not self.negate:
            return Answer(True)
        return Answer(False, f"{'contains' if self.negate else 'does not contain'} {shown(self.text)}")


@dataclass(frozen=True, kw_only=True)
class Matches(Check):
    """Whether a regular expression (syntax of the ``regex`` package) matches anywhere (``negate``: nowhere)."""

    pattern: str
    ignore_case: bool = False
    negate: bool = False

    def __post_init__(self) -> None:
        _compiled(self.pattern, self.ignore_case)

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """What is sought, and how."""
        return (
            ("pattern", self.pattern),
            ("case", "folded" if self.ignore_case else "mixed"),
            ("negate", self.negate),
        )

    def answer(self, item: Item) -> Answer | Failure:
        """Whether the pattern matches as it should; a failure where it backtracks for too long."""
        text = own_text(item)
        if len(text) > MAX_CHARACTERS:
            return too_long(len(text))
        try:
            found = _compiled(self.pattern, self.ignore_case).search(text, timeout=MATCH_SECONDS)
        except TimeoutError:
            return pattern_timeout(self.pattern)
        if self.negate:
            return Answer(True) if found is None else Answer(False, f"matches: {shown(found.group())}")
        return Answer(False, f"{shown(self.pattern)} matches nowhere") if found is None else Answer(True)


@dataclass(frozen=True, kw_only=True)
class Length(Check):
    """Whether the text has at most (``at_least``: at least) ``limit`` characters or words."""

    limit: int
    words: bool = False
    at_least: bool = False

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise UsageError(f"{self.name}: the limit is negative", fix="Give 0 or more.")

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The limit and what is counted."""
        return ("min" if self.at_least else "max", self.limit), (
            "unit",
            "words" if self.words else "characters",
        )

    def answer(self, item: Item) -> Answer | Failure:
        """Whether the text keeps within the limit."""
        text = own_text(item)
        if self.words and len(text) > MAX_CHARACTERS:
            return too_long(len(text))
        length = sum(len(_WORDS(chunk)) for chunk in text.split()) if self.words else len(text)
        if length >= self.limit if self.at_least else length <= self.limit:
            return Answer(True)
        return Answer(False, f"{length:,} {'words' if self.words else 'characters'}")


_WORDS: Callable[[str], list[str]] = UnicodeWords().split


def pattern_timeout(pattern: str) -> Failure:
    """The failure of a pattern that backtracks for too long on a text."""
    return Failure(Cause.TIMEOUT, f"the pattern {shown(pattern)} took more than {MATCH_SECONDS:g} seconds")


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignore_case: bool) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise UsageError(f"the pattern {shown(pattern)} is no regular expression: {error}") from error
