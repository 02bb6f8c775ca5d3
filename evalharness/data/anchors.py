"""Anchor files: JSON Lines, a head and a line per item, sealed by a hash, so that frozen means frozen.

The head holds ``evalharness_anchors`` (the version), ``run``, ``created``, ``columns`` and ``hash``; each other line
``dialogue`` (native form), ``turn``, ``verdicts`` ([position of the column, value] pairs) and ``labels`` (means by
criterion). ``VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalharness.core.anchors import Anchor, Anchors
from evalharness.core.canonical import Json, canonical_json, content_hash
from evalharness.core.dialogue import Dialogue, Unit
from evalharness.core.native import to_json
from evalharness.core.scores import Column
from evalharness.data import strictjson
from evalharness.data.readers.native import NativeReader
from evalharness.data.reading import Record, RecordError
from evalharness.data.writing import text_out
from evalharness.errors import InputError, Problem, UsageError

VERSION = 1
_MAX_BYTES = 256 << 20
_FIX = "Make it with `evalharness baseline anchors RUN --labels L`."


def write_anchors(path: Path, anchors: Anchors) -> None:
    """Write anchors whole or not at all; packed where the name ends in ``.gz``."""
    lines = [_line(anchor) for anchor in anchors.items]
    head = _head(anchors)
    with text_out(str(path)) as out:
        out.write(canonical_json({**head, "hash": _digest(head, lines)}) + "\n")
        out.writelines(canonical_json(line) + "\n" for line in lines)


def read_anchors(path: Path) -> Anchors:
    """The anchors in a file; an :class:`InputError` for one that holds none, was changed, or is of a newer version."""
    rows = _rows(path)
    head = rows[0][1]
    version = head.pop("evalharness_anchors", None)
    if not isinstance(version, int):
        raise InputError(Problem("this is no file of anchors", str(path), 1, fix=_FIX))
    if version > VERSION:
        raise UsageError(f"{path} was written by a newer evalharness", fix="Update evalharness.")
    stated = head.pop("hash", None)
    lines = [row for _, row in rows[1:]]
    if stated != _digest({"evalharness_anchors": version, **head}, lines):
        raise InputError(
            Problem(
                "the anchors were changed after they were frozen: their hash does not fit",
                str(path),
                fix=_FIX,
            )
        )
    try:
        columns = tuple(_column(row) for row in head["columns"])
        items = tuple(_anchor(row, str(path), number) for number, row in rows[1:])
        return Anchors(head["run"], head["created"], columns, items, str(stated))
    except (KeyError, TypeError, ValueError, RecordError) as error:
        raise InputError(Problem(f"the file does not hold anchors: {error}", str(path), fix=_FIX)) from error


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    import gzip

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(Problem("the file is too large for anchors", str(path)))
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except OSError as error:
        raise UsageError(f"can't read the anchors {path}: {error.strerror or error}", fix=_FIX) from error
    rows = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = strictjson.loads(line)
        except ValueError as error:
            raise InputError(
                Problem(f"this is no file of anchors: {error}", str(path), number, fix=_FIX)
            ) from error
        if not isinstance(row, dict):
            raise InputError(Problem("this is no file of anchors", str(path), number, fix=_FIX))
        rows.append((number, row))
    if not rows:
        raise InputError(Problem("there are no anchors in this file", str(path), fix=_FIX))
    return rows


def _head(anchors: Anchors) -> dict[str, Json]:
    columns: list[Json] = [{**asdict(column), "unit": column.unit.value} for column in anchors.columns]
    return {
        "evalharness_anchors": VERSION,
        "run": anchors.run,
        "created": anchors.created,
        "columns": json.loads(json.dumps(columns)),
    }


def _line(anchor: Anchor) -> dict[str, Json]:
    return {
        "dialogue": to_json(anchor.dialogue),
        "turn": anchor.turn,
        "verdicts": [[place, value] for place, value in sorted(anchor.verdicts.items())],
        "labels": dict(anchor.labels),
    }


def _digest(head: dict[str, Any], lines: Sequence[dict[str, Any]] | Iterable[dict[str, Any]]) -> str:
    return content_hash([head, list(lines)], 32)


def _column(row: dict[str, Any]) -> Column:
    return Column(**{**row, "unit": Unit(row["unit"]), "levels": tuple(row["levels"])})


def _anchor(row: dict[str, Any], source: str, line: int) -> Anchor:
    dialogue = _dialogue(row["dialogue"], source, line)
    turn = row["turn"]
    if turn is not None and not (isinstance(turn, int) and 0 <= turn < len(dialogue.messages)):
        raise ValueError(f"line {line} names turn {turn!r}, which its dialogue does not have")
    return Anchor(
        dialogue,
        turn,
        {int(place): float(value) for place, value in row["verdicts"]},
        {str(name): float(value) for name, value in row["labels"].items()},
    )


def _dialogue(row: dict[str, Any], source: str, line: int) -> Dialogue:
    """The dialogue, checked as any that is read from a file."""
    (read,) = NativeReader().dialogues(Record(source, line, row, b""))
    return read.dialogue
