"""The shape of an answer: a strict JSON Schema made from criteria, in the subset that both big providers take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from evalharness.core.canonical import Json
from evalharness.core.rubric import Criterion, Scale

CANNOT_ASSESS = "cannot_assess"
"""The answer of a judge that can't tell, where the criterion allows it."""

_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def answer_keys(criteria: Sequence[Criterion]) -> dict[str, str]:
    """The member name of each criterion (by id): its id, or ``question_N`` where providers refuse such a name."""
    keys: dict[str, str] = {}
    for number, criterion in enumerate(criteria, 1):
        fits = _KEY.fullmatch(criterion.id) is not None
        keys[criterion.id] = criterion.id if fits else f"question_{number}"
    return keys


def answer_schema(criteria: Sequence[Criterion]) -> dict[str, Json]:
    """One object with a member per criterion; in each evidence, then rationale, then the value."""
    keys = answer_keys(criteria)
    return _object({keys[criterion.id]: _member(criterion) for criterion in criteria})


def preference_schema(criteria: Sequence[Criterion]) -> dict[str, Json]:
    """The same for pairs: rationale, then the value; message numbers of two dialogues would be ambiguous evidence."""
    keys = answer_keys(criteria)
    return _object(
        {keys[c.id]: _object({"rationale": {"type": "string"}, "value": _value(c)}) for c in criteria}
    )


def _member(criterion: Criterion) -> dict[str, Json]:
    citation = _object({"message": {"type": "string"}, "quote": {"type": "string"}})
    return _object(
        {
            "evidence": {"type": "array", "items": citation},
            "rationale": {"type": "string"},
            "value": _value(criterion),
        }
    )


def _object(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _value(criterion: Criterion) -> dict[str, Json]:
    shape = _scale_value(criterion)
    if not criterion.cannot_assess:
        return shape
    if shape["type"] == "string":
        return {"type": "string", "enum": [*criterion.labels, CANNOT_ASSESS]}
    return {"anyOf": [shape, {"type": "string", "enum": [CANNOT_ASSESS]}]}


def _scale_value(criterion: Criterion) -> dict[str, Json]:
    if criterion.scale is Scale.NUMERIC:
        return {"type": "number", "description": range_text(criterion)}
    numbers = level_numbers(criterion)
    if numbers is None:
        return {"type": "string", "enum": list(criterion.labels)}
    whole = all(isinstance(number, int) for number in numbers)
    return {"type": "integer" if whole else "number", "enum": list(numbers)}


def level_numbers(criterion: Criterion) -> tuple[int | float, ...] | None:
    """The levels of an ordinal criterion whose labels are their numbers; None for levels that have names."""
    if criterion.scale is not Scale.ORDINAL:
        return None
    if any(level.value is None or level.label != f"{level.value:g}" for level in criterion.levels):
        return None
    values = [level.value for level in criterion.levels if level.value is not None]
    return tuple(int(value) if value.is_integer() else value for value in values)


def range_text(criterion: Criterion) -> str:
    """The range of a numeric criterion in words."""
    low, high = criterion.minimum, criterion.maximum
    if low is not None and high is not None:
        return f"a number from {low:g} to {high:g}"
    if low is not None:
        return f"a number of at least {low:g}"
    return "a number" if high is None else f"a number of at most {high:g}"
