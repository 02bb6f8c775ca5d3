"""Dialogues and labels to files: native JSON Lines, long-form labels; whole or not at all, packed by suffix."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO, BinaryIO, TextIO, cast

import jsonlines

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue
from evalharness.core.labels import Label, PairLabel
from evalharness.core.native import to_json
from evalharness.data.csvcells import guarded
from evalharness.data.dialogues import Read, ReadOptions, Tally, read_dialogues
from evalharness.data.sources import STDIN, plain_suffix
from evalharness.errors import InputError, Problem, StorageError, UsageError

LABEL_COLUMNS = ("dialogue", "turn", "criterion", "rater", "value", "repeat", "comment")
PAIR_COLUMNS = ("dialogue_a", "dialogue_b", "turn", "turn_b", "criterion", "rater", "value", "comment")

MAX_PROBLEMS = 1000
_ZSTD_LEVEL = 9


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written, and the records that were left out because they are no dialogues."""

    dialogues: int
    labels: int
    rejected: tuple[Problem, ...]
    rejected_count: int


def convert(
    sources: Sequence[str],
    out: str,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    *,
    labels: str | None = None,
    skip_bad_lines: bool = False,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
    tally: Tally | None = None,
) -> Converted:
    """Write the dialogues of any sources as native JSON Lines, and the ratings in them to ``labels``.

    ``out`` is a path (``.gz`` and ``.zst`` are packed) or ``-`` for ``stdout``. Without ``skip_bad_lines`` a record
    that is no dialogue raises ``InputError`` and nothing is written.
    """
    rejected: list[Problem] = []
    counts = {"dialogues": 0, "labels": 0, "rejected": 0}
    with ExitStack() as stack:
        dialogue_file = DialogueWriter(stack.enter_context(text_out(out, stdout)))
        label_file = LabelWriter(labels, stack.enter_context(text_out(labels, stdout))) if labels else None
        for outcome in read_dialogues(sources, options, stdin=stdin, tally=tally):
            if not isinstance(outcome, Read):
                counts["rejected"] += 1
                rejected.extend([outcome.problem] if len(rejected) < MAX_PROBLEMS else [])
                continue
            dialogue_file.write(outcome.dialogue)
            counts["dialogues"] += 1
            if label_file:
                counts["labels"] += label_file.write_all(outcome.labels)
        if rejected and not skip_bad_lines:
            raise InputError(rejected)
    return Converted(counts["dialogues"], counts["labels"], tuple(rejected), counts["rejected"])


def write_dialogues(out: str, dialogues: Iterable[Dialogue], stdout: BinaryIO | None = None) -> int:
    """Write dialogues as native JSON Lines to a path or ``-``; how many there were."""
    with text_out(out, stdout) as stream:
        return DialogueWriter(stream).write_all(dialogues)


def write_labels(out: str, labels: Iterable[Label | PairLabel], stdout: BinaryIO | None = None) -> int:
    """Write labels in the long form, as CSV where the suffix says so, else as JSON Lines; how many there were."""
    with text_out(out, stdout) as stream:
        return LabelWriter(out, stream).write_all(labels)


class DialogueWriter:
    """Writes dialogues in the native form, one a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines = jsonlines.Writer(stream, dumps=_dumps)

    def write(self, dialogue: Dialogue) -> None:
        """Write one dialogue."""
        self._lines.write(to_json(dialogue))

    def write_all(self, dialogues: Iterable[Dialogue]) -> int:
        """Write dialogues; how many there were."""
        count = 0
        for dialogue in dialogues:
            self.write(dialogue)
            count += 1
        return count


class LabelWriter:
    """Writes labels in the long form; a CSV file holds labels of items or of pairs, not both."""

    def __init__(self, out: str, stream: IO[str]) -> None:
        self._csv = csv.writer(stream, lineterminator="\n") if plain_suffix(out) == ".csv" else None
        self._lines = jsonlines.Writer(stream, dumps=_dumps)
        self._columns: tuple[str, ...] = ()

    def write_all(self, labels: Iterable[Label | PairLabel]) -> int:
        """Write labels; how many there were."""
        count = 0
        for label in labels:
            row = _pair_row(label) if isinstance(label, PairLabel) else _label_row(label)
            if self._csv is None:
                self._lines.write({key: value for key, value in row.items() if value not in (None, "")})
            else:
                self._write_cells(row)
            count += 1
        return count

    def _write_cells(self, row: dict[str, Json]) -> None:
        columns = tuple(row)
        if self._csv is not None and columns != self._columns:
            if self._columns:
                fix = "Write them as JSON Lines (.jsonl)."
                raise UsageError("a CSV file can't hold labels of items and of pairs together", fix=fix)
            self._columns = columns
            self._csv.writerow(columns)
        if self._csv is not None:
            self._csv.writerow([_cell(value) for value in row.values()])


def _label_row(label: Label) -> dict[str, Json]:
    values = (
        label.dialogue, label.turn, label.criterion, label.rater, _number(label.value), label.repeat or None,
        label.comment,
    )  # fmt: skip
    return dict(zip(LABEL_COLUMNS, values, strict=True))


def _pair_row(label: PairLabel) -> dict[str, Json]:
    values = (
        label.dialogue_a, label.dialogue_b, label.turn, label.turn_b, label.criterion, label.rater, label.value,
        label.comment,
    )  # fmt: skip
    return dict(zip(PAIR_COLUMNS, values, strict=True))


def _number(value: float | str) -> float | str:
    """A whole number without its ``.0``."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _cell(value: Json) -> str:
    if value is None:
        return ""
    return guarded(value) if isinstance(value, str) else _dumps(value)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@contextmanager
def text_out(out: str, stdout: BinaryIO | None = None) -> Iterator[TextIO]:
    """A text stream to a path that appears only when everything was written, or to ``stdout`` for ``-``.

    Lone surrogates become JSON escapes. Raises ``StorageError`` when it can't be written.
    """
    if out == STDIN:
        if stdout is None:
            raise ValueError("writing to - needs the stream")
        with _as_text(stdout) as text:
            yield text
        return
    path = Path(out).resolve()
    partial = path.with_name(f".{path.name[:80]}.{token_hex(6)}.partial")
    direct = path.exists() and not path.is_file()  # a pipe or a device can't be replaced
    try:
        with (
            path.open("wb") if direct else partial.open("xb") as raw,
            _packed(raw, path.suffix.lower()) as packed,
            _as_text(packed) as text,
        ):
            yield text
        if not direct:
            partial.replace(path)
    except OSError as error:
        raise StorageError(f"can't write {out}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _packed(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """The stream through the packer that the suffix names; equal content gives equal bytes."""
    if suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    elif suffix in (".zst", ".zstd"):
        import zstandard

        packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
        with packer.stream_writer(raw, closefd=False) as packed:
            yield packed
    else:
        yield raw


@contextmanager
def _as_text(stream: BinaryIO) -> Iterator[TextIO]:
    """Text over the stream, which stays open."""
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        yield text
    finally:
        text.flush()
        text.detach()


__all__ = [
    "LABEL_COLUMNS", "PAIR_COLUMNS", "Converted", "DialogueWriter", "LabelWriter", "convert", "text_out",
    "write_dialogues", "write_labels",
]  # fmt: skip
