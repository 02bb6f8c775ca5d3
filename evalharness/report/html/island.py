"""Data inside the page: JSON that no text in it can break out of, packed where that makes the file smaller."""

from __future__ import annotations

import base64
import json
import re
import zlib

_LEVEL = 6
_RAW_DEFLATE = -15
_EVERY = 8
_LONG = 30_000
_ESCAPED = re.compile(
    "[<>&\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
"""What must not stand raw in a script element (markup, lone surrogates) or could mislead a reader of the source."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def island_json(value: object) -> str:
    """Compact JSON that is safe inside a script element and comes back equal from any JSON parser.

    ``<``, ``>``, ``&``, U+2028, U+2029, lone surrogates, control, direction and invisible characters are written as
    ``\\uXXXX``. NaN and infinities are a ``ValueError``.
    """
    return island_text(_ENCODER.encode(value))


def island_text(text: str) -> str:
    """The same of a value that is JSON already."""
    plain = "<" not in text and ">" not in text and "&" not in text and "\u007f" not in text
    if plain and text.isascii():  # JSON itself escapes what is below the space
        return text
    return _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def packed(text: str) -> str:
    """The text as base64 of raw deflate: what ``DecompressionStream("deflate-raw")`` reads."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    data = deflate.compress(text.encode("utf-8")) + deflate.flush()
    return base64.b64encode(data).decode("ascii")


class PackedSize:
    """Estimates what texts add to the file when they are packed one after the other.

    Packing takes most of the time of writing a page, so only every eighth text and every long one is packed for the
    estimate, many at a time as in the file; the others are taken to shrink like these.
    """

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        self._sample = bytearray()
        self._enough = self._seen = 0
        self._ratio = 1.0

    def of(self, text: str) -> int:
        """Bytes that the text takes in the file, about."""
        data = text.encode("utf-8")
        if len(data) > _LONG:
            return self._measured(data)
        if self._seen % _EVERY == 0:
            self._sample += data
        self._seen += 1
        if len(self._sample) > self._enough:
            self._ratio = self._measured(bytes(self._sample)) / len(self._sample)
            self._enough = min(_LONG, 2 * len(self._sample))
            self._sample.clear()
        return round(len(data) * self._ratio)

    def _measured(self, data: bytes) -> int:
        size = len(self._deflate.compress(data)) + len(self._deflate.flush(zlib.Z_SYNC_FLUSH))
        return (size * 4 + 2) // 3


def data_block(name: str, text: str, *, is_packed: bool = False) -> str:
    """A script element that holds data and is never run. ``name`` is one of ours, ``text`` from this module."""
    kind = "application/octet-stream" if is_packed else "application/json"
    return f'<script type="{kind}" id="{name}">{text}</script>\n'
