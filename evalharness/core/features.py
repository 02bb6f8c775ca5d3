"""Figures of a reply that a fitted judge can learn from: length, variety, and overlap with what the reply answers.

They stand in ``core`` because two layers that don't know each other need the very same numbers: the fit, and the judge
that runs what was fitted. Changing one of them changes :data:`FEATURES_VERSION`, and old fits are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from evalharness.core.dialogue import Item

FEATURES_VERSION = 1

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?。！？]")
_COMMON_TEXT = """
a an and are as at be but by did do does for from had has have he her him his how i if in is it its just know like me
my no not of oh on or our she so that the their them then there they this to too was we well were what when where which
who why will with would yeah yes you your
"""
_COMMON = frozenset(_COMMON_TEXT.split())


@dataclass(frozen=True)
class _Reply:
    """A reply cut into words, and the words around it."""

    item: Item

    @cached_property
    def text(self) -> str:
        if self.item.turn is not None:
            return self.item.message.content
        return "\n".join(
            m.content for m in self.item.dialogue.messages if m.role == "assistant" and not m.given
        )

    @cached_property
    def words(self) -> list[str]:
        return _words(self.text)

    @cached_property
    def content(self) -> list[str]:
        return [word for word in self.words if word not in _COMMON]

    @cached_property
    def context(self) -> list[str]:
        return _words(" ".join(document.text for document in self.item.context))

    @cached_property
    def user(self) -> set[str]:
        if self.item.turn is not None:
            return set(_words(self.item.last_user_text or "")) - _COMMON
        return (
            set(_words(" ".join(m.content for m in self.item.dialogue.messages if m.role == "user")))
            - _COMMON
        )

    @cached_property
    def history(self) -> set[str]:
        if self.item.turn is None:
            return self.user
        return set(_words(" ".join(message.content for message in self.item.history))) - _COMMON


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def _share(parts: Iterable[object], known: AbstractSet[object]) -> float:
    listed = list(parts)
    return sum(part in known for part in listed) / len(listed) if listed else 0.0


def _variety(parts: Sequence[object]) -> float:
    return len(set(parts)) / len(parts) if parts else 0.0


def _overlap(n: int) -> Callable[[_Reply], float]:
    return lambda reply: _share(_grams(reply.words, n), set(_grams(reply.context, n)))


_FEATURES: Mapping[str, Callable[[_Reply], float]] = {
    "log_words": lambda r: math.log1p(len(r.words)),
    "log_characters": lambda r: math.log1p(len(r.text)),
    "distinct_words": lambda r: _variety(r.words),
    "context_words": _overlap(1),
    "context_content": lambda r: _share(r.content, set(r.context) - _COMMON),
    "context_bigrams": _overlap(2),
    "user_content": lambda r: _share(r.content, r.user),
    "history_content": lambda r: _share(r.content, r.history),
    "question": lambda r: float("?" in r.text or "？" in r.text),
    "log_content_words": lambda r: math.log1p(len(r.content)),
    "word_length": lambda r: sum(map(len, r.words)) / len(r.words) if r.words else 0.0,
    "context_content_count": lambda r: float(len(set(r.content) & (set(r.context) - _COMMON))),
    "sentences": lambda r: float(len(_SENTENCE.findall(r.text))),
    "doubled_words": lambda r: float(sum(a == b for a, b in _grams(r.words, 2))),
    "has_number": lambda r: float(any(char.isdigit() for char in r.text)),
    "repeated_words": lambda r: float(len(r.words) - len(set(r.words))),
    "commas": lambda r: float(r.text.count(",")),
}

FEATURES: tuple[str, ...] = tuple(_FEATURES)


def item_features(item: Item, names: Sequence[str] = FEATURES) -> tuple[float, ...]:
    """The named features of a reply, or of all replies of a dialogue together; always finite."""
    reply = _Reply(item)
    return tuple(_FEATURES[name](reply) for name in names)
