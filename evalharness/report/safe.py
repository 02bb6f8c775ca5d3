"""Neutralising untrusted text for the formats that can act on it: spreadsheets and Markdown."""

from __future__ import annotations

import re
import unicodedata

from evalharness.core.text import visible

_FORMULA_START = "=+-@\t\r\n|%"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:@])")


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet runs: text that would start a formula gets a leading apostrophe.

    Numbers stay numbers. Full-width and zero-width disguises of ``= + - @`` are seen through.
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = str(value)
    if text.isascii() and text.isprintable():  # nothing to make visible, no disguise
        return f"'{text}" if text.lstrip(" ")[:1] in _FORMULA_START and text.strip(" ") else text
    text = visible(text)
    start = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\u200c\u200d")[:1])
    return f"'{text}" if (start and start[0] in _FORMULA_START) or (text[:1] in "\t\r\n" and text) else text


def markdown_text(text: str) -> str:
    """Text as Markdown shows it literally, on one line: no link, image, heading, table cell, tag or mention."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(text).split()))
