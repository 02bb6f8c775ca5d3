"""Rubric files: what loads, and every mistake of one that does not."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from evalharness.core.dialogue import Unit
from evalharness.core.rubric import Need, Overall, Scale
from evalharness.data.builtin import builtin_rubrics
from evalharness.data.rubric_lint import lint_files
from evalharness.data.rubric_schema import rubric_schema
from evalharness.data.rubric_starter import starter
from evalharness.data.rubrics import load_rubric, parse_rubric
from evalharness.errors import RubricError, UsageError

GOOD = """
rubric: reply
version: 2
unit: turn
about: An agent answers.
criteria:
  helpful:
    question: How far does it help?
    scale: ordinal
    levels: {1: "Does not help at all.", 2: "Helps a little bit.", 3: "Solves the whole problem."}
    pass: ">=2"
    weight: 2
  invented:
    question: Does the reply invent facts?
    scale: binary
    good: no
    needs: [context]
    must: true
    cannot_assess: true
    examples:
      - {reply: "It is in Rome.", answer: yes, why: "The context says Milan."}
  topic:
    question: What is it about?
    scale: nominal
    levels: {billing: "Money matters of the customer.", other: "Anything that is not money."}
  score:
    question: How good is it?
    scale: numeric
    min: 0
    max: 9
