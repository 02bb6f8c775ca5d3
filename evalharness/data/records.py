"""Records of a file, whatever contains them: JSON Lines, a JSON array or object, CSV, TSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from evalharness.data import strictjson
from evalharness.data.arrays import array_elements
from evalharness.data.lines import BOM, Line, numbered_lines
from evalharness.data.reading import FileTally, Record, RecordError, Rejected
from evalharness.data.sources import opened, plain_suffix, rereadable
from evalharness.data.tables import parquet_records, separated_records
from evalharness.data.unpack import unpacked
from evalharness.data.words import json_kind
from evalharness.errors import InputError, Problem

CONTAINERS = ("jsonl", "json", "csv", "tsv", "parquet")
_PARQUET_MAGIC = b"PAR1"
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_TABLES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_SURROGATE_NOTE = "lone surrogate replaced by U+FFFD"


def file_records(
    source: str, container: str | None, limit: int, tally: FileTally, stdin: BinaryIO | None = None
) -> Iterator[Record | Rejected]:
    """The records of one source in order; a record that can't be parsed is rejected and the rest is read on.

    ``container`` forces one of :data:`CONTAINERS`; ``limit`` is the longest record in bytes. Counts go to ``tally``.
    Raises ``InputError`` for a damaged file.
    """
    if container == "parquet" or plain_suffix(source) == ".parquet" or _has_parquet_magic(source):
        tally.container = "parquet"
        yield from _counted(parquet_records(_real_file(source)), tally)
        return
    with opened(source, stdin) as stream:
        chunks = unpacked(stream, source)
        first = next(chunks, b"")
        tally.container = container or _container(source, first)
        yield from _counted(_contained(chain((first,), chunks), source, limit, tally), tally)


def _contained(
    chunks: Iterable[bytes], source: str, limit: int, tally: FileTally
) -> Iterator[Record | Rejected]:
    match tally.container:
        case "jsonl":
            return _json_records(_without_blank(numbered_lines(chunks, limit), tally), source, limit, "line")
        case "json":
            return _json_document(chunks, source, limit)
        case _:
            separator = "\t" if tally.container == "tsv" else None
            return separated_records(
                numbered_lines(chunks, limit, keep_returns=True), source, separator, limit
            )


def _counted(records: Iterable[Record | Rejected], tally: FileTally) -> Iterator[Record | Rejected]:
    for record in records:
        tally.records += 1
        yield record


def _container(source: str, first: bytes) -> str:
    """What the content is in, by the file's suffix and its first bytes."""
    suffix = plain_suffix(source)
    if suffix in _TABLES:
        return "tsv" if _TABLES[suffix] == "\t" else "csv"
    start = first.removeprefix(BOM).lstrip()
    if suffix in _LINES_SUFFIXES or not start.startswith((b"[", b"{")):
        return "jsonl"
    if start.startswith(b"["):
        return "json"
    return "json" if _goes_on(start) else "jsonl"


def _goes_on(start: bytes) -> bool:
    """Whether one object is written over several lines: the first does not close it, the next opens no other."""
    line, newline, rest = start.partition(b"\n")
    return bool(newline) and not line.rstrip().endswith(b"}") and not rest.startswith(b"{")


def _has_parquet_magic(source: str) -> bool:
    if not rereadable(source):
        return False
    with opened(source) as stream:
        return stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _real_file(source: str) -> str:
    if not rereadable(source):
        fix = "Write it to a file and name that."
        raise InputError(Problem("Parquet can't be read from a pipe", source, fix=fix))
    return source


def _without_blank(lines: Iterable[Line], tally: FileTally) -> Iterator[Line]:
    for line in lines:
        if line.data.isspace() or not line.data:
            tally.blank_lines += 1
        else:
            yield line


def _json_document(chunks: Iterable[bytes], source: str, limit: int) -> Iterator[Record | Rejected]:
    """A JSON array's elements, or the one object that the file consists of."""
    stream = iter(chunks)
    first = next((chunk for chunk in stream if chunk.removeprefix(BOM).strip()), b"")
    if first.removeprefix(BOM).lstrip().startswith(b"["):
        return _json_records(array_elements(chain((first,), stream), source, limit), source, limit, "element")
    return _json_records(_whole(chain((first,), stream), limit), source, limit, "document")


def _whole(chunks: Iterable[bytes], limit: int) -> Iterator[Line]:
    """The whole content as one piece; its start and a length over the limit where it is too long."""
    held = bytearray()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size <= limit:
            held += chunk
    data = bytes(held).removeprefix(BOM).strip()
    if data or size:
        yield Line(1, data, size if size > limit else None)


def _json_records(lines: Iterable[Line], source: str, limit: int, what: str) -> Iterator[Record | Rejected]:
    for line in lines:
        try:
            yield _json_record(line, source, limit, what)
        except RecordError as error:
            yield error.rejected(source, line.number, line.data)


def _json_record(line: Line, source: str, limit: int, what: str) -> Record:
    if line.length is not None:
        raise RecordError(
            f"the {what} has at least {line.length:,} bytes, more than the limit of {limit:,}",
            "Raise --max-line-bytes if it is meant to be so long.",
        )
    try:
        value, replaced = strictjson.loads_scrubbed(line.data)
    except strictjson.JsonError as error:
        raise RecordError(error.message, _encoding_fix(error), error.column) from None
    if type(value) is not dict:
        raise RecordError(f"the {what} holds {json_kind(value)}; a dialogue is a JSON object")
    return Record(source, line.number, value, line.data, (_SURROGATE_NOTE,) if replaced else ())


def _encoding_fix(error: strictjson.JsonError) -> str | None:
    if "UTF-8" not in error.message:
        return None
    return "If the file is Latin-1 or Windows-1252, convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW."
