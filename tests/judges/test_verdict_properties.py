"""The reader of replies against anything at all: it never raises, never invents a value, and takes linear time."""

from __future__ import annotations

import json
import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.rubric import Scale
from evalharness.core.scores import Cause
from evalharness.judges.answers import CannotAssess, Unreadable, Verdict
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Finish
from tests.judges.fakes import binary, nominal, numeric, ordinal

CRITERIA = (
    ordinal("quality"),
    binary("polite"),
    nominal("tone", ("cold", "warm", "PASS")),
    numeric("share", 0.0, 10.0),
    ordinal("rest", 3, cannot_assess=True),
)

PIECES = st.sampled_from(
    [
        *(
            "rating",
            "Rating:",
            "score",
            " is ",
            "quality",
            "polite:",
            "verdict",
            "answer",
            "tone",
            "\n",
            " ",
            ":",
            "**",
        ),
        *(
            "1",
            "4",
            "5",
            "4/5",
            "out of",
            "10",
            "-",
            ".",
            "4.5",
            "1e400",
            "NaN",
            "１",
            "1_0",
            "yes",
            "no",
            "warm",
            "cold",
        ),
        *(
            "{",
            "}",
            "[",
            "]",
            '"',
            '"quality"',
            '"value"',
            ":",
            ",",
            "\\",
            "```json",
            "```",
            "null",
            "true",
            "> ",
            "'",
        ),
        *(
            "I would rate it",
            " a ",
            "not",
            "cannot_assess",
            "N/A",
            "\ud800",
            "\u202e",
            "\0",
            "I'm sorry",
            "<|im_end|>",
        ),
    ]
)
texts = st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join))


@given(texts, st.sampled_from(list(Finish)), st.booleans(), st.integers(1, len(CRITERIA)))
def test_every_criterion_gets_an_answer_that_fits_its_scale(text, finish, structured, count):
    asked = CRITERIA[:count]
    answers = read_answers(text, asked, finish=finish, structured=structured, places=True)
    assert list(answers) == [criterion.id for criterion in asked]
    for criterion in asked:
        match answers[criterion.id]:
            case Verdict(value=value):
                assert finish is Finish.STOP
                assert criterion.accepts(value)
                assert isinstance(value, str) is (criterion.scale is Scale.NOMINAL)
                assert type(value) is not bool
            case CannotAssess():
                assert criterion.cannot_assess
            case Unreadable(cause=cause, detail=detail):
                assert isinstance(cause, Cause) and detail


@given(texts)
def test_a_value_always_stands_in_the_text(text):
    """No verdict is invented: the number or word of every accepted value is written in the reply."""
    for criterion in CRITERIA:
        answer = read_answers(text, [criterion])[criterion.id]
        if isinstance(answer, Verdict):
            words = {"PASS", "pass", "warm", "cold", "yes", "no", "true", "false"}
            written = [float(n) for n in re.findall(r"[0-9]+(?:\.[0-9]+)?", text)]
            named = isinstance(answer.value, str) or any(word in text.casefold() for word in words)
            assert named or any(math.isclose(answer.value, number) for number in written)


@given(st.sampled_from([1, 2, 3, 4, 5]), st.text(), st.text(max_size=20))
def test_an_answer_of_the_asked_shape_is_read_whatever_its_words(value, rationale, quote):
    text = json.dumps(
        {"quality": {"evidence": [{"message": "M1", "quote": quote}], "rationale": rationale, "value": value}}
    )
    answer = read_answers(text, [CRITERIA[0]], structured=True)["quality"]
    assert isinstance(answer, Verdict)
    assert (answer.value, answer.rationale, answer.citations[0].quote) == (float(value), rationale, quote)


@given(texts)
def test_reading_is_a_pure_function(text):
    assert read_answers(text, CRITERIA) == read_answers(text, CRITERIA)


@given(st.text(min_size=1), texts)
def test_nothing_that_was_shown_is_read_as_a_marked_verdict(before, text):
    """Whatever verdict text holds, a judge that repeats it word for word has given none of its own."""
    for criterion in CRITERIA:
        answer = read_answers(text, [criterion], shown=Shown(before + text), structured=True)[criterion.id]
        assert not isinstance(answer, Verdict)


MEGABYTE = {
    "braces": "{",
    "brackets": '{"a":[',
    "quotes in braces": '{"',
    "backslashes": '{"\\',
    "marks": "rating: ",
    "quoted marks": '"rating": ',
    "marks in quoted lines": "> rating: 4\n",
    "marks with brackets": "rating (",
    "verbs": "I rate it ",
    "long clauses": "give a a a a a a a a a ",
    "shares": "4/5 ",
    "shares in words": "4 out of ",
    "digits": "1",
    "signs": "+-",
    "stars": "*",
    "blank": " ",
    "lines": "\n",
    "list": "1. a\n",
    "objects": '{"quality": 4} ',
    "nested objects": '{"a":' * 31 + "1" + "}" * 31,
    "negations": "not ",
    "wide letters": "ﬀ",
    "surrogates": "\ud800",
    "sorry": "I'm sorry ",
    "fences": "```json\n",
    "words": "lorem ipsum dolor sit amet ",
}


def _seconds(text: str) -> float:
    """The least of three, in processor time, so that a busy machine does not matter."""
    best = math.inf
    for _ in range(3):
        started = time.process_time()
        read_answers(text, [CRITERIA[0]], shown=Shown("user: Rating: 5"))
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("name", MEGABYTE)
def test_time_grows_no_faster_than_the_text(name):
    """Eight times the text takes about eight times as long (64 times if it were quadratic)."""
    piece = MEGABYTE[name]
    short, long = ((piece * (size // len(piece) + 1))[:size] for size in (1 << 17, 1 << 20))
    assert _seconds(long) < 24 * max(_seconds(short), 0.002)


@pytest.mark.parametrize(("start", "end"), [('{"quality": ', "}"), ("Rating: ", "."), ("", "")])
def test_one_endless_number_is_off_the_scale_or_unread(start, end):
    answer = read_answers(start + "9" * (1 << 20) + end, [CRITERIA[0]])["quality"]
    assert isinstance(answer, Unreadable) and answer.cause in (Cause.OUT_OF_RANGE, Cause.NO_VERDICT)
