"""Rows of CSV, TSV and Parquet files as records; a cell that is empty in CSV is kept as empty text."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from evalharness.data.lines import Line
from evalharness.data.reading import Record, RecordError, Rejected
from evalharness.data.words import quoted
from evalharness.errors import InputError, MissingDependencyError, Problem

_PARQUET_BATCH = 1024
_UNDECODED = re.compile("[\udc80-\udcff]")


def separated_records(
    lines: Iterable[Line], source: str, separator: str | None, limit: int
) -> Iterator[Record | Rejected]:
    """The rows of a CSV file (``separator`` None: comma or semicolon, whichever the header shows) or TSV file.

    The first row names the columns. A row's number is that of the file's line on which it begins. Quoted cells may hold
    line breaks and at most ``limit`` characters.
    """
    # the csv module caps a cell at 128 KiB, for the whole process; our own limit is the one that counts
    csv.field_size_limit(max(limit, csv.field_size_limit()))
    texts = _texts(lines, source)
    header_line = next(texts, "")
    if not header_line.strip():
        return
    separator = separator or _separator(header_line)
    header = _header(header_line, separator, source)
    rows = csv.reader(texts, delimiter=separator, strict=True)
    while True:
        line = rows.line_num + 2  # the header is read apart
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise InputError(Problem(f"the row is not valid CSV: {error}", source, line)) from error
        if cells is None:
            return
        if not cells:  # a blank line
            continue
        yield _row(header, cells, source, line)


def _texts(lines: Iterable[Line], source: str) -> Iterator[str]:
    """The lines as text with their ends; undecodable bytes become surrogates, to be found in their row."""
    for line in lines:
        if line.length is not None:
            message = f"a line has {line.length:,} bytes, more than the limit (--max-line-bytes)"
            raise InputError(Problem(message, source, line.number))
        yield line.data.decode("utf-8", "surrogateescape") + "\n"


def _separator(header_line: str) -> str:
    return ";" if header_line.count(";") > header_line.count(",") else ","


def _header(line: str, separator: str, source: str) -> list[str]:
    header = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        message = f"the header names a column twice: {', '.join(map(quoted, repeated))}"
        raise InputError(Problem(message, source, 1))
    if "" in header:
        raise InputError(Problem(f"column {header.index('') + 1} of the header has no name", source, 1))
    return header


def _row(header: list[str], cells: list[str], source: str, number: int) -> Record | Rejected:
    row = Record(source, number, dict(zip(header, cells, strict=False)), b"")
    if len(cells) != len(header):
        return RecordError(f"the row has {len(cells)} cells, the header {len(header)}").rejecting(row)
    if any(_UNDECODED.search(cell) for cell in cells if not cell.isascii()):
        return RecordError("the row is not valid UTF-8").rejecting(row)
    return row


def parquet_records(path: str) -> Iterator[Record | Rejected]:
    """The rows of a Parquet file; nulls are left out, nested columns become lists and objects.

    Raises ``MissingDependencyError`` without pyarrow and ``InputError`` for a damaged file.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        fix = "Install it with: pip install 'evalharness[parquet]'"
        raise MissingDependencyError(
            "reading Parquet needs pyarrow, which is not installed", fix=fix
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=_PARQUET_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield _parquet_row(row, path, number)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"the Parquet file can't be read: {error}", path)) from error


def _parquet_row(row: Mapping[str, Any], source: str, number: int) -> Record | Rejected:
    try:
        value = {key: _plain(cell) for key, cell in row.items() if cell is not None}
        return Record(source, number, value, b"")
    except RecordError as error:
        return error.rejected(source, number, repr(row).encode("utf-8", "backslashreplace"))


def _plain(cell: Any) -> Any:
    """A Parquet value as a JSON value; raises ``RecordError`` for what has no faithful one."""
    if isinstance(cell, dict):
        return {key: _plain(value) for key, value in cell.items() if value is not None}
    if isinstance(cell, list):
        return [_pair_or_plain(value) for value in cell]
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, Decimal | timedelta):
        return str(cell)
    if isinstance(cell, bytes):
        raise RecordError("a column holds bytes, not text")
    if isinstance(cell, float) and not math.isfinite(cell):
        raise RecordError("a column holds NaN or an infinity")
    return cell


def _pair_or_plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else _plain(value)
