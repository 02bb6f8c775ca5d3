"""Votes between the answers of two models, as MT-Bench's files hold them apart from the answers."""

from __future__ import annotations

from collections.abc import Iterator

from evalharness.core.labels import PairLabel
from evalharness.data.labels.raw import LabelOptions, RawLabel, RawPair
from evalharness.data.readers.mt_bench import vote_of
from evalharness.data.reading import Record


def mt_bench_votes(
    record: Record,
    options: LabelOptions,  # noqa: ARG001 - the files' fields have one name each
) -> Iterator[RawLabel | RawPair | str]:
    """The vote of a record; a tie in which two orders contradicted each other is a tie with that comment."""
    yield raw_pair(vote_of(record, str(record.value["question_id"])), record.source, record.line)


def raw_pair(label: PairLabel, source: str, line: int) -> RawPair:
    """A preference as labels are joined."""
    return RawPair(
        label.dialogue_a, label.dialogue_b, label.criterion, label.rater, label.value,
        label.source or source, label.line or line, label.turn, label.turn_b, label.comment,
    )  # fmt: skip
