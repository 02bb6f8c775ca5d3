"""Canonical JSON and content hashes: equal content gives equal bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonScalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "JsonScalar | Sequence[Json] | Mapping[str, Json]"


_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
# made once: json.dumps makes a new encoder in each call with options


def canonical_json(value: object) -> str:
    """Compact JSON with sorted keys; NaN and infinities are refused (``ValueError``), lone surrogates escaped."""
    return _ENCODER.encode(value)


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of the text as UTF-8; lone surrogates are hashed by their code point."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_hash(value: object, length: int = 16) -> str:
    """First ``length`` hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return sha256_text(canonical_json(value))[:length]
