"""chrF and chrF++ equal sacrebleu's, to the last bit."""

from __future__ import annotations

from itertools import zip_longest

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.core.scores import Score
from evalharness.errors import UsageError
from evalharness.metrics.chrf import Chrf, chrf, chrf_with_epsilon
from tests.metrics.replies import FIXED, long_text, pairs, turn, value

Corpus = list[tuple[str, tuple[str, ...]]]


def corpus_of_both(ours: Chrf, theirs: sacrebleu.CHRF, corpus: Corpus) -> tuple[float, float]:
    rows = ours.score_many([turn(hypothesis, *references) for hypothesis, references in corpus])
    totals = [
        sum(column)
        for column in zip(*(row[0].stats for row in rows if isinstance(row[0], Score)), strict=True)
    ]
    streams = list(zip_longest(*(references for _, references in corpus)))
    expected = theirs.corpus_score([hypothesis for hypothesis, _ in corpus], streams).score
    return ours.corpus(ours.columns[0], totals), expected


@pytest.mark.parametrize("word_order", [0, 2])
@given(pair=pairs())
def test_sentence_equals_sacrebleu(word_order: int, pair: tuple[str, tuple[str, ...]]) -> None:
    hypothesis, references = pair
    expected = sacrebleu.CHRF(word_order=word_order).sentence_score(hypothesis, list(references)).score
    assert value(Chrf(word_order), hypothesis, *references) == expected


@pytest.mark.parametrize("word_order", [0, 2])
@pytest.mark.parametrize("hypothesis", FIXED)
def test_fixed_texts_equal_sacrebleu(hypothesis: str, word_order: int) -> None:
    for reference in FIXED:
        expected = sacrebleu.sentence_chrf(hypothesis, [reference], word_order=word_order).score
        assert value(Chrf(word_order), hypothesis, reference) == expected


@given(st.lists(pairs(), min_size=1, max_size=5), st.sampled_from([0, 2]))
def test_corpus_equals_sacrebleu(corpus: Corpus, word_order: int) -> None:
    ours, theirs = corpus_of_both(Chrf(word_order), sacrebleu.CHRF(word_order=word_order), corpus)
    assert ours == theirs


@settings(max_examples=60)
@given(
    pairs(),
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_options_equal_sacrebleu(
    pair: tuple[str, tuple[str, ...]],
    char_order: int,
    word_order: int,
    beta: int,
    lowercase: bool,
    space: bool,
    eps: bool,
) -> None:
    ours = Chrf(word_order, char_order, beta, lowercase, space, eps)
    theirs = sacrebleu.CHRF(char_order, word_order, beta, lowercase, space, eps)
    hypothesis, references = pair
    assert value(ours, hypothesis, *references) == theirs.sentence_score(hypothesis, list(references)).score
    mine, expected = corpus_of_both(ours, theirs, [pair, pair])
    assert mine == expected


def test_long_texts() -> None:
    hypothesis, reference = long_text(6000, 1), long_text(6000, 2)
    expected = sacrebleu.CHRF(word_order=2).sentence_score(hypothesis, [reference]).score
    assert value(Chrf(word_order=2), hypothesis, reference) == expected


@given(st.lists(pairs(), min_size=2, max_size=20))
def test_a_block_gives_what_single_items_give(corpus: Corpus) -> None:
    items = [turn(hypothesis, *references) for hypothesis, references in corpus]
    assert Chrf(2).score_many(items) == [Chrf(2).score_many([item])[0] for item in items]


def test_names_and_signatures() -> None:
    theirs = sacrebleu.CHRF(word_order=2, lowercase=True)
    theirs.corpus_score(["a b", "c"], [["a", "c"], ["b", None]])
    ours = Chrf(word_order=2, lowercase=True)
    assert ours.columns[0].criterion == "chrf++"
    assert ours.columns[0].signature == ours.corpus_signature(ours.columns[0]) == str(theirs.get_signature())
    assert Chrf().columns[0].criterion == "chrf"
    assert "beta:3" in Chrf(beta=3).signature()


@pytest.mark.parametrize("options", [{"char_order": 7}, {"char_order": 0}, {"word_order": -1}, {"beta": 0}])
def test_options_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Chrf(**options)  # type: ignore[arg-type]


def test_statistics_by_hand() -> None:
    """Precision 1/2 and recall 1 at order 1 alone: F2 = 5 · ½ / (4 · ½ + 1)."""
    assert chrf((2, 1, 1, 1, 0, 0), beta=2) == pytest.approx(100 * 5 * 0.5 / 3)
    assert chrf((0, 0, 0)) == 0.0
    assert chrf_with_epsilon((2, 2, 2, 0, 0, 0)) == pytest.approx(50.0)
