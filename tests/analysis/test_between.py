"""Scorers against each other: the figures, what is compared, and that no order changes them."""

from __future__ import annotations

import random

import pytest
from scipy.stats import spearmanr

from evalharness.analysis import between as module
from evalharness.analysis.between import BetweenSums, compared
from evalharness.analysis.types import Between
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Cause, Column, Failure, Score
from evalharness.data.ledger.store import OutcomeRow


def judge(name: str, criterion: str = "tone", **more: object) -> Column:
    return Column(name, criterion, Unit.TURN, f"{name}{criterion}", rubric="r", judged=True, **more)  # type: ignore[arg-type]


ONE, TWO = judge("one"), judge("two")
BLEU = Column("bleu", "bleu", Unit.TURN, "bleu", higher_is_better=True)
WORDS = Column("words", "words", Unit.TURN, "words")
SHARE = Column("question_share", "question_share", Unit.TURN, "q")
SCORERS = {1: (ONE,), 2: (TWO,), 3: (BLEU, WORDS, SHARE)}


def rows(count: int) -> list[OutcomeRow]:
    draw = random.Random(3)
    made = []
    for n in range(count):
        place = (f"d{n}", f"g{n // 2}", "", 1)
        level = draw.randint(1, 5)
        made.append(OutcomeRow(*place, 1, (Score(float(level)),), n))
        other = Failure(Cause.EMPTY) if n % 10 == 0 else Score(float(min(5, level + n % 2)))
        made.append(OutcomeRow(*place, 2, (other,), n))
        made.append(OutcomeRow(*place, 3, (Score(draw.random()), Score(float(n)), Score(0.0)), n))
    return made


def summary(found: list[OutcomeRow]) -> Between:
    sums = BetweenSums(SCORERS)
    for row in found:
        sums.add(row)
    return sums.summary()


def test_correlations_are_those_of_the_common_items() -> None:
    found = rows(40)
    between = summary(found)
    first = next(row for row in between.rows if (row.first, row.second) == (ONE, TWO))
    values = {
        scorer: {row.dialogue: row.results[0].value for row in found if row.scorer == scorer and isinstance(row.results[0], Score)}
        for scorer in (1, 2)
    }  # fmt: skip
    common = sorted(values[2])
    expected = spearmanr([values[1][d] for d in common], [values[2][d] for d in common]).statistic
    assert first.spearman.value == pytest.approx(expected)
    assert (first.spearman.n, first.spearman.groups) == (36, 20)
    assert first.same == pytest.approx(sum(values[1][d] == values[2][d] for d in common) / 36)
    assert not between.sampled


def test_judges_metrics_with_a_direction_and_length_are_compared() -> None:
    nominal = judge("one", "topic", nominal=True)
    assert compared([SHARE, WORDS, BLEU, nominal, ONE]) == [ONE, BLEU, WORDS]
    pairs = [(row.first.criterion, row.second.criterion) for row in summary(rows(5)).rows]
    assert pairs == [
        ("tone", "tone"), ("tone", "bleu"), ("tone", "words"), ("tone", "bleu"), ("tone", "words"), ("bleu", "words"),
    ]  # fmt: skip


def test_a_scorer_without_variation_has_no_correlation_but_a_reason() -> None:
    flat = [
        OutcomeRow(f"d{n}", f"g{n}", "", 1, scorer, (Score(3.0 if scorer == 1 else float(n)),), n)
        for n in range(6)
        for scorer in (1, 2)
    ]
    row = summary(flat).rows[0]
    assert row.spearman.value is None
    assert row.spearman.undefined


def test_neither_order_nor_the_way_to_the_sample_changes_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ITEMS", 30)
    found = rows(300)
    whole = summary(found)
    assert whole.sampled
    assert 15 <= next(row.spearman.n for row in whole.rows if row.second is BLEU) <= 60
    for seed in range(3):
        shuffled = list(found)
        random.Random(seed).shuffle(shuffled)
        assert summary(shuffled) == whole
