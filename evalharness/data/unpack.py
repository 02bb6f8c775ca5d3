"""Bytes of a file in chunks of bounded size: plain, gzip or zstd, told apart by their first bytes, never by name.

A damaged or cut-off archive is a :class:`~evalharness.errors.InputError`, never a shorter file; a decompression bomb
costs no more memory than one chunk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from evalharness.errors import InputError, Problem

CHUNK = 256 << 10
"""Bytes per chunk read from a file or given out by a decompressor."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))
_ZSTD_FEED = 1 << 10  # one input byte can unpack to 32 KiB, and this decompressor has no output limit
_ZSTD_MAX_WINDOW = 128 << 20

_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive (or a spreadsheet)", "Unpack it, or save the sheet as CSV."),
    (b"BZh", "bzip2-compressed", "Unpack it with bunzip2, or use gzip or zstd."),
    (b"\xfd7zXZ\x00", "xz-compressed", "Unpack it with unxz, or use gzip or zstd."),
    (b"%PDF-", "a PDF document", "Export the dialogues as JSON Lines or CSV."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the dialogues as JSON Lines or CSV."),
)
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32LE"),
    (b"\x00\x00\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
)


def unpacked(stream: BinaryIO, source: str) -> Iterator[bytes]:
    """The content of the stream, unpacked, in non-empty chunks of at most about :data:`CHUNK` bytes.

    ``source`` names the file in errors. Raises ``InputError`` for damaged archives, other binary formats and text
    that is not UTF-8 by its first bytes.
    """
    raw = _chunks(stream, source)
    first = next(raw, b"")
    while len(first) < len(_FOREIGN[-1][0]) and (more := next(raw, b"")):
        first += more
    packed = chain((first,), raw) if first else raw
    if first.startswith(_GZIP):
        return _checked(_gunzip(packed, source), source)
    if first.startswith((_ZSTD, *_ZSTD_SKIPPABLE)):
        return _checked(_unzstd(packed, source), source)
    return _checked(packed, source)


def _chunks(stream: BinaryIO, source: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(CHUNK)
        except OSError as error:
            raise _fault(source, f"can't be read: {error.strerror or error}") from error
        if not chunk:
            return
        yield chunk


def _checked(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    """The chunks, after a look at the first for what is certainly not UTF-8 text."""
    first = next(chunks, b"")
    for magic, what, fix in _FOREIGN:
        if first.startswith(magic):
            raise _fault(source, f"this is {what}, not text", fix)
    encoding = _wide_encoding(first)
    if encoding:
        fix = f"Convert it to UTF-8: iconv -f {encoding} -t UTF-8 FILE > NEW."
        raise _fault(source, f"the text is encoded as {encoding}, not UTF-8", fix)
    if first:
        yield first
    yield from chunks


def _wide_encoding(first: bytes) -> str | None:
    """The name of a UTF-16 or UTF-32 encoding shown by a byte order mark or by NULs beside the first characters."""
    for mark, name in _ENCODINGS:
        if first.startswith(mark):
            return name
    start = first[:4]
    if len(start) == 4 and start[0] and not start[1] and start[2] and not start[3]:
        return "UTF-16LE"
    if len(start) == 4 and not start[0] and start[1] and not start[2] and start[3]:
        return "UTF-16BE"
    return None


def _gunzip(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    """All members of a gzip file; zero padding behind the last one is allowed, anything else is a fault."""
    member = zlib.decompressobj(wbits=31)
    started = True
    for chunk in chunks:
        while chunk:
            if not started:
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    break
                member, started = zlib.decompressobj(wbits=31), True
                _require_magic(chunk, _GZIP[:1], source, "gzip")
            try:
                out = member.decompress(chunk, CHUNK)
            except zlib.error as error:
                raise _fault(source, f"the gzip data is damaged ({_zlib_reason(error)})") from error
            chunk = member.unused_data if member.eof else member.unconsumed_tail
            started = not member.eof
            if out:
                yield out
    if started:
        raise _cut(source, "gzip")


def _zlib_reason(error: zlib.error) -> str:
    text = str(error).rpartition(": ")[2]
    return {"incorrect data check": "the checksum does not match"}.get(text, text)


def _unzstd(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    import zstandard

    maker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW)
    frame = maker.decompressobj()
    started = True
    for piece in _small(chunks):
        while piece:
            if not started:
                frame, started = maker.decompressobj(), True
                _require_magic(piece, (_ZSTD[:1], *(magic[:1] for magic in _ZSTD_SKIPPABLE)), source, "zstd")
            try:
                out = frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise _fault(source, f"the zstd data is damaged ({error})") from error
            piece = frame.unused_data if frame.eof else b""
            started = not frame.eof
            for start in range(0, len(out), CHUNK):
                yield out[start : start + CHUNK]
    if started:
        raise _cut(source, "zstd")


def _small(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _ZSTD_FEED):
            yield chunk[start : start + _ZSTD_FEED]


def _require_magic(data: bytes, starts: bytes | tuple[bytes, ...], source: str, kind: str) -> None:
    """A further member must begin like one; its first byte is enough, the decompressor checks the rest."""
    if not data.startswith(starts):
        raise _fault(source, f"there is something else behind the {kind} data (damaged, or badly joined?)")


def _cut(source: str, kind: str) -> InputError:
    return _fault(
        source, f"the {kind} data ends too early: the file is cut off", "Fetch or write the file again."
    )


def _fault(source: str, message: str, fix: str | None = None) -> InputError:
    return InputError(Problem(message, source, fix=fix))
