"""Common subsequences against tables filled cell by cell, as rouge-score fills them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from evalharness.metrics.lcs import lcs_length, union_lcs

words = st.text(alphabet="abcd", max_size=24)


@given(words, words)
def test_length_equals_the_table(first: str, second: str) -> None:
    assert lcs_length(first, second) == rouge_scorer._lcs_table(first, second)[-1][-1]


@given(words, st.lists(words, max_size=4))
def test_union_takes_the_positions_that_rouge_score_takes(reference: str, candidates: list[str]) -> None:
    expected = rouge_scorer._find_union(
        [rouge_scorer.lcs_ind(reference, candidate) for candidate in candidates]
    )
    assert union_lcs(reference, candidates) == expected


def test_one_of_several_longest_subsequences() -> None:
    """Both ``ab`` and ``ac`` are common to ``abc`` and ``acb``; the walk back from the ends meets ``ab`` first."""
    assert union_lcs("abc", ["acb"]) == rouge_scorer.lcs_ind("abc", "acb")
