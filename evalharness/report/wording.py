"""Which words of two texts differ, for showing them side by side."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r"\s+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]"
)
"""White space, single characters of scripts that are written without it, words, other characters."""
_MOST_TOKENS = 6_000
"""Longer texts are compared line by line: the comparison of words takes quadratic time at its worst."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is in both texts, or in this one alone."""

    text: str
    changed: bool


def changed_words(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, what the other does not have marked; the pieces of each make up the text."""
    first, second = _tokens(old), _tokens(new)
    if len(first) + len(second) > _MOST_TOKENS:
        first, second = old.splitlines(keepends=True), new.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=len(first) + len(second) > _MOST_TOKENS)
    left: list[Piece] = []
    right: list[Piece] = []
    codes = matcher.get_opcodes()
    for place, (kind, a, b, c, d) in enumerate(codes):
        text = "".join(first[a:b])
        inner = 0 < place < len(codes) - 1 and not text.strip()  # white space between changes belongs to them
        changed = kind != "equal" or inner
        _add(left, text, changed)
        _add(right, "".join(second[c:d]), changed)
    return left, right


def _add(pieces: list[Piece], text: str, changed: bool) -> None:
    """Add a stretch, joined to the one before where both are alike."""
    if not text:
        return
    if pieces and pieces[-1].changed == changed:
        pieces[-1] = Piece(pieces[-1].text + text, changed)
    else:
        pieces.append(Piece(text, changed))


def _tokens(text: str) -> list[str]:
    return _TOKENS.findall(text)
