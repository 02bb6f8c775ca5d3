"""Labels as files hold them, before they are joined to the items of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from evalharness.data.reading import DEFAULT_MAX_LINE_BYTES, Record, RecordError
from evalharness.data.words import json_kind, quoted

SOMEBODY = "rater"
"""The rater of labels that name none."""


@dataclass(frozen=True, slots=True)
class RawLabel:
    """One rating as written: ``turn`` is an index, a message id or ``reply N``, None for the whole dialogue.

    ``dialogue`` is whatever names the dialogue in the file (its id, or the value of another key). ``value`` keeps its
    written type: ``"4"`` and 4 are told apart until all labels of a criterion are known. ``probability`` is that with
    which the item had been drawn for labelling, None where the file does not say.
    """

    dialogue: str
    turn: int | str | None
    criterion: str
    rater: str
    value: float | str
    source: str
    line: int
    repeat: int = 0
    comment: str = ""
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class RawPair:
    """One preference as written; ``value`` is ``a``, ``b`` or ``tie``."""

    dialogue_a: str
    dialogue_b: str
    criterion: str
    rater: str
    value: str
    source: str
    line: int
    turn: int | str | None = None
    turn_b: int | str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How label files are read.

    ``format`` forces a shape (see ``data.labels.read.SHAPES``). ``fields`` names, for one of our fields, the field of
    the file that holds it (``{"dialogue": "conversation", "rater": "annotator"}``).
    """

    format: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES


class Shape(Protocol):
    """One shape of label file: recognises records and takes labels out of them.

    ``read`` raises :class:`RecordError` for a record that is wrong, and yields text for one that is left out on
    purpose: the reason, to be counted.
    """

    def __call__(self, record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
        """The labels of a record."""
        ...


def text_of(value: Mapping[str, Any], key: str, options: LabelOptions, *, default: str | None = None) -> str:
    """A field that must be text (a number becomes its exact text); ``default`` where it is absent or empty."""
    name = options.fields.get(key, key)
    found = value.get(name)
    if isinstance(found, bool | list | dict):
        raise RecordError(f"{quoted(name)} must be text, found {json_kind(found)}")
    text = "" if found is None else str(found)
    if text:
        return text
    if default is None:
        raise RecordError(
            f"the label has no {quoted(name)}", "Every label names dialogue, criterion and value."
        )
    return default


def turn_of(value: Mapping[str, Any], key: str, options: LabelOptions) -> int | str | None:
    """The turn as written: an index, text, or None for the whole dialogue."""
    found = value.get(options.fields.get(key, key))
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise RecordError(f"turn can't be {json_kind(found)}", "Write an index, a message id or 'reply N'.")
    return found


def value_of(found: Any, what: str = "value") -> float | str | None:
    """A rating: a number, or text; None where there is none. Lists and objects are errors; true and false are text."""
    if found is None or found == "":
        return None
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return float(found)
    if isinstance(found, str):
        return found.strip() or None
    raise RecordError(f"{what} can't be {json_kind(found)}")


def repeat_of(value: Mapping[str, Any], options: LabelOptions) -> int:
    """Which look of the rater it is: 0 for the first."""
    found = value.get(options.fields.get("repeat", "repeat"))
    if found is None or found == "":
        return 0
    try:
        number = int(found)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(found, bool):
        raise RecordError(
            f"repeat can't be {quoted(str(found))}", "Write 0 for the first look, 1 for the second …"
        )
    return number


def probability_of(value: Mapping[str, Any], options: LabelOptions) -> float | None:
    """The chance with which the item had been drawn for labelling: above 0 and at most 1; None where absent."""
    found = value.get(options.fields.get("probability", "probability"))
    if found is None or found == "":
        return None
    try:
        chance = math.nan if isinstance(found, bool) else float(found)
    except (TypeError, ValueError):
        chance = math.nan
    if not 0.0 < chance <= 1.0:
        raise RecordError(
            f"probability can't be {quoted(str(found))}",
            "Write the chance with which the item was drawn for labelling, above 0 and at most 1, or leave it empty.",
        )
    return chance
