"""Writing tables as Parquet, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json
from evalharness.data.files import atomic_bytes
from evalharness.errors import MissingDependencyError

_ROWS = 20_000
"""Rows that are held in memory and make one row group."""


def write_parquet(path: Path, records: Iterable[Mapping[str, Json]], fields: Mapping[str, type]) -> int:
    """Write records whole or not at all; how many there were.

    ``fields`` names the columns in their order with their types (str, int, float); a record may lack any of them.
    Lone surrogates, which Parquet's text can't hold, become escapes. ``MissingDependencyError`` without pyarrow.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError(
            "writing Parquet needs pyarrow, which is not installed",
            fix="Install it with: pip install 'evalharness[parquet]'",
        ) from error
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in fields.items()])
    count = 0
    waiting = iter(records)
    with atomic_bytes(path) as out, parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        while block := list(islice(waiting, _ROWS)):
            count += len(block)
            columns = {name: [_cell(record.get(name)) for record in block] for name in fields}
            writer.write_table(arrow.table(columns, schema=schema))
    return count


def _cell(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
