"""TER equals sacrebleu's, to the last bit, on short texts and where the band and the limit of shifts bind."""

from __future__ import annotations

import random
from itertools import zip_longest

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.lib_ter import _perform_shift, translation_edit_rate

from evalharness.core.scores import Cause, Failure, Score
from evalharness.metrics.editrate import Shift, edits
from evalharness.metrics.ter import NOT_DIVIDED, Ter
from tests.metrics.replies import FIXED, pairs, turn, value

Corpus = list[tuple[str, tuple[str, ...]]]
words = st.text(alphabet="abcdefgh", max_size=40)


@given(pairs())
def test_sentence_equals_sacrebleu(pair: tuple[str, tuple[str, ...]]) -> None:
    hypothesis, references = pair
    expected = sacrebleu.TER().sentence_score(hypothesis, list(references)).score
    assert value(Ter(), hypothesis, *references) == expected


@pytest.mark.parametrize("hypothesis", FIXED)
def test_fixed_texts_equal_sacrebleu(hypothesis: str) -> None:
    for reference in FIXED:
        assert value(Ter(), hypothesis, reference) == sacrebleu.sentence_ter(hypothesis, [reference]).score


@given(st.lists(pairs(), min_size=1, max_size=5))
def test_corpus_equals_sacrebleu(corpus: Corpus) -> None:
    rows = Ter().score_many([turn(hypothesis, *references) for hypothesis, references in corpus])
    totals = [
        sum(column)
        for column in zip(*(row[0].stats for row in rows if isinstance(row[0], Score)), strict=True)
    ]
    streams = list(zip_longest(*(references for _, references in corpus)))
    expected = sacrebleu.TER().corpus_score([hypothesis for hypothesis, _ in corpus], streams).score
    assert Ter().corpus(Ter().columns[0], totals) == expected


@settings(max_examples=60)
@given(pairs(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_options_equal_sacrebleu(
    pair: tuple[str, tuple[str, ...]], normalized: bool, no_punct: bool, asian: bool, case: bool
) -> None:
    hypothesis, references = pair
    theirs = sacrebleu.TER(normalized, no_punct, asian, case)
    ours = Ter(normalized, no_punct, asian, case)
    assert value(ours, hypothesis, *references) == theirs.sentence_score(hypothesis, list(references)).score
    assert ours.signature(references=len(references)) == str(theirs.get_signature())


@given(words, words)
def test_edits_equal_sacrebleu(hypothesis: str, reference: str) -> None:
    assert edits(hypothesis, reference) == translation_edit_rate(list(hypothesis), list(reference))[0]


@pytest.mark.parametrize("seed", range(12))
def test_edits_of_long_texts_equal_sacrebleu(seed: int) -> None:
    """Up to 130 words: paths leave the safe part of the band, lengths differ, some pass the limit of shifts."""
    rng = random.Random(seed)
    alphabet = [chr(0x100 + code) for code in range(rng.choice([4, 40, 400]))]
    reference = rng.choices(alphabet, k=rng.choice([40, 75, 130]))
    hypothesis = [w if rng.random() < 0.7 else rng.choice(alphabet) for w in reference]
    if seed % 3 == 0:
        cut = rng.randrange(len(hypothesis))
        hypothesis = hypothesis[cut:] + hypothesis[:cut]
    if seed % 4 == 1:
        hypothesis = hypothesis[: len(hypothesis) // rng.choice([2, 8, 30])]
    if seed % 4 == 2:
        hypothesis = hypothesis + rng.choices(alphabet, k=40)
    assert edits("".join(hypothesis), "".join(reference)) == translation_edit_rate(hypothesis, reference)[0]


def test_references_are_normalized_twice_as_in_sacrebleu() -> None:
    """``..5`` becomes ``. .5`` and then ``. . 5``: an identical reply has two of three words wrong."""
    expected = sacrebleu.TER(normalized=True).sentence_score("..5", ["..5"]).score
    assert value(Ter(normalized=True), "..5", "..5") == expected == pytest.approx(200 / 3)


def test_a_shift_costs_one_edit() -> None:
    assert value(Ter(), "b c d a", "a b c d") == 25.0


@given(st.integers(1, 4), st.integers(0, 6), st.integers(0, 9))
def test_moves_are_those_of_tercom(length: int, start: int, target: int) -> None:
    text = "abcdefghij"
    assert Shift(length, start, target).apply(text) == "".join(
        _perform_shift(list(text), start, length, target)
    )


def test_ter_says_when_words_are_not_divided_and_when_texts_are_too_long() -> None:
    ((chinese,), (giant,)) = Ter().score_many([turn("今天天气", "今天天气"), turn("a", "b " * 10_001)])
    assert isinstance(chinese, Score)
    assert chinese.extra == {"warning": NOT_DIVIDED}
    assert isinstance(giant, Failure)
    assert giant.cause is Cause.TOO_LONG


def test_lower_is_better_and_there_is_no_upper_bound() -> None:
    (column,) = Ter().columns
    assert (column.low, column.high, column.higher_is_better) == (0.0, None, False)
    assert value(Ter(), "a b c d", "x") == 400.0
