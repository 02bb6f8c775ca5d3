"""The elements of a top-level JSON array, cut out of a byte stream one at a time, without parsing the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import regex

from evalharness.data.lines import BOM, Line
from evalharness.errors import InputError, Problem

# The patterns need possessive groups, which the standard library's re matches wrongly before Python 3.11.5.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INSIDE = regex.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb')*+([\[\]{}"])', regex.DOTALL)
_BETWEEN = regex.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb')*+([\[\]{},"])', regex.DOTALL)
_STRING_END = regex.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', regex.DOTALL)
_KEPT_OF_LONG = 64 << 10
_SPACE = b" \t\r\n"
_OPENERS, _CLOSERS = (b"[", b"{"), (b"]", b"}")
_COMMA = ord(",")


def array_elements(chunks: Iterable[bytes], source: str, limit: int) -> Iterator[Line]:
    """The elements of the array as :class:`Line` values numbered from 1; their text is not yet checked.

    An element longer than ``limit`` bytes is given as its start. Raises ``InputError`` for an array that is never
    closed or is followed by something else.
    """
    return _Splitter(source, limit).split(chunks)


class _Splitter:
    """Follows strings and brackets through the stream, looking at every byte once; one instance per array."""

    def __init__(self, source: str, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._buffer = b""
        self._start = 0  # where the present element begins in the buffer
        self._scanned = 0  # the buffer is understood up to here
        self._in_string = False
        self._depth = 0  # 0 outside the array, 1 between elements, 2 and more inside an element
        self._head = b""  # start of an element of which bytes were dropped
        self._dropped = 0  # how many bytes were
        self._number = 0
        self._closed = False

    def split(self, chunks: Iterable[bytes]) -> Iterator[Line]:
        for chunk in chunks:
            self._buffer += chunk
            while not self._closed and self._advance():
                element = self._take()
                if element is not None:
                    yield element
            self._shed()
        if not self._closed:
            raise self._fault("the JSON array is not closed: the file is cut off or a bracket is missing")
        if self._buffer[self._start :].strip(_SPACE):
            raise self._fault("there is something else behind the end of the JSON array")

    def _advance(self) -> bool:
        """Go on to the next bracket of the array itself or comma between elements; False where there is none yet."""
        if self._in_string and not self._leave_string():
            return False
        buffer, place, depth = self._buffer, self._scanned, self._depth
        while True:
            match = (_INSIDE if depth > 1 else _BETWEEN).match(buffer, place)
            if match is None:
                place = len(buffer)
                break
            token, place = match[1], match.end()
            if token in _OPENERS:
                depth += 1
            elif token in _CLOSERS:
                depth -= 1
            elif token == b'"':  # a string that goes on in the next chunk
                self._in_string = True
                break
            if depth < 1 or (depth == 1 and token not in _CLOSERS):
                break
        self._scanned, self._depth = place, depth
        if self._in_string:
            self._leave_string()
        return match is not None and not self._in_string

    def _leave_string(self) -> bool:
        match = _STRING_END.match(self._buffer, self._scanned)
        if match is not None:
            self._scanned, self._in_string = match.end(), False
            return True
        rest = self._buffer[self._scanned :]
        dangling = (len(rest) - len(rest.rstrip(b"\\"))) % 2
        self._scanned = len(self._buffer) - dangling
        return False

    def _take(self) -> Line | None:
        """The element that ends at the token just met, if one does."""
        if self._depth == 0:
            self._closed = True
            return None if self._is_empty() else self._element()
        if self._buffer[self._scanned - 1] == _COMMA:
            return self._element()
        self._begin()
        return None

    def _begin(self) -> None:
        if self._buffer[: self._scanned - 1].removeprefix(BOM).strip(_SPACE):
            raise self._fault("there is something else before the JSON array")
        self._start = self._scanned

    def _is_empty(self) -> bool:
        """Whether the array has no element at all; a trailing comma leaves an empty one, which is no JSON."""
        empty = not self._number and not self._dropped and not self._text().strip(_SPACE)
        if empty:
            self._start = self._scanned
        return empty

    def _text(self) -> bytes:
        """The present element, without the token behind it."""
        return self._buffer[self._start : self._scanned - 1]

    def _element(self) -> Line:
        data = self._text()
        length = self._dropped + len(data)
        head, self._head, self._dropped, self._start = self._head, b"", 0, self._scanned
        self._number += 1
        if length > self._limit:
            return Line(self._number, (head + data)[:_KEPT_OF_LONG], length)
        return Line(self._number, data.strip(_SPACE))

    def _shed(self) -> None:
        """Drop the elements that are done, and what is understood of one over the limit."""
        self._buffer, self._scanned = self._buffer[self._start :], self._scanned - self._start
        self._start = 0
        if len(self._buffer) + self._dropped > self._limit and not self._closed:
            self._head = (self._head + self._buffer[: self._scanned])[:_KEPT_OF_LONG]
            self._dropped += self._scanned
            self._buffer, self._scanned = self._buffer[self._scanned :], 0

    def _fault(self, message: str) -> InputError:
        return InputError(Problem(message, self._source))
