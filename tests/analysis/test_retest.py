"""How alike several samples of an item are, and whose samples count."""

from __future__ import annotations

import math

import pytest

from evalharness.analysis.retest import Retest, RetestSums
from evalharness.core.canonical import Json
from evalharness.core.scores import Cause, Failure, Score, Value


def sums(*rows: tuple[tuple[Value | Cause, ...], dict[str, Json]]) -> Retest | None:
    found = RetestSums()
    for samples, extra in rows:
        found.add(Score(1.0, samples=samples, extra=extra or None))
    return found.summary()


def test_pairs_and_variances_are_pooled_over_items():
    """Within items the squares are 2/3 and 2 with 2 + 1 degrees of freedom; of 3 + 1 pairs one is equal."""
    found = sums(((4.0, 4.0, 5.0), {}), ((1.0, 3.0), {}), ((5.0,), {}), ((), {}))
    assert found == Retest(2, 0.25, pytest.approx(math.sqrt((2 / 3 + 2) / 3)))


def test_unreadable_samples_are_left_out_and_failures_count():
    kept = RetestSums()
    kept.add(Failure(Cause.TWO_VERDICTS, "", samples=("cold", "warm")))
    kept.add(Failure(Cause.NO_VERDICT, "", samples=(Cause.NO_VERDICT, "cold")))
    assert kept.summary() == Retest(1, 0.0, None)


@pytest.mark.parametrize("facts", [{"members": {}}, {"stage": "cheap"}], ids=["panel", "cascade"])
def test_verdicts_of_different_judges_are_no_samples_of_one(facts: dict[str, Json]):
    assert sums(((1.0, 5.0), facts)) is None
    assert sums(((1.0, 5.0), {**facts, "repetitions": []})) == Retest(1, 0.0, pytest.approx(math.sqrt(8)))
