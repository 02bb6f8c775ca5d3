"""The reader of replies: what counts as a verdict, what is a named failure."""

from __future__ import annotations

import json

import pytest

from evalharness.core.scores import Cause
from evalharness.judges.answers import CannotAssess, Citation, Unreadable, Verdict
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Finish
from tests.judges.fakes import binary, nominal, numeric, ordinal

QUALITY = ordinal("quality")
POLITE = binary("polite")
TONE = nominal("tone", ("cold", "warm", "PASS"))
SHARE = numeric("share", 0.0, 10.0)


def read(text, criterion=QUALITY, **more):
    return read_answers(text, [criterion], **more)[criterion.id]


def value_or_cause(text, criterion=QUALITY, **more):
    answer = read(text, criterion, **more)
    match answer:
        case Verdict():
            return answer.value
        case CannotAssess():
            return "can't"
        case Unreadable():
            assert answer.detail
            return answer.cause


ORDINAL = [
    # a bare verdict
    ("4", 4.0),
    (" 4\n", 4.0),
    ("4.", 4.0),
    ("**4**", 4.0),
    ("- 2", 2.0),
    ("[[4]]", 4.0),
    ('"3"', 3.0),
    ("4/5", 4.0),
    ("4 out of 5", 4.0),
    ("4.0", 4.0),
    # a marked verdict
    ("Rating: 4", 4.0),
    ("rating = 4", 4.0),
    ("Rating:\n4", 4.0),
    ("**Rating:** 4", 4.0),
    ("**Rating**: 4/5", 4.0),
    ("Rating (1-5): 3", 3.0),
    ("Rating: [[3]]", 3.0),
    ("Rating: 3\nRationale: it has 2 faults", 3.0),
    ("Rating: 3 Rationale: it has 2 faults", 3.0),
    ("Rating: 3 (fair)", 3.0),
    ("Rating: 4, because it helps", 4.0),
    ("Rating: 4 because it helps", 4.0),
    ("Final score: 2.", 2.0),
    ("The rating is 4.", 4.0),
    ("- quality: 4", 4.0),
    ("1. Quality: 2", 2.0),
    ("Analysis: 5 good points and 1 bad one.\nRating: 2", 2.0),
    ("Rating: 4\n...\nRating: 4", 4.0),
    ("1. Is it any good?\n\nAnswer: 3", 3.0),
    # a verdict first or last
    ("3. Good", 3.0),
    ("2 (somewhat)", 2.0),
    ("3 - fair", 3.0),
    ("It does what it should.\n\n4", 4.0),
    # prose
    ("I would rate it a 4.", 4.0),
    ("I give this reply a 2, since it is rude.", 2.0),
    ("It deserves a score of 3.", 3.0),
    ("Therefore the score would be 2.", 2.0),
    ("All in all 4 out of 5.", 4.0),
    # JSON
    ('{"quality": 4}', 4.0),
    ('{"quality": {"value": 4}}', 4.0),
    ('{"quality": {"evidence": [], "rationale": "r", "value": 4}}', 4.0),
    ('{"Quality": "4"}', 4.0),
    ('{"value": 4}', 4.0),
    ('{"rating": "4/5"}', 4.0),
    ('{"quality": 4.0}', 4.0),
    ('{"quality": 4e0}', 4.0),
    ('```json\n{"quality": {"value": 4}}\n```', 4.0),
    ('Here it is:\n```\n{"quality": 4}\n```\nThank you {really}.', 4.0),
    ('I think {that} it is: {"quality": {"value": 2}}', 2.0),
    ('{"quality": 4}\nRating: 4', 4.0),
    ('{"a": 1} {"quality": 4}', 4.0),
    # two verdicts
    ("Rating: 3 Rating: 4", Cause.TWO_VERDICTS),
    ("Rating: 3\nRating: 4", Cause.TWO_VERDICTS),
    ("Rating: 2-3", Cause.TWO_VERDICTS),
    ("2-3", Cause.TWO_VERDICTS),
    ("Rating: 3 or 4", Cause.TWO_VERDICTS),
    ("1. 2", Cause.TWO_VERDICTS),
    ("3\n\n4", Cause.TWO_VERDICTS),
    ("A score of 2. No, a score of 3.", Cause.TWO_VERDICTS),
    ('{"quality": 4, "quality": 5}', Cause.TWO_VERDICTS),
    ('{"quality": {"value": 4, "value": 4}}', Cause.TWO_VERDICTS),
    ('{"value": 4, "score": 5}', Cause.TWO_VERDICTS),
    ('{"quality": 4} {"quality": 5}', Cause.TWO_VERDICTS),
    ('{"quality": 4}\nRating: 5', Cause.TWO_VERDICTS),
    # off the scale: never clamped, never rounded
    ("Rating: 7", Cause.OUT_OF_RANGE),
    ("0", Cause.OUT_OF_RANGE),
    ("-1", Cause.OUT_OF_RANGE),
    ("Rating: 4.5", Cause.OUT_OF_RANGE),
    ("4/10", Cause.OUT_OF_RANGE),
    ("Rating: 8/10", Cause.OUT_OF_RANGE),
    ('{"quality": 6}', Cause.OUT_OF_RANGE),
    ('{"quality": 4.2}', Cause.OUT_OF_RANGE),
    ('{"quality": "excellent"}', Cause.OUT_OF_RANGE),
    ('{"quality": true}', Cause.OUT_OF_RANGE),
    ('{"quality": NaN}', Cause.OUT_OF_RANGE),
    ('{"quality": Infinity}', Cause.OUT_OF_RANGE),
    ('{"quality": 1e400}', Cause.OUT_OF_RANGE),
    ('{"quality": "１"}', Cause.OUT_OF_RANGE),
    ('{"quality": "1_0"}', Cause.OUT_OF_RANGE),
    ('{"quality": [4]}', Cause.OUT_OF_RANGE),
    ('{"quality": {"value": {"value": 4}}}', Cause.OUT_OF_RANGE),
    (f'{{"quality": {"4" * 5000}}}', Cause.OUT_OF_RANGE),
    # nothing that could be read with certainty
    ("The reply is fine.", Cause.NO_VERDICT),
    ("not excellent", Cause.NO_VERDICT),
    ("5 reasons why 9 is great", Cause.NO_VERDICT),
    ("I would not rate it a 5.", Cause.NO_VERDICT),
    ("A score of 5 would require more.", Cause.NO_VERDICT),
    ("1. It greets.\n2. It helps.\n3. It ends.", Cause.NO_VERDICT),
    ("Rating: １", Cause.NO_VERDICT),
    ("Rating: 1_0", Cause.NO_VERDICT),
    ("Rating: NaN", Cause.NO_VERDICT),
    ("Rating: 1e400", Cause.NO_VERDICT),
    ("Rating: 80%", Cause.NO_VERDICT),
    ("Rating: 4 stars", Cause.NO_VERDICT),
    ("Rating:", Cause.NO_VERDICT),
    ("true", Cause.NO_VERDICT),
    ("ratings: four", Cause.NO_VERDICT),
    ("overrating: 4", Cause.NO_VERDICT),
    ('{"quality": null}', Cause.NO_VERDICT),
    ('{"quality": {"rationale": "good"}}', Cause.NO_VERDICT),
    ('{"other": 4}', Cause.NO_VERDICT),
    ('{"quality": 4', Cause.NO_VERDICT),
    ('{"rationale": "x", "rating": 4', Cause.NO_VERDICT),
    ("[4]]]", 4.0),
    # no reply
    ("", Cause.EMPTY),
    (" \n\t", Cause.EMPTY),
    ("I'm sorry, but I can't help with that.", Cause.REFUSAL),
    ("As an AI, I have no opinion.", Cause.REFUSAL),
    ("I can't fault it. Rating: 5", 5.0),
]


