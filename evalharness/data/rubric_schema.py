"""The JSON Schema of rubric files, for editors; it accepts what ``data.rubrics`` accepts as far as a schema can."""

from __future__ import annotations

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Unit
from evalharness.core.rubric import Need, Overall, Scale

_TEXT: dict[str, Json] = {"type": "string", "minLength": 1}
_NAME = "^[A-Za-z][A-Za-z0-9_.-]{0,63}$"


def rubric_schema() -> dict[str, Json]:
    """The schema (draft 2020-12) as plain JSON values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evalharness rubric",
        "type": "object",
        "required": ["rubric", "version", "unit", "about", "criteria"],
        "additionalProperties": False,
        "properties": {
            "rubric": {"type": "string", "pattern": _NAME, "description": "The rubric's name."},
            "version": {"type": ["string", "number"], "description": "Raise it with every change."},
            "unit": {"enum": [unit.value for unit in Unit], "description": "What one verdict is about."},
            "about": {**_TEXT, "description": "Who talks to whom about what, in a sentence."},
            "criteria": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"$ref": "#/$defs/criterion"},
            },
            "overall": {"enum": [how.value for how in Overall], "default": Overall.WEIGHTED_MEAN.value},
        },
        "$defs": {"criterion": _criterion()},
    }


def _criterion() -> dict[str, Json]:
    return {
        "type": "object",
        "required": ["question", "scale"],
        "additionalProperties": False,
        "properties": {
            "question": {**_TEXT, "description": "One question about one thing."},
            "scale": {"enum": [scale.value for scale in Scale]},
            "levels": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": ["string", "number", "null"]},
                "description": "A text for each level; numbers on an ordinal scale, names on a nominal one.",
            },
            "min": {"type": "number"},
            "max": {"type": "number"},
            "pass": {"type": ["string", "number"], "description": "What counts as good, e.g. '>=4'."},
            "good": {"type": "string", "description": "The good answer (yes/no), level, or side (high/low)."},
            "weight": {"type": "number", "minimum": 0, "default": 1},
            "needs": {
                "oneOf": [
                    {"enum": [need.value for need in Need]},
                    {"type": "array", "items": {"enum": [need.value for need in Need]}},
                ]
            },
            "must": {"type": "boolean", "default": False},
            "cannot_assess": {"type": "boolean", "default": False},
            "examples": {"type": "array", "items": {"$ref": "#/$defs/criterion/$defs/example"}},
        },
        "allOf": [
            _when(Scale.ORDINAL, ["levels"]),
            _when(Scale.NOMINAL, ["levels"]),
            _when(Scale.NUMERIC, ["min", "max"]),
            _when(Scale.BINARY, ["good"]),
        ],
        "$defs": {
            "example": {
                "type": "object",
                "required": ["reply", "answer"],
                "additionalProperties": False,
                "properties": {"reply": _TEXT, "answer": {"type": ["string", "number"]}, "why": _TEXT},
            }
        },
    }


def _when(scale: Scale, required: list[Json]) -> dict[str, Json]:
    return {"if": {"properties": {"scale": {"const": scale.value}}}, "then": {"required": required}}
