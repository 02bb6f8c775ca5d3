"""Raw ratings that research files hold beside their dialogues, as labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalharness.core.labels import Label
from evalharness.data.reading import Record, RecordError
from evalharness.data.words import json_kind, quoted


def raw_labels(
    ratings: Mapping[str, Any], dialogue: str, turn: int | None, record: Record, notes: list[str]
) -> tuple[Label, ...]:
    """The ratings ``{criterion: [one value per rater]}`` of one item as labels of ``rater-1``, ``rater-2`` …

    An "N/A …" value is no rating: each leaves a note. Where a criterion has fewer values than
    the others it is unknown whose are missing, and the raters are called ``unplaced-1`` … instead.
    """
    panel = max((len(values) for values in ratings.values() if isinstance(values, list)), default=0)
    labels: list[Label] = []
    for criterion, values in ratings.items():
        if not isinstance(values, list):
            raise RecordError(f"the ratings {quoted(criterion)} are {json_kind(values)}, not a list")
        prefix = "rater" if len(values) == panel else "unplaced"
        missing = panel - len(values) + sum(map(_is_missing, values))
        notes.extend([f"rating missing: {quoted(criterion)}"] * missing)
        for number, value in _numbers(criterion, values):
            labels.append(
                Label(
                    dialogue,
                    turn,
                    criterion,
                    f"{prefix}-{number}",
                    value,
                    source=record.source,
                    line=record.line,
                )
            )
    return tuple(labels)


def _numbers(criterion: str, values: Sequence[Any]) -> Iterator[tuple[int, float]]:
    """The raters' numbers (from 1) and values, "N/A" left out."""
    for number, value in enumerate(values, 1):
        if type(value) in (int, float):
            yield number, float(value)
        elif not _is_missing(value):
            raise RecordError(
                f"the rating {quoted(criterion)} of rater {number} is {json_kind(value)}, not a number"
            )


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.lstrip().lower().startswith("n/a"))
