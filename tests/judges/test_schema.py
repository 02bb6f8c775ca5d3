"""The answer's JSON Schema: strict, in the subset that the providers take, and what the reader reads."""

from __future__ import annotations

import json

import jsonschema
import pytest

from evalharness.core.rubric import Criterion, Level, Scale
from evalharness.judges.answers import CannotAssess, Verdict
from evalharness.judges.schema import answer_keys, answer_schema
from evalharness.judges.verdict import read_answers
from tests.judges.fakes import binary, nominal, numeric, ordinal

NAMED = Criterion("named", "?", Scale.ORDINAL, (Level("bad", "", 1.0), Level("good", "", 2.0)))
HALVES = Criterion(
    "halves", "?", Scale.ORDINAL, (Level("0", "", 0.0), Level("0.5", "", 0.5), Level("1", "", 1.0))
)
ALL = (ordinal(), binary(), nominal(), numeric(), NAMED, HALVES)
KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"}


def value_schema(criterion):
    return answer_schema([criterion])["properties"][criterion.id]["properties"]["value"]


def walk(schema):
    yield schema
    for child in schema.get("properties", {}).values():
        yield from walk(child)
    for child in (schema.get("items"), *schema.get("anyOf", ())):
        if child is not None:
            yield from walk(child)


@pytest.mark.parametrize("unsure", [False, True])
def test_only_keywords_that_all_providers_take_and_every_object_closed(unsure):
    from dataclasses import replace

    schema = answer_schema([replace(criterion, cannot_assess=unsure) for criterion in ALL])
    jsonschema.Draft202012Validator.check_schema(schema)
    for node in walk(schema):
        assert set(node) <= KEYWORDS
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_evidence_and_rationale_come_before_the_value():
    for member in answer_schema(ALL)["properties"].values():
        assert list(member["properties"]) == ["evidence", "rationale", "value"]


def test_values_are_enumerated():
    assert value_schema(ordinal()) == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert value_schema(binary()) == {"type": "string", "enum": ["no", "yes"]}
    assert value_schema(nominal()) == {"type": "string", "enum": ["cold", "warm", "rude"]}
    assert value_schema(NAMED) == {"type": "string", "enum": ["bad", "good"]}
    assert value_schema(HALVES) == {"type": "number", "enum": [0, 0.5, 1]}
    assert value_schema(numeric()) == {"type": "number", "description": "a number from 0 to 9"}
    assert value_schema(nominal(cannot_assess=True))["enum"] == ["cold", "warm", "rude", "cannot_assess"]
    assert value_schema(ordinal(cannot_assess=True))["anyOf"][1] == {
        "type": "string",
        "enum": ["cannot_assess"],
    }


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: c.id)
def test_every_value_that_the_schema_allows_is_read_as_that_level(criterion):
    from dataclasses import replace

    criterion = replace(criterion, cannot_assess=True)
    schema = answer_schema([criterion])
    values = [level.label for level in criterion.levels] or ["0", "9"]
    if value_schema(criterion).get("type") != "string":
        values = [json.loads(value) for value in values]
    for value in (*values, "cannot_assess"):
        document = {criterion.id: {"evidence": [], "rationale": "", "value": value}}
        jsonschema.validate(document, schema)
        answer = read_answers(json.dumps(document), [criterion])[criterion.id]
        assert isinstance(answer, CannotAssess if value == "cannot_assess" else Verdict)


def test_names_that_providers_refuse_are_replaced():
    criteria = [ordinal("fine-1.x"), ordinal("wie gut?"), ordinal("x" * 65)]
    assert list(answer_keys(criteria).values()) == ["fine-1.x", "question_2", "question_3"]
