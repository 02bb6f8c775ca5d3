"""Numbered lines of a file: bytes in, split at line feeds only, each of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
_KEPT_OF_LONG = 64 << 10


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end, byte order mark or carriage return; ``number`` counts from 1.

    ``length`` is the full length in bytes where the line is longer than the limit; ``data`` is then only its start.
    """

    number: int
    data: bytes
    length: int | None = None


def numbered_lines(chunks: Iterable[bytes], limit: int, *, keep_returns: bool = False) -> Iterator[Line]:
    """The lines of the chunks, blank ones too. Memory is bounded by ``limit`` bytes and one chunk.

    ``keep_returns`` leaves a carriage return at the end of a line: in a CSV cell it is content.
    """
    for number, (data, length) in enumerate(_split(chunks, limit), 1):
        if data.startswith(BOM):
            data = data[len(BOM) :]
        if data.endswith(b"\r") and not keep_returns:
            data = data[:-1]
        yield Line(number, data, length)


def _split(chunks: Iterable[bytes], limit: int) -> Iterator[tuple[bytes, int | None]]:
    """Pieces between line feeds; one that is longer than the limit is given as its start and its length."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            if held:
                size += len(piece)
                yield _joined([*held, piece], size, limit)
                held, size = [], 0
            else:
                yield _joined([piece], len(piece), limit)
        if rest:
            size += len(rest)
            if size <= limit:
                held.append(rest)
            else:
                held = [b"".join((*held, rest))[:_KEPT_OF_LONG]]
    if held:
        yield _joined(held, size, limit)


def _joined(pieces: list[bytes], size: int, limit: int) -> tuple[bytes, int | None]:
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return (data, None) if size <= limit else (data[:_KEPT_OF_LONG], size)
