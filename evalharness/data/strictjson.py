"""The one JSON parser for untrusted files: the standard library's, made strict.

Behaves the same whatever other JSON packages are installed. NaN and infinities (written or by overflow), duplicate
keys and nesting beyond :data:`MAX_DEPTH` are refused; integers are exact; lone surrogates become U+FFFD.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from evalharness.data.words import quoted

MAX_DEPTH = 100
"""Deepest nesting of objects and arrays; far above real data, far below the interpreter's recursion limit."""

MAX_INT_DIGITS = 4300

_OUTSIDE_AND_STRING = re.compile(rb'([^"]*+)(?:"[^"\\]*+(?:\\.[^"\\]*+)*(?:"|\Z))?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENERS = b"[{"
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonError(ValueError):
    """Text that is not acceptable JSON; ``column`` counts bytes or characters from 1 where it is known."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class NumberText(str):
    """A number as it was written; see :func:`loads_keeping_numbers`."""

    __slots__ = ()


def loads(data: bytes | str) -> Any:
    """The value of one JSON text; raises :class:`JsonError`. Lone surrogates are left to :func:`scrub`."""
    return _decode(_DECODER, data)


def loads_keeping_numbers(data: bytes | str) -> Any:
    """Like :func:`loads`, with every number as :class:`NumberText`: for an id that must keep its exact text."""
    return _decode(_TEXT_DECODER, data)


def loads_scrubbed(data: bytes | str) -> tuple[Any, int]:
    """Like :func:`loads`, with each lone surrogate replaced by U+FFFD, and how many there were."""
    value = loads(data)
    return scrub(value) if may_hold_surrogates(data) else (value, 0)


def may_hold_surrogates(data: bytes | str) -> bool:
    """Whether the JSON text has an escape that could be half of a surrogate pair."""
    if isinstance(data, str):
        return "\\u" in data
    return b"\\u" in data and _SURROGATE_ESCAPE.search(data) is not None


def scrub(value: Any) -> tuple[Any, int]:
    """The value with each lone surrogate replaced by U+FFFD, and how many there were.

    Raises :class:`JsonError` when two keys of an object become equal.
    """
    if isinstance(value, str):
        return _SURROGATE.subn("\ufffd", value)
    if isinstance(value, list):
        return _scrub_list(value)
    if isinstance(value, dict):
        return _scrub_dict(value)
    return value, 0


def _scrub_list(items: list[Any]) -> tuple[list[Any], int]:
    pairs = [scrub(item) for item in items]
    return [item for item, _ in pairs], sum(count for _, count in pairs)


def _scrub_dict(mapping: dict[str, Any]) -> tuple[dict[str, Any], int]:
    total = 0
    clean: dict[str, Any] = {}
    for key, value in mapping.items():
        new_key, in_key = _SURROGATE.subn("\ufffd", key)
        if new_key in clean:
            raise JsonError(f"two keys become equal ({quoted(new_key)}) once lone surrogates are replaced")
        clean[new_key], in_value = scrub(value)
        total += in_key + in_value
    return clean, total


def _decode(decoder: json.JSONDecoder, data: bytes | str) -> Any:
    text = _text(data)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        return decoder.decode(text)
    except JsonError:
        raise
    except json.JSONDecodeError as error:
        raise _explained(error, text) from None
    except ValueError:
        raise JsonError(f"a number has more than {MAX_INT_DIGITS} digits") from None


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise JsonError(f"not valid UTF-8: byte 0x{byte:02x}", error.start + 1) from None


def _explained(error: json.JSONDecodeError, text: str) -> JsonError:
    column = error.pos + 1
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return JsonError("the JSON text ends in the middle of a value (cut off?)", column)
    if text[error.pos] == "\0":
        return JsonError("a raw NUL byte", column)
    if error.msg.startswith("Invalid control character"):
        return JsonError("a raw control character inside a string (write it as an escape)", column)
    return JsonError(f"not valid JSON: {error.msg[0].lower()}{error.msg[1:]}", column)


def _check_depth(text: str) -> None:
    """Refuse nesting beyond the cap before the recursive parser sees it; linear in the length of the text."""
    brackets = bytearray()
    for match in _OUTSIDE_AND_STRING.finditer(text.encode("utf-8", "surrogatepass")):
        brackets += match[1].translate(None, _NO_BRACKETS)
    depth = 0
    for bracket in brackets:
        if bracket in _OPENERS:
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"nested deeper than {MAX_DEPTH} levels")
        else:
            depth -= 1


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise JsonError(f"the key {quoted(_first_repeated(pairs))} stands twice in one object")
    return mapping


def _first_repeated(pairs: Sequence[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is repeated")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonError(f"the number {text[:40]} is too large to be finite")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON (write null, or leave the field out)")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
_TEXT_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=NumberText, parse_int=NumberText, parse_constant=_refuse_constant
)
