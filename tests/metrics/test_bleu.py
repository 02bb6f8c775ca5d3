"""BLEU equals sacrebleu's, sentence by sentence and for a corpus, to the last bit."""

from __future__ import annotations

from itertools import zip_longest

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.core.scores import Cause, Failure, Score, Skip, SkipReason
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.metrics.bleu import NOT_DIVIDED, Bleu, bleu
from evalharness.metrics.reference import MAX_CHARACTERS
from tests.metrics.replies import FIXED, long_text, pairs, texts, turn, value, values

LIBRARY = sacrebleu.BLEU(effective_order=True)


def sacre_corpus(corpus: list[tuple[str, tuple[str, ...]]], **options: object) -> float:
    streams = list(zip_longest(*(references for _, references in corpus)))
    return sacrebleu.BLEU(**options).corpus_score([hypothesis for hypothesis, _ in corpus], streams).score


def our_corpus(metric: Bleu, corpus: list[tuple[str, tuple[str, ...]]]) -> float:
    rows = metric.score_many([turn(hypothesis, *references) for hypothesis, references in corpus])
    totals = [
        sum(column)
        for column in zip(*(row[0].stats for row in rows if isinstance(row[0], Score)), strict=True)
    ]
    return metric.corpus(metric.columns[0], totals)


@given(pairs())
def test_sentence_equals_sacrebleu(pair: tuple[str, tuple[str, ...]]) -> None:
    hypothesis, references = pair
    assert (
        value(Bleu(), hypothesis, *references) == LIBRARY.sentence_score(hypothesis, list(references)).score
    )


@pytest.mark.parametrize("hypothesis", FIXED)
@pytest.mark.parametrize("reference", FIXED)
def test_fixed_texts_equal_sacrebleu(hypothesis: str, reference: str) -> None:
    expected = sacrebleu.sentence_bleu(hypothesis, [reference]).score
    assert value(Bleu(), hypothesis, reference) == expected


@given(st.lists(pairs(), min_size=1, max_size=6))
def test_corpus_equals_sacrebleu_with_any_number_of_references(
    corpus: list[tuple[str, tuple[str, ...]]],
) -> None:
    assert our_corpus(Bleu(), corpus) == sacre_corpus(corpus)


@settings(max_examples=60)
@given(
    pairs(),
    st.sampled_from(["13a", "intl", "zh", "char", "none"]),
    st.booleans(),
    st.sampled_from(
        [("exp", None), ("floor", None), ("floor", 0.3), ("add-k", None), ("add-k", 2.0), ("none", None)]
    ),
    st.integers(1, 6),
)
def test_options_equal_sacrebleu(
    pair: tuple[str, tuple[str, ...]],
    tokenize: str,
    lowercase: bool,
    smoothing: tuple[str, float | None],
    order: int,
) -> None:
    hypothesis, references = pair
    ours = Bleu(tokenize, lowercase, smoothing[0], smoothing[1], order)  # type: ignore[arg-type]
    options = {
        "tokenize": tokenize, "lowercase": lowercase, "smooth_method": smoothing[0], "smooth_value": smoothing[1],
        "max_ngram_order": order,
    }  # fmt: skip
    theirs = sacrebleu.BLEU(effective_order=True, **options)
    assert value(ours, hypothesis, *references) == theirs.sentence_score(hypothesis, list(references)).score
    assert our_corpus(ours, [pair, pair]) == sacre_corpus([pair, pair], **options)


def test_six_thousand_tokens() -> None:
    hypothesis, reference = long_text(6000, 1), long_text(6000, 2)
    assert value(Bleu(), hypothesis, reference) == LIBRARY.sentence_score(hypothesis, [reference]).score


@given(st.lists(pairs(), min_size=2, max_size=20))
def test_a_block_gives_what_single_items_give(corpus: list[tuple[str, tuple[str, ...]]]) -> None:
    items = [turn(hypothesis, *references) for hypothesis, references in corpus]
    assert Bleu().score_many(items) == [Bleu().score_many([item])[0] for item in items]


def test_corpus_bleu_of_very_short_replies_is_zero_though_each_is_perfect() -> None:
    corpus = [("thank you very", ("thank you very",))] * 5
    assert values(Bleu(), *[turn(h, *r) for h, r in corpus]) == [(100.00000000000004,)] * 5
    assert our_corpus(Bleu(), corpus) == sacre_corpus(corpus) == 0.0


def test_signatures_are_those_of_sacrebleu() -> None:
    theirs = sacrebleu.BLEU(tokenize="zh", lowercase=True, smooth_method="floor")
    theirs.corpus_score(["a b", "c"], [["a", "c"], ["b", None]])
    ours = Bleu(tokenize="zh", lowercase=True, smooth_method="floor")
    assert ours.corpus_signature(ours.columns[0]) == str(theirs.get_signature())
    LIBRARY.sentence_score("a", ["a"])
    assert Bleu().signature(references=1) == str(LIBRARY.get_signature())
    assert (
        Bleu().columns[0].signature
        == "nrefs:var|case:mixed|eff:yes|tok:13a|smooth:exp|version:" + sacrebleu.__version__
    )
    assert "order:2" in Bleu(max_ngram_order=2).signature()


@pytest.mark.parametrize("tokenize", ["13a", "intl", "none"])
def test_chinese_is_warned_of_where_the_tokenizer_does_not_divide_it(tokenize: str) -> None:
    ((result,),) = Bleu(tokenize).score_many([turn("今天天气很好", "今天天气不好")])
    assert isinstance(result, Score)
    assert result.value == 0.0
    assert result.extra == {"warning": NOT_DIVIDED}
    ((divided,),) = Bleu("zh").score_many([turn("今天天气很好", "今天天气不好")])
    assert isinstance(divided, Score)
    assert divided.extra is None
    assert isinstance(divided.value, float)
    assert divided.value > 30


def test_a_reply_without_references_is_skipped_and_a_giant_one_fails() -> None:
    giant = "x" * (MAX_CHARACTERS + 1)
    rows = Bleu().score_many([turn("a"), turn(giant, "a"), turn("a", "b", giant), turn("a b c", "a b c")])
    assert rows[0] == (Skip(SkipReason.NO_REFERENCE),)
    assert [row[0].cause for row in rows[1:3] if isinstance(row[0], Failure)] == [Cause.TOO_LONG] * 2
    assert isinstance(rows[3][0], Score)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenize": "spm"}, "no tokenizer 'spm'"),
        ({"smooth_method": "epx"}, "Did you mean exp"),
        ({"max_ngram_order": 7}, "Give 1 to 6"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Bleu(**options)  # type: ignore[arg-type]


def test_a_tokenizer_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "MeCab", None)
    with pytest.raises(MissingDependencyError, match=r"sacrebleu\[ja\]"):
        Bleu("ja-mecab")


def test_bleu_of_statistics_by_hand() -> None:
    """Two of three words match, one of two bigrams, no trigram (smoothed to 1/2), brevity penalty exp(1 - 4/3)."""
    expected = 2.718281828459045 ** (1 - 4 / 3) * (200 / 3 * 50 * 50) ** (1 / 3)
    assert bleu((3, 4, 2, 1, 0, 0, 3, 2, 1, 0), effective_order=True) == pytest.approx(expected, rel=1e-12)


@given(texts())
def test_a_text_against_itself_is_perfect_unless_it_has_no_tokens(text: str) -> None:
    tokens = LIBRARY.tokenizer(text.rstrip()).split()
    assert value(Bleu(), text, text) == pytest.approx(100.0 if tokens else 0.0)