overall: min
"""


def test_a_good_file_becomes_a_rubric():
    rubric = parse_rubric(GOOD)
    assert (rubric.name, rubric.version, rubric.unit, rubric.overall) == (
        "reply",
        "2",
        Unit.TURN,
        Overall.MIN,
    )
    helpful, invented, topic, score = rubric.criteria
    assert [(level.label, level.value) for level in helpful.levels] == [("1", 1.0), ("2", 2.0), ("3", 3.0)]
    assert helpful.passes is not None
    assert helpful.passes(2.0)
    assert helpful.higher_is_better is True
    assert (invented.good, invented.higher_is_better, invented.must) == ("no", False, True)
    assert invented.needs == (Need.CONTEXT,)
    assert invented.passed(0.0) is True
    assert invented.examples[0].answer == "yes"
    assert topic.scale is Scale.NOMINAL
    assert topic.labels == ("billing", "other")
    assert (score.low, score.high) == (0.0, 9.0)


def test_json_is_read_too():
    as_json = json.dumps(
        yaml.safe_load(GOOD.replace("good: no", 'good: "no"').replace("answer: yes", 'answer: "yes"'))
    )
    assert parse_rubric(as_json).full_hash == parse_rubric(GOOD).full_hash


def _change(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rubric: reply\n", "", "rubric is missing"),
        ("unit: turn", "unit: message", "unit can't be 'message'. Write one of: dialogue, turn, pair"),
        ("version: 2", "version: [2]", "version must be text"),
        ("    question: How far does it help?\n", "", "question is missing"),
        ("    scale: ordinal", "    scale: likert", "scale can't be 'likert'"),
        ('pass: ">=2"', "pass: high", "pass can't be 'high'"),
        ("weight: 2", "weight: -1", "weight can't be -1"),
        ("weight: 2", "weigth: 2", "has no field 'weigth'. Did you mean 'weight'"),
        ("    good: no\n", "", "good is missing. Write one of: no, yes"),
        ("good: no", "good: false", "good can't be False"),
        ("must: true", "must: yes", "must can't be 'yes'. Write true or false"),
        ("needs: [context]", "needs: [context, docs]", "needs can't be"),
        ("answer: yes", "answer: maybe", "'maybe' is no answer of this scale"),
        (
            'why: "The context says Milan."',
            "why: The context, it says Milan",
            "an example has no field 'it says Milan'",
        ),
        ("min: 0", "min: 9", "min 9 is not below max 9"),
        ("max: 9", "max: nine", "max can't be 'nine'"),
        ("overall: min", "overall: median", "overall can't be 'median'"),
        ("  helpful:", "  _overall:", "'_overall' can't be a criterion's name. _overall is reserved"),
        ('{1: "Does not help at all.", ', "{", None),
        ('{1: "Does not help at all.", 2: "Helps a little bit.", ', "{", "needs at least two levels"),
        ('1: "Does not help at all."', 'bad: "Does not help at all."', "'bad' is no number"),
        ('1: "Does not help at all."', "1: [a, b]", "level 1 must be text"),
        (
            "scale: numeric\n    min: 0",
            "scale: numeric\n    levels: {1: a, 2: b}\n    min: 0",
            "has no levels",
        ),
        ('pass: ">=2"', 'pass: "<=2"\n    good: high', "contradicts `good: high`"),
        ("unit: turn", "unit: pair", "of a pair rubric must be nominal"),
    ],
)
def test_mistakes_are_named_with_their_line(old: str, new: str, message: str | None):
    text = _change(old, new)
    if message is None:
        parse_rubric(text)
        return
    with pytest.raises(RubricError) as caught:
        parse_rubric(text, "mine.yaml")
    assert message in str(caught.value)
    assert all(problem.source == "mine.yaml" and problem.line for problem in caught.value.problems)


def test_all_mistakes_of_a_file_come_at_once():
    text = (
        GOOD.replace("scale: ordinal", "scale: likert")
        .replace("must: true", "must: 1")
        .replace("overall: min", "")
    )
    with pytest.raises(RubricError) as caught:
        parse_rubric(text.replace("about: An agent answers.\n", ""))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("name", sorted(builtin_rubrics()))
def test_built_in_rubrics_load_by_name_and_have_nothing_to_improve(name: str):
    assert load_rubric(name).name == name
    findings, errors = lint_files([name])
    assert (findings, errors) == ([], [])


def test_the_ten_rubrics_are_there_with_their_units():
    units = {name: load_rubric(name).unit.value for name in builtin_rubrics()}
    assert units == {
        "dialogue-quality": "dialogue", "support-reply": "turn", "topical-chat": "turn", "rag-faithfulness": "turn",
        "agent-task": "dialogue", "agent-trajectory": "dialogue", "claims": "turn", "session": "dialogue", "safety": "dialogue", "mt-bench-pair": "pair",
    }  # fmt: skip


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean support-reply"):
        load_rubric("support-replay")
    with pytest.raises(RubricError, match="no such rubric file"):
        load_rubric("nowhere/mine.yaml")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('3: "Solves the whole problem."', '3: "Good."', "unanchored"),
        ("scale: numeric", "scale: numeric", "unanchored"),
        ('{1: "Does not help at all.", 2: "Helps a little bit."', '{2: "Helps a little bit.", 1: "Does not help at all."',
         "level-order"),
        ("How far does it help?", "How far does it help and please?", "double-barrelled"),
        ("How far does it help?", "Does it help? Is it kind?", "two-questions"),
        ("    needs: [context]\n", "", None),
        ("Does the reply invent facts?", "Does the reply contradict a tool result?", "missing-needs"),
        ("How far does it help?", "Does it follow the documents?", "missing-needs"),
        ("about: An agent answers.", "about: An agent answers question #1 of the day.", "cut-text"),
        ("  topic:", "  Helpful:", "clashing-ids"),
        ("What is it about?", "How far does it help?", "overlap"),
        ('2: "Helps a little bit."', '2: "Does not help at all."', "same-level"),
    ],
)  # fmt: skip
def test_lint_finds(tmp_path, old: str, new: str, code: str | None):
    path = tmp_path / "r.yaml"
    path.write_text(_change(old, new), encoding="utf-8")
    findings, errors = lint_files([str(path)])
    assert errors == []
    codes = {finding.code for finding in findings}
    assert code in codes if code else "missing-needs" not in codes
    assert all(finding.problem.line for finding in findings)


def test_lint_finds_two_files_of_one_name(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    findings, _ = lint_files([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert "same-name" in {finding.code for finding in findings}


@pytest.mark.parametrize("unit", list(Unit))
def test_the_starter_loads_and_passes_its_own_lint(tmp_path, unit: Unit):
    path = tmp_path / "new.yaml"
    path.write_text(starter("new", unit))
    assert load_rubric(str(path)).unit is unit
    findings, errors = lint_files([str(path)])
    assert (findings, errors) == ([], [])


def _as_editors_see(text: str) -> object:
    return json.loads(json.dumps(_plain(parse_yaml_strictly(text))))


def parse_yaml_strictly(text: str) -> object:
    from evalharness.data.strictyaml import parse_mapping

    return parse_mapping(text, "f")


def _plain(value: object) -> object:
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_the_schema_accepts_the_built_in_rubrics_and_the_starter():
    schema = rubric_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    texts = [path.read_text(encoding="utf-8") for path in builtin_rubrics().values()]
    for text in [*texts, starter("x", Unit.TURN), GOOD]:
        jsonschema.validate(_as_editors_see(text), schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [("unit: turn", "unit: x"), ("weight: 2", "weigth: 2"), ("    good: no\n", ""), ("    max: 9\n", "")],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_as_editors_see(_change(old, new)), rubric_schema())
