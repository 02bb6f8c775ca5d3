"""All labels of some files, every problem at once; values typed by criterion."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import BinaryIO

from evalharness.core.labels import Label, PairLabel
from evalharness.core.registry import unknown_name
from evalharness.data.dialogues import Read, ReadOptions, read_dialogues
from evalharness.data.labels import exports, tables, votes
from evalharness.data.labels.raw import LabelOptions, RawLabel, RawPair, Shape
from evalharness.data.readers.mt_bench import is_vote
from evalharness.data.reading import FileTally, Record, RecordError, Rejected
from evalharness.data.records import file_records
from evalharness.data.sources import expand
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem

SHAPES: Mapping[str, Shape] = {
    "long": tables.long_labels,
    "pairs": tables.pair_labels,
    "wide": tables.wide_labels,
    "label-studio": exports.label_studio_labels,
    "argilla": exports.argilla_labels,
    "langfuse": exports.langfuse_labels,
    "mt-bench-votes": votes.mt_bench_votes,
}
DIALOGUES = "dialogues"
"""The shape of a data set of dialogues that holds ratings (USR, FED, MT-Bench)."""

_MOST_PROBLEMS = 50
_SAMPLE = 5
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class LabelSet:
    """All labels of the files; ``left_out`` counts by reason what holds no label on purpose."""

    labels: tuple[RawLabel, ...]
    pairs: tuple[RawPair, ...]
    left_out: tuple[tuple[str, int], ...]
    sources: tuple[str, ...]


def read_labels(
    sources: Sequence[str], options: LabelOptions | None = None, *, stdin: BinaryIO | None = None
) -> LabelSet:
    """Every label of the files. Raises :class:`InputError` with all problems: bad rows, and criteria whose values
    mix types (``"4"`` and 4, words and numbers)."""
    chosen = options or LabelOptions()
    if chosen.format is not None and chosen.format not in (*SHAPES, DIALOGUES):
        raise unknown_name("label format", chosen.format, (*SHAPES, DIALOGUES))
    labels: list[RawLabel] = []
    pairs: list[RawPair] = []
    left_out: Counter[str] = Counter()
    problems: list[Problem] = []
    files = expand(list(sources))
    for source in files:
        for found in _file_labels(source, chosen, stdin):
            match found:
                case RawLabel():
                    labels.append(found)
                case RawPair():
                    pairs.append(found)
                case Problem():
                    problems.append(found)
                case str():
                    left_out[found] += 1
    if not problems and not labels and not pairs:
        problems.append(Problem("there are no labels", ", ".join(files)))
    typed, mixed = typed_values(labels)
    problems += mixed
    if problems:
        raise InputError(_cut(problems))
    return LabelSet(tuple(typed), tuple(pairs), tuple(sorted(left_out.items())), tuple(files))


def _file_labels(
    source: str, options: LabelOptions, stdin: BinaryIO | None
) -> Iterator[RawLabel | RawPair | Problem | str]:
    if options.format == DIALOGUES:
        yield from _ratings(source)
        return
    records = file_records(source, None, options.max_line_bytes, FileTally(source), stdin)
    sample = list(islice(records, _SAMPLE))
    minimal = _minimal(sample) if options.format in (None, "label-studio") else None
    if minimal is not None:
        yield minimal
        return
    shape = SHAPES[options.format] if options.format else _recognised(sample, options)
    if shape is None:
        yield from _ratings(source)
        return
    for record in chain(sample, records):
        yield from _labels_of(record, shape, options)


def _labels_of(
    record: Record | Rejected, shape: Shape, options: LabelOptions
) -> Iterator[RawLabel | RawPair | Problem | str]:
    if isinstance(record, Rejected):
        yield record.problem
        return
    try:
        for inner in _inner(record):
            yield from shape(inner, options)
    except RecordError as error:
        yield error.rejecting(record).problem


def _inner(record: Record) -> Iterator[Record]:
    """The records inside an envelope like ``{"data": [...]}``, or the record itself."""
    wrapped = record.value.get("data")
    if isinstance(wrapped, list) and all(isinstance(part, dict) for part in wrapped):
        for part in wrapped:
            yield replace(record, value=part)
    else:
        yield record


def _recognised(sample: Iterable[Record | Rejected], options: LabelOptions) -> Shape | None:
    """The shape of the first record that parses; None for a data set of dialogues."""
    for record in sample:
        if isinstance(record, Rejected):
            continue
        value = next(_inner(record)).value
        if is_vote(value) and "question_id" in value:
            return votes.mt_bench_votes
        if tables.is_pair(value, options):
            return tables.pair_labels
        if tables.is_long(value, options):
            return tables.long_labels
        if exports.is_label_studio(value):
            return exports.label_studio_labels
        if exports.is_argilla(value):
            return exports.argilla_labels
        if exports.is_langfuse(value):
            return exports.langfuse_labels
        if tables.is_wide(value, options):
            return tables.wide_labels
        return None
    return tables.long_labels


def _minimal(sample: Iterable[Record | Rejected]) -> Problem | None:
    """What is wrong with an export of Label Studio that does not say which of its fields are labels."""
    record = next((one for one in sample if isinstance(one, Record)), None)
    if record is None or not exports.is_label_studio_minimal(record.value):
        return None
    return Problem(
        "this is Label Studio's JSON-MIN or CSV export, which does not say which of its fields are labels",
        record.source,
        record.line,
        fix="Export the project as JSON: there each label names its question and its annotator.",
    )


def _ratings(source: str) -> Iterator[RawLabel | RawPair | Problem | str]:
    """The ratings inside a data set of dialogues."""
    for row in read_dialogues([source], ReadOptions()):
        if not isinstance(row, Read):
            yield row.problem
            continue
        for label in row.labels:
            yield _raw(label, row.origin.source, row.origin.line)


def _raw(label: Label | PairLabel, source: str, line: int) -> RawLabel | RawPair:
    if isinstance(label, PairLabel):
        return votes.raw_pair(label, source, line)
    return RawLabel(
        label.dialogue,
        label.turn,
        label.criterion,
        label.rater,
        label.value,
        label.source or source,
        label.line or line,
        label.repeat,
        label.comment,
    )


def typed_values(labels: Sequence[RawLabel]) -> tuple[list[RawLabel], list[Problem]]:
    """Labels with the values of each criterion of one type, and a problem for each criterion that mixes types.

    Text that reads as numbers throughout a criterion of a file (as in CSV) becomes numbers; nothing else is converted.
    """
    by_file: dict[tuple[str, str], list[RawLabel]] = defaultdict(list)
    for label in labels:
        by_file[label.criterion, label.source].append(label)
    numeric = {key for key, group in by_file.items() if {_kind(label.value) for label in group} == {"digits"}}
    typed = [
        replace(label, value=float(label.value)) if (label.criterion, label.source) in numeric else label
        for label in labels
    ]
    by_criterion: dict[str, list[RawLabel]] = defaultdict(list)
    for label in typed:
        by_criterion[label.criterion].append(label)
    mixed = [group for group in by_criterion.values() if len({_kind(label.value) for label in group}) > 1]
    return typed, [_mixed(group[0].criterion, group) for group in mixed]


def _kind(value: float | str) -> str:
    if not isinstance(value, str):
        return "number"
    return "digits" if _NUMBER.fullmatch(value) else "word"


def _mixed(criterion: str, group: Sequence[RawLabel]) -> Problem:
    first = group[0]
    odd = next(label for label in group if _kind(label.value) != _kind(first.value))
    return Problem(
        f"{quoted(criterion)} has {_shown(odd.value)} here and {_shown(first.value)} in {first.source}:{first.line}",
        odd.source,
        odd.line,
        fix="Write all values of a criterion the same way: numbers, or words.",
    )


def _shown(value: float | str) -> str:
    return f"the text {value!r}" if isinstance(value, str) else f"the number {value:g}"


def _cut(problems: Sequence[Problem]) -> list[Problem]:
    if len(problems) <= _MOST_PROBLEMS:
        return list(problems)
    return [*problems[:_MOST_PROBLEMS], Problem(f"… and {len(problems) - _MOST_PROBLEMS} more problems")]
