"""Bytes of a provider's answer to checked values: nothing that a broken proxy can send gets further than this.

The SDKs hand malformed 200s on as strings, None, half-filled objects or bare decoding errors, so their parsing is
not used: a body is read here, strictly, and every field that is used is checked for its type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_COUNT = 10**12


class MalformedBody(ValueError):
    """An answer that is not what the provider's API describes; the text says how, quoting nothing of it."""


def load_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body; :class:`MalformedBody` for anything else.

    Refused: invalid UTF-8, text that is not JSON, NaN and infinities, duplicate keys, nesting that the parser can't
    follow, and every value but an object.
    """
    value = _parsed(_decoded(raw))
    if not isinstance(value, dict):
        raise MalformedBody(f"the body is {kind_of(value)} instead of an object")
    return value


def clean_text(text: str) -> str:
    """The text with lone surrogates, which no file or request can hold, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def text_in(mapping: Mapping[str, Any], key: str) -> str:
    """The string under a key, cleaned; empty when it is absent or null."""
    value = mapping.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedBody(f"{key} is {kind_of(value)} instead of a string")
    return clean_text(value)


def list_in(mapping: Mapping[str, Any], key: str) -> list[Any]:
    """The array under a key; empty when it is absent or null."""
    value = mapping.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedBody(f"{key} is {kind_of(value)} instead of an array")
    return value


def object_in(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key; empty when it is absent or null."""
    value = mapping.get(key)
    return {} if value is None else as_object(value, key)


def as_object(value: object, name: str) -> dict[str, Any]:
    """The value if it is an object."""
    if not isinstance(value, dict):
        raise MalformedBody(f"{name} is {kind_of(value)} instead of an object")
    return value


def count_in(mapping: Mapping[str, Any], key: str) -> int:
    """The token count under a key, 0 when it is absent or null; booleans, fractions, negative numbers are refused."""
    value = mapping.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise MalformedBody(f"{key} is {kind_of(value)} instead of a count")
    return value


def logprob_in(mapping: Mapping[str, Any], key: str) -> float:
    """The log-probability under a key; null counts as impossible (-inf is not JSON, some servers write null)."""
    value = mapping.get(key)
    if value is None:
        return -9999.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MalformedBody(f"{key} is {kind_of(value)} instead of a log-probability")
    if value > 1e-3:
        raise MalformedBody(f"{key} is above 0")
    return min(float(value), 0.0)


def probability_in(mapping: Mapping[str, Any], key: str) -> float:
    """The probability under a key: a number from 0 to 1 (rounding may pass 1 by a hair)."""
    value = mapping.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e-9 <= value <= 1 + 1e-6:
        raise MalformedBody(f"{key} is {kind_of(value)} instead of a probability")
    return min(max(float(value), 0.0), 1.0)


def kind_of(value: object) -> str:
    """What a JSON value is, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedBody("the body is not valid UTF-8") from None
    if not text.strip():
        raise MalformedBody("the body is empty")
    if text.lstrip()[:1] == "<":
        raise MalformedBody("the body is HTML or XML instead of JSON")
    return text


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except MalformedBody:
        raise
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    except ValueError:
        raise MalformedBody("the body is not valid JSON") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise MalformedBody("an object of the body has the same key twice")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise MalformedBody(f"the body holds {name}, which is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
