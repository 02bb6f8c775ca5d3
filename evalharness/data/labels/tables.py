"""Long and wide label files: one rating a row, or one column a criterion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalharness.data.labels.raw import (
    SOMEBODY,
    LabelOptions,
    RawLabel,
    RawPair,
    probability_of,
    repeat_of,
    text_of,
    turn_of,
    value_of,
)
from evalharness.data.reading import Record, RecordError
from evalharness.data.words import quoted

_DESCRIBING = {"dialogue", "turn", "rater", "repeat", "comment", "probability"}
OURS = frozenset({*_DESCRIBING, "criterion", "value", "group", "system"})
_SIDES = {"a": "a", "b": "b", "tie": "tie", "model_a": "a", "model_b": "b", "tie (inconsistent)": "tie"}


def is_long(value: Mapping[str, Any], options: LabelOptions) -> bool:
    """Whether a record is one rating: it names its criterion and holds a value."""
    return all(options.fields.get(key, key) in value for key in ("dialogue", "criterion", "value"))


def is_pair(value: Mapping[str, Any], options: LabelOptions) -> bool:
    """Whether a record is a preference between two dialogues."""
    return all(options.fields.get(key, key) in value for key in ("dialogue_a", "dialogue_b", "value"))


def is_wide(value: Mapping[str, Any], options: LabelOptions) -> bool:
    """Whether a record names a dialogue and has further columns, each a criterion."""
    return options.fields.get("dialogue", "dialogue") in value and not is_long(value, options)


def long_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """The rating of a row; an empty value is a missing rating."""
    value = record.value
    rating = value_of(value.get(options.fields.get("value", "value")))
    if rating is None:
        yield "no value"
        return
    yield RawLabel(
        dialogue=text_of(value, "dialogue", options),
        turn=turn_of(value, "turn", options),
        criterion=text_of(value, "criterion", options),
        rater=text_of(value, "rater", options, default=SOMEBODY),
        value=rating,
        source=record.source,
        line=record.line,
        repeat=repeat_of(value, options),
        comment=text_of(value, "comment", options, default=""),
        probability=probability_of(value, options),
    )


def pair_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """The preference of a row; anything but a, b and tie is an error."""
    value = record.value
    rating = value_of(value.get(options.fields.get("value", "value")))
    if rating is None:
        yield "no value"
        return
    side = _SIDES.get(str(rating).lower())
    if side is None:
        raise RecordError(f"a preference can't be {quoted(str(rating))}", "Write a, b or tie.")
    yield RawPair(
        dialogue_a=text_of(value, "dialogue_a", options),
        dialogue_b=text_of(value, "dialogue_b", options),
        criterion=text_of(value, "criterion", options, default="preference"),
        rater=text_of(value, "rater", options, default=SOMEBODY),
        value=side,
        source=record.source,
        line=record.line,
        turn=turn_of(value, "turn", options),
        turn_b=turn_of(value, "turn_b", options),
        comment=text_of(value, "comment", options, default=""),
    )


def wide_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """A rating for every column that is none of ours; empty cells are missing ratings."""
    value = record.value
    known = {options.fields.get(key, key) for key in OURS}
    dialogue = text_of(value, "dialogue", options)
    turn = turn_of(value, "turn", options)
    rater = text_of(value, "rater", options, default=SOMEBODY)
    repeat = repeat_of(value, options)
    comment = text_of(value, "comment", options, default="")
    chance = probability_of(value, options)
    for name, cell in value.items():
        if name in known:
            continue
        rating = value_of(cell, name)
        if rating is None:
            yield "no value"
        else:
            yield RawLabel(
                dialogue, turn, name, rater, rating, record.source, record.line, repeat, comment, chance
            )
