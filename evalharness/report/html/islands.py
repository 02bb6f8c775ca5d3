"""The data blocks of the page: one with the index of everything, and blocks of dialogues that are read on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalharness.core.canonical import Json
from evalharness.report.html.columns import ColumnSet, column_facts
from evalharness.report.html.entries import CAUSES, REASONS, Entry
from evalharness.report.html.island import data_block, island_json, packed
from evalharness.report.html.pool import Cap
from evalharness.report.html.selection import Chosen

PLAIN_LIMIT = 3_000_000
"""Bytes of data up to which it is left readable; more is packed."""

_CHUNK = 400_000
_MOST_VALUES = 40


def data_blocks(chosen: Chosen, columns: ColumnSet, cap: Cap, *, textless: bool = False) -> Iterator[str]:
    """The data blocks, the index first; ``textless`` tells the page that texts were left out."""
    blocks = list(_chunks(chosen.entries))
    is_packed = sum(entry.plain_size for entry in chosen.entries) > min(PLAIN_LIMIT, cap.size)
    yield _block("run-index", _index(chosen, columns, blocks, textless=textless), is_packed)
    for number, block in enumerate(blocks):
        yield _block(f"block-{number}", _array(entry.record for entry in block), is_packed)


def _block(name: str, text: str, is_packed: bool) -> str:
    return data_block(name, packed(text) if is_packed else text, is_packed=is_packed)


def _array(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Neighbouring entries in lists of about :data:`_CHUNK` characters of records."""
    chunk: list[Entry] = []
    length = 0
    for entry in entries:
        chunk.append(entry)
        length += len(entry.record)
        if length >= _CHUNK:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _index(chosen: Chosen, columns: ColumnSet, blocks: Sequence[Sequence[Entry]], *, textless: bool) -> str:
    facets = _facets(chosen.entries)
    sources = {
        source: place for place, source in enumerate(sorted({entry.source for entry in chosen.entries}))
    }
    facts: dict[str, Json] = {
        "columns": [column_facts(column) for column in columns.flat],
        "causes": list(CAUSES),
        "reasons": list(REASONS),
        "sources": list(sources),
        "facets": [{"key": key, "values": list(values)} for key, values in facets.items()],
        "blocks": [len(block) for block in blocks],
        "textless": textless,
    }
    rows = _array(_row(entry, facets, sources) for entry in chosen.entries)
    return f'{island_json(facts)[:-1]},"dialogues":{rows}}}'


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


def _row(entry: Entry, facets: Mapping[str, Mapping[str, int]], sources: Mapping[str, int]) -> str:
    """The index row with the number of its source and of its value in each facet (-1: none)."""
    values = [known[entry.facets[key]] if key in entry.facets else -1 for key, known in facets.items()]
    return f"{entry.index[:-1]},{sources[entry.source]},{island_json(values)}]"
