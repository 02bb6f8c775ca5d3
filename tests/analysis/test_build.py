"""From outcomes to the Analysis: conservation, bounds, systems, corpus scores."""

from __future__ import annotations

from evalharness.analysis.build import analyse
from evalharness.analysis.types import Analysis, RunFacts
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.data.ledger.store import OutcomeRow

COLUMN = Column(
    "j", "helpful", Unit.TURN, "sig", rubric="r", low=1.0, high=5.0, passes=">=4", levels=tuple("12345")
)
RUN = RunFacts(3, 3, 2, ("a", "b"), ("f",), 0, ())


def _analysis(*results: tuple[str, str, Result], items: int | None = None) -> Analysis:
    rows = [
        OutcomeRow(f"d{n}", cluster, system, 1, 1, (result,), n)
        for n, (cluster, system, result) in enumerate(results)
    ]
    return analyse(RUN, {1: (COLUMN,)}, rows, {1: items if items is not None else len(rows)})


def test_items_in_equal_scored_failed_skipped_and_pending():
    analysis = _analysis(
        ("g1", "a", Score(4.0)),
        ("g1", "a", Failure(Cause.TIMEOUT)),
        ("g2", "b", Failure(Cause.TIMEOUT)),
        ("g2", "b", Failure(Cause.NO_VERDICT)),
        ("g3", "b", Skip(SkipReason.NO_CONTEXT)),
        items=7,
    )
    tally = analysis.columns[0].tally
    assert (tally.items, tally.scored, tally.failures, tally.skips, tally.pending) == (7, 1, 3, 1, 2)
    assert tally.items == tally.scored + tally.failures + tally.skips + tally.pending
    assert tally.failed == (("timeout", 2), ("no_verdict", 1))


def test_missing_items_bound_the_mean():
    summary = _analysis(("g1", "", Score(4.0)), ("g2", "", Failure(Cause.REFUSAL))).columns[0]
    assert summary.mean.value == 4.0
    assert summary.bounds == (2.5, 4.5)
    assert _analysis(("g1", "", Score(4.0))).columns[0].bounds is None


def test_pass_rates_and_systems():
    summary = _analysis(
        ("g1", "a", Score(5.0)), ("g1", "b", Score(3.0)), ("g2", "a", Score(4.0)), ("g2", "b", Score(4.0))
    ).columns[0]
    assert summary.pass_rate is not None
    assert summary.pass_rate.value == 0.75
    assert summary.passed == 3
    assert [(row.system, row.mean.value) for row in summary.systems] == [("a", 4.5), ("b", 3.5)]


def test_samples_are_counted_with_the_unusable_ones():
    summary = _analysis(
        ("g1", "", Score(4.0, samples=(4.0, 4.0, Cause.NO_VERDICT))),
        ("g2", "", Failure(Cause.NO_VERDICT, samples=(Cause.EMPTY,))),
    ).columns[0]
    assert summary.samples == (2, 4)


def test_intervals_stay_on_the_scale():
    summary = _analysis(("g1", "a", Score(1.0)), ("g2", "a", Score(4.0))).columns[0]
    assert (summary.mean.low, summary.mean.high) == (1.0, 5.0)
    assert (summary.systems[0].mean.low, summary.systems[0].mean.high) == (1.0, 5.0)


def test_nothing_scored_is_undefined_not_zero():
    summary = _analysis(("g1", "", Failure(Cause.TIMEOUT))).columns[0]
    assert summary.mean.value is None
    assert summary.mean.undefined == "no item was scored"
    assert summary.bounds == (1.0, 5.0)


class _Sum:
    """A corpus metric whose corpus score is the first total."""

    columns = (COLUMN,)
    unit = Unit.TURN

    def score_many(self, items):
        return []

    def corpus(self, column, totals):
        assert column == COLUMN
        return totals[0]

    def corpus_signature(self, column):
        return "sum"


def test_corpus_scores_sum_sufficient_statistics_by_system():
    rows = [
        OutcomeRow("x", "g", "a", 1, 1, (Score(1.0, stats=(2.0,)),), 1),
        OutcomeRow("y", "g", "b", 1, 1, (Score(1.0, stats=(3.0,)),), 2),
    ]
    analysis = analyse(RUN, {1: (COLUMN,)}, rows, {1: 2}, [_Sum()])
    assert [(c.system, c.value, c.items) for c in analysis.corpus] == [
        ("", 5.0, 2),
        ("a", 2.0, 1),
        ("b", 3.0, 1),
    ]