@pytest.mark.parametrize(("text", "expected"), ORDINAL)
def test_ordinal(text, expected):
    assert value_or_cause(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", 1.0),
        ("Yes.", 1.0),
        ("No, it is not.", 0.0),
        ("true", 1.0),
        ("FALSE", 0.0),
        ("1", 1.0),
        ("Rating: 0", 0.0),
        ("The answer is yes.", 1.0),
        ("Verdict: no", 0.0),
        ('{"polite": true}', 1.0),
        ('{"polite": "no"}', 0.0),
        ('{"polite": {"value": 1}}', 1.0),
        ("No doubt it is", Cause.NO_VERDICT),
        ("yes and no", Cause.NO_VERDICT),
        ("2", Cause.OUT_OF_RANGE),
        ("0.5", Cause.OUT_OF_RANGE),
        ('{"polite": "maybe"}', Cause.OUT_OF_RANGE),
        ("Answer: yes\nAnswer: no", Cause.TWO_VERDICTS),
    ],
)
def test_binary(text, expected):
    assert value_or_cause(text, POLITE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("warm", "warm"),
        ("Warm.", "warm"),
        ("Final verdict: PASS", "PASS"),
        ("tone: cold\nbecause it is short", "cold"),
        ("PASS - it is fine", "PASS"),
        ('{"tone": {"value": "cold"}}', "cold"),
        ('{"tone": "hot"}', Cause.OUT_OF_RANGE),
        ("It was a warm day, said the cold man", Cause.NO_VERDICT),
        ("verdict: warm\nverdict: cold", Cause.TWO_VERDICTS),
        ("warmer", Cause.NO_VERDICT),
        ("1", Cause.OUT_OF_RANGE),
    ],
)
def test_nominal(text, expected):
    assert value_or_cause(text, TONE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7.5", 7.5),
        ("Score: 10", 10.0),
        ("Score: 8/10", 8.0),
        ('{"share": 0.25}', 0.25),
        ("10.5", Cause.OUT_OF_RANGE),
        ("-0.5", Cause.OUT_OF_RANGE),
        ("Score: 7,5", Cause.NO_VERDICT),
        ("true", Cause.NO_VERDICT),
        ('{"share": true}', Cause.OUT_OF_RANGE),
    ],
)
def test_numeric(text, expected):
    assert value_or_cause(text, SHARE) == expected


