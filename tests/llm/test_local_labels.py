"""Labels of one or several tokens: their forms, and the exact spreading of probability over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.local_labels import label_forms, spread

END = -1


def spell(labels: Sequence[str]) -> dict[tuple[int, ...], str]:
    return {tuple(map(ord, label)): label for label in labels}


def even(_begun: tuple[int, ...], candidates: Sequence[int]) -> Mapping[int, float]:
    return {token: 1 / len(candidates) for token in candidates}


def test_labels_of_one_token_take_their_probability_in_one_question() -> None:
    asked: list[tuple[int, ...]] = []

    def distribution(begun: tuple[int, ...], candidates: Sequence[int]) -> Mapping[int, float]:
        asked.append(begun)
        return dict(zip(sorted(candidates), (0.2, 0.3, 0.5), strict=True))

    assert spread(spell("123"), END, distribution) == {"1": 0.2, "2": 0.3, "3": 0.5}
    assert asked == [()]


def test_a_label_that_begins_another_is_told_apart_by_the_end_of_the_answer() -> None:
    def distribution(begun: tuple[int, ...], candidates: Sequence[int]) -> Mapping[int, float]:
        if not begun:
            assert sorted(candidates) == [ord("1"), ord("2")]
            return {ord("1"): 0.8, ord("2"): 0.2}
        assert begun == (ord("1"),)
        assert set(candidates) == {END, ord("0"), ord("1")}
        return {END: 0.5, ord("0"): 0.25, ord("1"): 0.25}

    assert spread(spell(["1", "2", "10", "11"]), END, distribution) == {
        "1": 0.4,
        "2": 0.2,
        "10": 0.2,
        "11": 0.2,
    }


def test_the_rest_of_a_label_that_no_other_shares_is_not_asked_for() -> None:
    asked: list[tuple[int, ...]] = []

    def distribution(begun: tuple[int, ...], candidates: Sequence[int]) -> Mapping[int, float]:
        asked.append(begun)
        return even(begun, candidates)

    assert spread(spell(["billing", "delivery"]), END, distribution) == {"billing": 0.5, "delivery": 0.5}
    assert asked == [()]


def test_a_single_label_is_certain_without_a_question() -> None:
    assert spread(spell(["yes"]), END, lambda *_: {}) == {"yes": 1.0}


def test_forms_of_one_label_add_up() -> None:
    paths = {(ord("y"),): "yes", (ord("Y"),): "yes", (ord("n"),): "no"}
    assert spread(paths, END, even) == {"yes": 2 / 3, "no": 1 / 3}


@given(st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=12, unique=True))
def test_shares_always_sum_to_one_and_every_label_has_one(labels: list[str]) -> None:
    shares = spread(spell(labels), END, even)
    assert set(shares) == set(labels)
    assert math.isclose(math.fsum(shares.values()), 1.0)
    assert all(share > 0 for share in shares.values())


def test_words_may_be_capitalised_and_digits_stay() -> None:
    assert label_forms(["no", "yes"]) == {"no": "no", "yes": "yes", "No": "no", "Yes": "yes"}
    assert label_forms(["1", "2"]) == {"1": "1", "2": "2"}


def test_a_capital_that_could_mean_two_labels_is_no_form_of_either() -> None:
    assert label_forms(["a", "A"]) == {"a": "a", "A": "A"}
