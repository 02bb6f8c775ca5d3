"""ROUGE equals rouge-score's, to the last bit; with other tokenizers identical text of any script scores 1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from evalharness.core.scores import Cause, Failure, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.metrics import rouge as module
from evalharness.metrics.rouge import FEW_TOKENS, NO_TOKENS, TYPES, Rouge, f_measure
from tests.metrics.replies import FIXED, long_text, pairs, texts, turn, value, values

LIBRARY = {stem: RougeScorer(list(TYPES), use_stemmer=stem) for stem in (False, True)}


def expected(stem: bool, hypothesis: str, references: tuple[str, ...]) -> tuple[float, ...]:
    scores = LIBRARY[stem].score_multi(list(references), hypothesis)
    return tuple(scores[name].fmeasure for name in TYPES)


@given(pairs(), st.booleans())
def test_values_equal_rouge_score(pair: tuple[str, tuple[str, ...]], stem: bool) -> None:
    hypothesis, references = pair
    assert values(Rouge(TYPES, stem=stem), turn(hypothesis, *references)) == [expected(stem, *pair)]


@given(
    st.lists(texts(), min_size=1, max_size=5).map("\n".join),
    st.lists(texts(), min_size=1, max_size=5).map("\n".join),
)
def test_values_of_several_lines_equal_rouge_score(hypothesis: str, reference: str) -> None:
    assert values(Rouge(TYPES), turn(hypothesis, reference)) == [expected(False, hypothesis, (reference,))]


@given(st.text(alphabet="ab c\n", max_size=60), st.text(alphabet="abc \n", max_size=60))
def test_unions_over_sentences_equal_rouge_score(hypothesis: str, reference: str) -> None:
    """Few different words: many longest common subsequences to choose from."""
    ours = value(Rouge(("rougeLsum",)), hypothesis, reference)
    assert ours == LIBRARY[False].score(reference, hypothesis)["rougeLsum"].fmeasure


@pytest.mark.parametrize("hypothesis", FIXED)
def test_fixed_texts_equal_rouge_score(hypothesis: str) -> None:
    for reference in FIXED:
        assert values(Rouge(TYPES, stem=True), turn(hypothesis, reference)) == [
            expected(True, hypothesis, (reference,))
        ]


def test_a_thousand_tokens_equal_rouge_score() -> None:
    hypothesis, reference = long_text(1000, 1), long_text(1000, 2)
    assert values(Rouge(TYPES), turn(hypothesis, reference)) == [expected(False, hypothesis, (reference,))]


def test_six_thousand_tokens() -> None:
    """ROUGE-1 and -2 against rouge-score, whose table for ROUGE-L would take long: there two ways of ours agree."""
    hypothesis, reference = long_text(6000, 1), long_text(6000, 2)
    ((one, two, longest, union),) = values(Rouge(TYPES), turn(hypothesis, reference))
    scores = RougeScorer(["rouge1", "rouge2"]).score(reference, hypothesis)
    assert (one, two) == (scores["rouge1"].fmeasure, scores["rouge2"].fmeasure)
    assert 0.1 < float(longest) < float(one)
    assert union == longest


@given(st.lists(pairs(), min_size=2, max_size=20))
def test_a_block_gives_what_single_items_give(corpus: list[tuple[str, tuple[str, ...]]]) -> None:
    items = [turn(hypothesis, *references) for hypothesis, references in corpus]
    metric = Rouge(TYPES, stem=True)
    assert metric.score_many(items) == [metric.score_many([item])[0] for item in items]


@pytest.mark.parametrize("text", ["你好，世界。", "😀👍🏽", "مرحبا بالعالم", "สวัสดี", "안녕하세요 세계"])
def test_identical_text_of_any_script_scores_one_with_the_unicode_tokenizer(text: str) -> None:
    assert value(Rouge(("rouge1",), tokenizer="unicode"), text, text) == 1.0
    assert value(Rouge(("rougeL",), tokenizer="char"), text, text) == 1.0
    ((result,),) = Rouge(("rouge1",)).score_many([turn(text, text)])
    assert isinstance(result, Score)
    assert result.value == 0.0
    assert result.extra == {"warning": NO_TOKENS}


def test_warnings_tell_what_the_tokenizer_drops() -> None:
    items = [
        turn("مرحبا 24", "مرحبا 24"),
        turn("naïve café", "naive cafe"),
        turn("fine", "好的"),
        turn("", "fine"),
    ]
    found = [row[0].extra for row in Rouge(("rouge1",)).score_many(items) if isinstance(row[0], Score)]
    assert found == [{"warning": FEW_TOKENS}, None, {"warning": NO_TOKENS}, None]


def test_partial_overlap_in_chinese() -> None:
    """Five of six characters stand in both, in the same order."""
    assert value(Rouge(("rougeL",), tokenizer="unicode"), "今天天气很好", "今天天气不好") == pytest.approx(
        5 / 6
    )


def test_several_references_count_by_the_best_f_of_each_type() -> None:
    """The first reference has more words in common, the second more word pairs."""
    one = turn("a b c d", "d c b a", "a b x y")
    assert values(Rouge(("rouge1", "rouge2")), one) == [(1.0, pytest.approx(1 / 3))]


def test_corpus_is_the_mean_and_says_so() -> None:
    metric = Rouge(("rouge1",))
    rows = metric.score_many([turn("a b", "a b"), turn("a b", "a c")])
    totals = [
        sum(column)
        for column in zip(*(row[0].stats for row in rows if isinstance(row[0], Score)), strict=True)
    ]
    (column,) = metric.columns
    assert metric.corpus(column, totals) == 0.75
    assert metric.corpus_signature(column).startswith(
        "mean|nrefs:var|agg:best-f|stem:no|tok:ascii|version:rouge-score-"
    )


def test_texts_too_long_for_a_union_fail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_UNION_STEPS", 5)
    ((longest, union),) = Rouge(("rougeL", "rougeLsum")).score_many([turn("a b c d e f", "a b")])
    assert isinstance(longest, Score)
    assert isinstance(union, Failure)
    assert union.cause is Cause.TOO_LONG


def test_skips_have_one_result_per_type() -> None:
    assert Rouge().score_many([turn("a")]) == [(Skip(SkipReason.NO_REFERENCE),) * 3]


@pytest.mark.parametrize(
    "options",
    [{"types": ("rouge3",)}, {"types": ()}, {"types": ("rouge1", "rouge1")}, {"tokenizer": "asci"},
     {"tokenizer": "char", "stem": True}],
)  # fmt: skip
def test_options_that_do_not_fit(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Rouge(**options)  # type: ignore[arg-type]


def test_columns_and_names() -> None:
    assert [column.criterion for column in Rouge().columns] == ["rouge1", "rouge2", "rougeL"]
    assert [column.criterion for column in Rouge(name="u").columns] == ["u:rouge1", "u:rouge2", "u:rougeL"]
    assert [column.criterion for column in Rouge(("rougeL",), name="u").columns] == ["u"]


def test_f_measure_by_hand() -> None:
    assert f_measure(1, 2, 4) == pytest.approx(1 / 3)
    assert f_measure(0, -1, 0) == 0.0
