"""The data blocks of the page: one with the index of everything, and blocks of dialogues that are read on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from evalharness.core.canonical import Json
from evalharness.report.html.columns import ColumnSet, column_facts
from evalharness.report.html.entries import CAUSES, REASONS, Entry
from evalharness.report.html.island import data_block, island_json, packed
from evalharness.report.html.selection import Cap, Chosen, chunks

PLAIN_LIMIT = 3_000_000
"""Bytes of records up to which they are left readable; longer ones are packed."""

_CHUNK = 400_000
_MOST_VALUES = 40


def data_blocks(chosen: Chosen, columns: ColumnSet, cap: Cap) -> Iterator[str]:
    """The data blocks, the index first."""
    blocks = list(chunks(chosen.entries, _CHUNK))
    is_packed = sum(len(entry.record) for entry in chosen.entries) > min(PLAIN_LIMIT, cap.size)
    yield data_block("run-index", island_json(_index(chosen, columns, blocks, is_packed)))
    for number, block in enumerate(blocks):
        text = f"[{','.join(entry.record for entry in block)}]"
        yield data_block(f"block-{number}", packed(text) if is_packed else text, is_packed=is_packed)


def _index(
    chosen: Chosen, columns: ColumnSet, blocks: Sequence[Sequence[Entry]], is_packed: bool
) -> dict[str, Json]:
    facets = _facets(chosen.entries)
    sources = sorted({str(entry.index[3]) for entry in chosen.entries})
    places = {source: place for place, source in enumerate(sources)}
    return {
        "columns": [column_facts(column) for column in columns.flat],
        "causes": list(CAUSES),
        "reasons": list(REASONS),
        "sources": list(sources),
        "facets": [{"key": key, "values": list(values)} for key, values in facets.items()],
        "total": {"dialogues": chosen.dialogues, "turns": chosen.turns},
        "packed": is_packed,
        "blocks": [len(block) for block in blocks],
        "dialogues": [_row(entry, facets, places) for entry in chosen.entries],
    }


def _facets(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """The metadata that slices: keys with two to forty values, and the number of each value."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for key, value in entry.facets.items():
            if len(found[key]) <= _MOST_VALUES:
                found[key].add(value)
    slicing = {
        key: sorted(values) for key, values in sorted(found.items()) if 2 <= len(values) <= _MOST_VALUES
    }
    return {key: {value: i for i, value in enumerate(values)} for key, values in slicing.items()}


def _row(entry: Entry, facets: Mapping[str, Mapping[str, int]], places: Mapping[str, int]) -> list[Json]:
    row = list(entry.index)
    row[3] = places[str(row[3])]
    row.append([values[entry.facets[key]] if key in entry.facets else -1 for key, values in facets.items()])
    return row