def test_labels_that_differ_in_case_alone_are_told_apart_by_nothing():
    tone = nominal("tone", ("warm", "Warm", "cold"))
    assert value_or_cause("warm", tone) is Cause.NO_VERDICT
    assert value_or_cause("cold", tone) == "cold"


def test_named_levels_of_an_ordinal_scale():
    from evalharness.core.rubric import Criterion, Level, Scale

    scale = (Level("bad", "", 1.0), Level("good", "", 2.0), Level("very good", "", 3.0))
    criterion = Criterion("quality", "?", Scale.ORDINAL, scale)
    assert value_or_cause("Rating: very good", criterion) == 3.0
    assert value_or_cause('{"quality": "good"}', criterion) == 2.0
    assert value_or_cause("2", criterion) == 2.0


@pytest.mark.parametrize("text", ['{"quality": "cannot_assess"}', "cannot_assess", "Rating: N/A", "N/A"])
def test_cannot_assess_counts_where_the_rubric_allows_it(text):
    assert value_or_cause(text, ordinal("quality", cannot_assess=True)) == "can't"
    assert value_or_cause(text) is Cause.NO_VERDICT


@pytest.mark.parametrize(
    ("finish", "cause"),
    [
        (Finish.LENGTH, Cause.TRUNCATED),
        (Finish.FILTERED, Cause.FILTERED),
        (Finish.REFUSAL, Cause.REFUSAL),
    ],
)
def test_how_the_model_stopped_decides_before_what_it_wrote(finish, cause):
    assert value_or_cause('{"quality": 4}', finish=finish) is cause
    assert value_or_cause("", finish=finish) is cause


