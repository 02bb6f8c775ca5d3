"""Distributions from token probabilities: the value's token alone, renormalised, the mass kept."""

from __future__ import annotations

import math

import pytest

from evalharness.judges.answers import Odd
from evalharness.judges.probabilities import Distribution, of_labels, of_tokens
from evalharness.llm.client import Token
from tests.judges.fakes import binary, nominal, numeric, ordinal


def token(text, p=1.0, **top):
    return Token(text, math.log(p), tuple((name.replace("_", " "), math.log(q)) for name, q in top.items()))


def tokens_of(*pieces):
    return [token(piece) if isinstance(piece, str) else piece for piece in pieces]


VALUE = Token(
    "4",
    math.log(0.5),
    (("4", math.log(0.5)), (" 5", math.log(0.2)), ("3", math.log(0.1)), ("x", math.log(0.05))),
)


def test_the_value_s_token_gives_the_distribution_not_a_digit_of_the_rationale():
    early = Token("2", math.log(0.9), (("2", math.log(0.9)), ("1", math.log(0.1))))
    parts = tokens_of('{"quality": {"rationale": "', early, ' faults", "value": ', VALUE, "}}")
    text = "".join(part.text for part in parts)
    found = of_tokens(text, parts, text.rindex("4"), ordinal())
    assert found.mass == pytest.approx(0.8)
    assert found.probabilities == pytest.approx({"1": 0, "2": 0, "3": 0.125, "4": 0.625, "5": 0.25})
    assert found.fit(ordinal()) == pytest.approx(3 * 0.125 + 4 * 0.625 + 5 * 0.25)


def test_the_sampled_token_counts_even_where_the_likeliest_leave_it_out():
    parts = [Token("2", math.log(0.01), (("4", math.log(0.9)),))]
    assert of_tokens("2", parts, 0, ordinal()).probabilities["2"] == pytest.approx(0.01 / 0.91)


def test_words_are_told_by_their_first_token():
    parts = [
        token('{"polite": "'),
        Token("y", math.log(0.6), (("y", math.log(0.6)), ("No", math.log(0.3)))),
        token('es"}'),
    ]
    text = "".join(part.text for part in parts)
    found = of_tokens(text, parts, text.index("yes"), binary())
    assert found.probabilities == pytest.approx({"no": 1 / 3, "yes": 2 / 3})
    assert found.fit(binary()) == pytest.approx(2 / 3)


def test_a_nominal_value_is_the_likeliest_label():
    found = of_labels({"cold": 0.2, "warm": 0.5, "rude": 0.3}, 0.9)
    assert (found.fit(nominal()), found.mass) == ("warm", 0.9)


def test_cannot_assess_is_an_answer_when_it_is_the_likeliest_and_left_out_otherwise():
    criterion = ordinal(cannot_assess=True)
    assert Distribution({"1": 0.3, "cannot_assess": 0.7}, 1).fit(criterion) is Odd.CANNOT_ASSESS
    assert Distribution({"1": 0.4, "3": 0.4, "cannot_assess": 0.2}, 1).fit(criterion) == 2.0


def test_a_numeric_range_of_labels():
    assert of_labels({"0": 0.5, "9": 0.5}, None).fit(numeric()) == 4.5


@pytest.mark.parametrize(
    ("text", "tokens", "start"),
    [
        ("4", [], 0),
        ("4", [VALUE], None),
        ("4", [token("5")], 0),
        ("x", [token("x")], 0),
        ("4", [Token("4", -math.inf)], 0),
    ],
    ids=["no tokens", "no place", "other text", "no label", "no probability"],
)
def test_no_distribution(text, tokens, start):
    assert of_tokens(text, tokens, start, ordinal()) is None


def test_a_token_that_could_begin_two_labels_gives_none():
    from evalharness.core.rubric import Criterion, Level, Scale

    scale = tuple(Level(str(n), "", float(n)) for n in (1, 2, 10))
    criterion = Criterion("q", "?", Scale.ORDINAL, scale)
    assert of_tokens("1", [Token("1", -0.1)], 0, criterion) is None
    assert of_tokens("2", [Token("2", -0.1)], 0, criterion).probabilities["2"] == 1.0


@pytest.mark.parametrize("given", [None, {}, {"1": 0.0}, {"1": float("nan")}])
def test_labels_without_probabilities(given):
    assert of_labels(given, 1.0) is None
