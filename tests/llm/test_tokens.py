from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import Token
from evalharness.llm.tokens import label_distribution, read_tokens


def token(text: str, **top: float) -> Token:
    return Token(
        text, math.log(top.get(text, 0.5)), tuple((other, math.log(share)) for other, share in top.items())
    )


def test_entries_become_tokens() -> None:
    entries = [
        {
            "token": "4",
            "logprob": -0.1,
            "top_logprobs": [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -3}],
        }
    ]
    assert read_tokens(entries) == (Token("4", -0.1, (("4", -0.1), ("5", -3.0))),)


@pytest.mark.parametrize(
    "entry", ["x", {"token": 4}, {"token": "4", "logprob": "x"}, {"token": "4", "top_logprobs": {}}]
)
def test_wrong_entries_are_refused(entry: object) -> None:
    with pytest.raises(MalformedBody):
        read_tokens([entry])


def test_the_distribution_is_over_labels_alone() -> None:
    found = label_distribution([token("4", **{"4": 0.6, "5": 0.2, "The": 0.2})], ["1", "2", "3", "4", "5"])
    assert found is not None
    shares, mass = found
    assert mass == pytest.approx(0.8)
    assert shares == pytest.approx({"1": 0, "2": 0, "3": 0, "4": 0.75, "5": 0.25})


def test_space_and_case_do_not_matter_and_blank_tokens_are_passed_over() -> None:
    found = label_distribution(
        [Token("\n", -0.1), token(" Yes", **{" Yes": 0.5, "yes": 0.2, "NO": 0.3})], ["yes", "no"]
    )
    assert found is not None
    assert found[0] == pytest.approx({"yes": 0.7, "no": 0.3})


def test_a_token_may_be_the_start_of_one_label() -> None:
    found = label_distribution([token("Help", Help=0.9, Use=0.1)], ["Helpful", "Useless"])
    assert found is not None
    assert found[0] == pytest.approx({"Helpful": 0.9, "Useless": 0.1})


def test_starts_of_two_labels_tell_nothing() -> None:
    assert label_distribution([token("Use", Use=0.9)], ["Useful", "Useless"]) is None


def test_one_and_ten_need_a_token_for_ten() -> None:
    labels = ["1", "2", "10"]
    assert label_distribution([token("1", **{"1": 0.9, "2": 0.1})], labels) is None
    found = label_distribution([token("1", **{"1": 0.6, "10": 0.4})], labels)
    assert found is not None
    assert found[0] == pytest.approx({"1": 0.6, "2": 0.0, "10": 0.4})


@pytest.mark.parametrize("tokens", [[], [Token(" ", -1.0)], [token("maybe", maybe=1.0)]])
def test_no_label_gives_none(tokens: list[Token]) -> None:
    assert label_distribution(tokens, ["yes", "no"]) is None


@given(st.dictionaries(st.sampled_from("12345abc"), st.floats(0.001, 0.2), min_size=1))
def test_distributions_sum_to_one(top: dict[str, float]) -> None:
    found = label_distribution([token(next(iter(top)), **top)], list("12345"))
    if found is not None:
        assert math.isclose(math.fsum(found[0].values()), 1.0)
        assert 0.0 < found[1] <= 1.0