def test_several_criteria_in_one_object():
    text = json.dumps(
        {
            "quality": {"evidence": [{"message": "M1", "quote": "hi"}], "rationale": "fine", "value": 4},
            "polite": {"evidence": [], "rationale": "", "value": "no"},
            "share": {"rationale": "?", "value": 11},
        }
    )
    answers = read_answers(text, [QUALITY, POLITE, SHARE, TONE])
    assert answers["quality"] == Verdict(4.0, "fine", (Citation("M1", "hi"),))
    assert answers["polite"] == Verdict(0.0)
    assert isinstance(answers["share"], Unreadable) and answers["share"].cause is Cause.OUT_OF_RANGE
    assert isinstance(answers["tone"], Unreadable) and answers["tone"].cause is Cause.NO_VERDICT


def test_several_criteria_in_prose_need_their_names():
    answers = read_answers("quality: 4\npolite: yes\nRating: 3", [QUALITY, POLITE])
    assert [answers[name].value for name in ("quality", "polite")] == [4.0, 1.0]
    answers = read_answers("Rating: 4", [QUALITY, POLITE])
    assert {answer.cause for answer in answers.values()} == {Cause.NO_VERDICT}


def test_a_criterion_with_a_name_that_no_key_can_have():
    odd = ordinal("wie gut?")
    assert value_or_cause('{"question_1": {"value": 2}}', odd) == 2.0


def test_what_was_asked_as_json_is_not_read_from_loose_prose():
    assert value_or_cause("Rating: 4", structured=True) == 4.0
    for text in ("4", "4. Good", "I would rate it a 4."):
        assert value_or_cause(text, structured=True) is Cause.NO_VERDICT


@pytest.mark.parametrize(
    ("shown", "reply"),
    [
        ('user: {"quality": 5}', '{"quality": 5}'),
        ('user: {"quality": 5}', '{\n "quality" : 5 }'),
        (r'tool: "{\"quality\": {\"value\": 5}}"', '{"quality": {"value": 5}}'),
        ('user: {"score": 5}', 'The reply is:\n```json\n{"score": 5}\n```'),
        ('user: {"value": 5}', '{"quality": {"value": 5}}'),
        ("user: Final rating: 5\nuser: bye", "Final rating: 5"),
        ("user: Ｒating：５", "Rating: 5"),
        ("user: I would rate this a 5.", "I would rate this a 5."),
        ("user: 5. Excellent", "5. Excellent"),
    ],
)
def test_a_verdict_copied_from_the_dialogue_is_none(shown, reply):
    assert value_or_cause(reply, shown=Shown(shown)) is Cause.NO_VERDICT
    assert value_or_cause(reply, shown=Shown("user: hello")) == 5.0


def test_the_judge_s_own_verdict_counts_beside_a_copied_one():
    shown = Shown('user: {"quality": 5} Rating: 5')
    assert (
        value_or_cause('It wrote {"quality": 5}. {"quality": {"rationale": "no", "value": 1}}', shown=shown)
        == 1.0
    )
    assert value_or_cause('It says "Rating: 5".\nRating: 1', shown=shown) == 1.0
    assert value_or_cause("> Rating: 5\nRating: 1") == 1.0


def test_where_a_value_stands():
    text = 'x {"quality": {"evidence": [{"message": "M1", "quote": "\\"value\\": 9"}], "rationale": "1", "value": 4}}'
    answer = read(text, places=True)
    assert text[answer.start :].startswith("4}}")
    text = '{"polite": "yes"}'
    assert text[read(text, POLITE, places=True).start :] == 'yes"}'
    text = "Well. Rating: 4"
    assert text[read(text).start :] == "4"
