"""CSV cells that no spreadsheet runs as a formula, and the way back."""

from __future__ import annotations

import unicodedata

_STARTS = frozenset("=+-@\t\r\n|%")


def guarded(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet could take it for a formula.

    Full-width and zero-width disguises are seen through. :func:`unguarded` gives the text back.
    """
    return f"'{text}" if _acts(text) else text


def unguarded(text: str) -> str:
    """The text that :func:`guarded` was given; any other text as it is."""
    return text[1:] if text.startswith("'") and _acts(text[1:]) else text


def _acts(text: str) -> bool:
    """Whether a formula starts behind apostrophes (so that guarding twice can be undone), blanks and hidden ones."""
    shown = next((char for char in text if char != "'" and not _is_passed_over(char)), "")
    return unicodedata.normalize("NFKC", shown)[:1] in _STARTS if shown else False


def _is_passed_over(char: str) -> bool:
    return char not in _STARTS and (char.isspace() or unicodedata.category(char) == "Cf")
