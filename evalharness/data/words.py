"""Words for what a file holds, shared by messages of every reader."""

from __future__ import annotations

from typing import Any

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def json_kind(value: Any) -> str:
    """What a JSON value is, in words: ``a list``, ``a number`` …"""
    return "null" if value is None else _KINDS.get(type(value), "an object")


def quoted(text: str, limit: int = 60) -> str:
    """Untrusted text for a message: quoted, with escapes, and cut (marked ``…``) at ``limit`` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
