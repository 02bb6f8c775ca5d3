"""Sequential looks on values alone: error rates that hold over all looks, and what an arrival is."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.core.policy import Policy
from evalharness.gate.types import Verdict
from evalharness.gate.watching import Arrival, Traffic, arrivals_of, together, watched
from tests.gate.helpers import COLUMN, snapshot

SHADOW = Traffic()


def _stream(values: np.ndarray) -> list[Arrival]:
    return [Arrival(f"g{number}", float(value), True) for number, value in enumerate(values)]


def _levels(rng: np.random.Generator, size: int, drop: float) -> np.ndarray:
    """Differences of two scores on a 1-5 scale, of mean -drop."""
    first, second = rng.choice([2.0, 3.0, 4.0], size), rng.choice([2.0, 3.0, 4.0], size)
    return first - second - drop


@pytest.mark.parametrize(("drop", "wrong"), [(0.0, Verdict.FAIL), (0.2, Verdict.PASS)])
def test_wrong_decisions_are_rare_however_often_one_looks(drop: float, wrong: Verdict):
    """With no change a FAIL, and at exactly the tolerated drop a PASS, at any of 150 looks: at most 5 % nominally."""
    rng = np.random.default_rng(7)
    policy = Policy()
    rows = [
        watched(COLUMN, _stream(_levels(rng, 150, drop)), 0, policy, SHADOW, 1).verdict for _ in range(120)
    ]
    assert sum(verdict is wrong for verdict in rows) / len(rows) <= 0.05


def test_a_large_drop_is_found_and_the_decision_stands():
    rng = np.random.default_rng(1)
    values = _levels(rng, 400, 1.0)
    row = watched(COLUMN, _stream(values), 0, Policy(), SHADOW, 1)
    assert row.verdict is Verdict.FAIL
    assert row.decided is not None
    assert row.decided < 400
    earlier = watched(COLUMN, _stream(values[: row.decided]), 0, Policy(), SHADOW, 1)
    later = watched(COLUMN, _stream(np.append(values, np.full(50, 4.0))), 0, Policy(), SHADOW, 1)
    assert (earlier.verdict, earlier.decided) == (later.verdict, later.decided) == (Verdict.FAIL, row.decided)


def test_nothing_arrived_is_undecided():
    row = watched(COLUMN, [], 0, Policy(), SHADOW, 1)
    assert (row.verdict, row.value) == (Verdict.INCONCLUSIVE, None)
    assert together([]) is Verdict.INCONCLUSIVE


def test_split_traffic_estimates_the_difference_of_both_versions():
    rng = np.random.default_rng(3)
    arms = rng.random(3000) < 0.3
    values = np.where(arms, 2.5, 3.5) + rng.normal(0, 0.4, arms.size)
    stream = [Arrival(f"g{i}", float(v), bool(a)) for i, (v, a) in enumerate(zip(values, arms, strict=True))]
    row = watched(COLUMN, stream, 0, Policy(), Traffic(0.3, "time"), 1)
    assert row.value == pytest.approx(-1.0, abs=0.1)
    assert row.verdict is Verdict.FAIL
    assert row.lower is not None
    assert row.upper is not None
    assert row.lower < -1.0 < row.upper


def test_a_scenario_is_one_arrival_and_what_lacks_its_counterpart_waits():
    before = snapshot({"a": [4.0, 2.0], "b": [3.0], "c": [5.0]}, name="old")
    after = snapshot({"a": [3.0, 1.0], "b": [None], "d": [5.0]}, tag="-new")
    found, waiting = arrivals_of(before, before.series[0], after, after.series[0], Policy(), SHADOW)
    assert found == [Arrival("a", -1.0, True)]
    assert waiting == 3
