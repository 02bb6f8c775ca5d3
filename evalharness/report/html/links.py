"""Addresses within the page: ``#dialogue/turn`` for a place to read, ``#?…`` for a filter of the list.

A dialogue's id is percent-encoded, so that neither ``/`` nor anything else in it can be read as part of the address;
the tilde, which percent-encoding never yields here, escapes the lone surrogates that it can't express. The page's
script ``address.js`` writes and reads the same form.
"""

from __future__ import annotations

from urllib.parse import quote

from evalharness.core.canonical import JsonScalar


def encode_id(text: str) -> str:
    """An id as one segment of an address: unreserved characters are letters, digits, ``-``, ``_`` and ``.``."""
    return "".join(_encode_char(char) for char in text)


def dialogue_link(dialogue: str, turn: int | None = None) -> str:
    """The address of a dialogue or of one message of it."""
    return f"#{encode_id(dialogue)}/{'' if turn is None else turn}"


def filter_link(**parts: JsonScalar) -> str:
    """The address that sets the list's filter; parts that are None are left out.

    ``c`` column number, ``s`` status, ``why`` cause, ``ge``/``lt`` value range, ``level`` number of a nominal level,
    ``pass`` yes or no, ``system``, ``flag``, ``sort``, ``rows`` turns or dialogues.
    """
    given = [f"{name}={encode_id(str(value))}" for name, value in parts.items() if value is not None]
    return "#?" + "&".join(given)


def slice_link(column: int, key: str, value: str) -> str:
    """The address of a column's items in a slice, worst first."""
    if key == "system":
        return filter_link(c=column, s="scored", system=value, sort="worst")
    return f"{filter_link(c=column, s='scored', sort='worst')}&x={encode_id(key)}:{encode_id(value)}"


def _encode_char(char: str) -> str:
    if "\ud800" <= char <= "\udfff":
        return f"~{ord(char):04X}"
    return "%7E" if char == "~" else quote(char, safe="")
