"""Request bodies as bytes: what stays the same from request to request is encoded once.

The rubric, the schema and the settings make up most of a body and are equal in all requests of a judge; encoding them
again is a tenth of what a request costs this process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SHORT = 200
"""Characters up to which a text is encoded faster than it is looked up."""


class BodyText:
    """Encodes bodies of one client as compact JSON.

    Every member of a body, and of lists in it, remembers its last value and how that reads. Values must not be changed
    after they were in a body.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def encode(self, body: Mapping[str, Any]) -> bytes:
        """The body as UTF-8. NaN and infinities are a ``ValueError``, lone surrogates a ``UnicodeEncodeError``."""
        members = [f"{_quoted(name)}:{self._value(name, value)}" for name, value in body.items()]
        return f"{{{','.join(members)}}}".encode()

    def _value(self, place: str, value: object) -> str:
        if isinstance(value, list):
            return f"[{','.join([self._part(f'{place}{n}', part) for n, part in enumerate(value)])}]"
        return self._part(place, value)

    def _part(self, place: str, value: object) -> str:
        known = self._known.get(place)
        if known is not None and _same(known[0], value):
            return known[1]
        text = _ENCODER.encode(value)
        if len(text) > _SHORT:
            self._known[place] = (value, text)
        return text


def _same(known: object, value: object) -> bool:
    """Whether two values are written alike: 1, 1.0 and True are equal and are not."""
    if known is value:
        return True
    if type(known) is not type(value):
        return False
    if isinstance(known, dict) and isinstance(value, dict):
        return list(known) == list(value) and all(map(_same, known.values(), value.values()))
    if isinstance(known, list) and isinstance(value, list):
        return len(known) == len(value) and all(map(_same, known, value))
    return isinstance(known, str | int) and known == value
