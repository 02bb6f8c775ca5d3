"""Baseline files: a run's scores, signatures and hashes in one compact JSON file, without any dialogue text.

``VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json, canonical_json, content_hash
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot, Subject
from evalharness.data.writing import text_out
from evalharness.errors import InputError, Problem, UsageError

VERSION = 1
_MAX_BYTES = 1 << 30
_STATUS = {"scored": 0, "failed": 1, "skipped": 2}
_FIX = "Write it anew with `evalharness baseline save RUN`."


def write_baseline(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot whole or not at all; packed where the name ends in ``.gz``."""
    body = _document(snapshot)
    text = canonical_json({"evalharness_baseline": VERSION, "hash": content_hash(body, 32), **body}) + "\n"
    with text_out(str(path)) as out:
        out.write(text)


def read_baseline(path: Path) -> Snapshot:
    """The snapshot in a file; an :class:`InputError` for one that is none, is damaged, or of a newer version."""
    found = _parsed(path)
    version = found.pop("evalharness_baseline", None)
    if not isinstance(version, int):
        raise InputError(Problem("this is no baseline file", str(path), fix=_FIX))
    if version > VERSION:
        raise UsageError(f"{path} was written by a newer evalharness", fix="Update evalharness.")
    stated = found.pop("hash", None)
    if stated != content_hash(found, 32):
        raise InputError(Problem("the file is damaged: its hash does not fit", str(path), fix=_FIX))
    try:
        return _snapshot(found)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            Problem("the file does not hold what a baseline holds", str(path), fix=_FIX)
        ) from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(Problem("the file is too large for a baseline", str(path)))
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(wbits=31)
            raw = unpacker.decompress(raw, _MAX_BYTES)
        found = json.loads(raw)
    except OSError as error:
        raise UsageError(
            f"can't read the baseline {path}: {error.strerror}", fix="Name a run folder or a baseline file."
        ) from error
    except (ValueError, zlib.error, RecursionError) as error:
        raise InputError(Problem("this is no baseline file", str(path), fix=_FIX)) from error
    if not isinstance(found, dict):
        raise InputError(Problem("this is no baseline file", str(path), fix=_FIX))
    return found


def _document(snapshot: Snapshot) -> dict[str, Json]:
    return {
        "name": snapshot.name,
        "created": snapshot.created,
        "partial": snapshot.partial,
        "toy_judges": list(snapshot.toy_judges),
        "dialogues": [
            [subject.id, subject.group, subject.content, dict(subject.metadata)]
            for subject in snapshot.subjects
        ],
        "columns": [
            {
                "column": {**asdict(series.column), "unit": series.column.unit.value},
                "items": series.items,
                "outcomes": list(_rows(series)),
            }
            for series in snapshot.series
        ],
    }


def _rows(series: Series) -> Iterator[Json]:
    for mark in series.marks:
        row: list[Json] = [mark.subject, mark.turn, mark.reply, _STATUS[mark.status], mark.value]
        yield [*row, list(mark.samples)] if mark.samples else row


def _snapshot(found: dict[str, Any]) -> Snapshot:
    subjects = tuple(
        Subject(id=name, group=group, content=content, metadata=metadata)
        for name, group, content, metadata in found["dialogues"]
    )
    names = list(_STATUS)
    series = []
    for entry in found["columns"]:
        row = entry["column"]
        column = Column(**{**row, "unit": Unit(row["unit"]), "levels": tuple(row["levels"])})
        marks = tuple(
            Mark(subject, turn, reply, value, names[status], tuple(rest[0]) if rest else ())
            for subject, turn, reply, status, value, *rest in entry["outcomes"]
        )
        series.append(Series(column, entry["items"], marks))
    return Snapshot(
        found["name"], found["created"], subjects, tuple(series), found["partial"], tuple(found["toy_judges"])
    )
