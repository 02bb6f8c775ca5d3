"""Running sums give the same figures as the formulas over all values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.analysis.accumulate import ClusteredMean, Distribution, rate_estimate
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.stats.clustered import mean_interval

_rows = st.lists(
    st.tuples(st.integers(0, 5), st.floats(-1e3, 1e3).map(lambda x: round(x, 3))), min_size=2, max_size=40
)


@given(_rows)
def test_mean_and_interval_equal_the_batch_formula(rows: list[tuple[int, float]]):
    rows.sort(key=lambda row: row[0])
    running = ClusteredMean()
    for cluster, value in rows:
        running.add(str(cluster), value)
    ours = running.estimate()
    theirs = mean_interval([value for _, value in rows], np.array([cluster for cluster, _ in rows]))
    assert ours.value == pytest.approx(theirs.value, abs=1e-9)
    assert (ours.groups, ours.n) == (theirs.groups, theirs.n)
    if ours.se is None:
        assert theirs.se is None
    else:
        assert ours.se == pytest.approx(theirs.se, rel=1e-6, abs=1e-9)


@given(_rows)
def test_spread_is_the_sample_standard_deviation(rows: list[tuple[int, float]]):
    running = ClusteredMean()
    for cluster, value in rows:
        running.add(str(cluster), value)
    spread = running.spread()
    values = [value for _, value in rows]
    assert spread is not None
    assert spread.sd == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)
    assert (spread.minimum, spread.maximum) == (min(values), max(values))


def test_no_value_is_undefined_with_a_reason():
    assert ClusteredMean().estimate().undefined == "no item was scored"
    assert ClusteredMean().spread() is None


def test_a_single_group_has_no_interval():
    running = ClusteredMean()
    running.add("a", 1.0)
    running.add("a", 3.0)
    estimate = running.estimate()
    assert (estimate.value, estimate.low) == (2.0, None)
    assert "single group" in estimate.method


def test_a_rate_at_the_edge_keeps_an_honest_interval():
    running = ClusteredMean()
    for cluster in range(10):
        running.add(str(cluster), 1.0)
    rate = rate_estimate(running)
    assert rate.value == 1.0
    assert rate.low == pytest.approx(0.6615, abs=1e-3)
    assert rate.high == 1.0


def _column(**fields: object) -> Column:
    return Column("s", "c", Unit.TURN, "sig", **fields)  # type: ignore[arg-type]


def test_levels_get_a_bar_each_and_means_go_to_the_nearest():
    bars = Distribution(_column(low=1.0, high=3.0, levels=("1", "2", "3")))
    for value in (1.0, 1.4, 1.6, 3.0):
        bars.add(value)
    assert [(b.label, b.count) for b in bars.bins()] == [("1", 2), ("2", 1), ("3", 1)]


def test_nominal_levels_are_counted_by_name():
    bars = Distribution(_column(nominal=True, levels=("x", "y")))
    bars.add("y")
    assert [(b.label, b.count) for b in bars.bins()] == [("x", 0), ("y", 1)]


def test_a_bounded_scale_has_ten_bars_and_the_top_counts():
    bars = Distribution(_column(low=0.0, high=100.0))
    for value in (0.0, 9.9, 10.0, 100.0):
        bars.add(value)
    counts = [b.count for b in bars.bins()]
    assert counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_every_value_falls_into_its_bar(values: list[float]):
    bars = Distribution(_column())
    for value in values:
        bars.add(value)
    found = bars.bins()
    assert sum(b.count for b in found) == len(values)
    for value in values:
        assert any(b.low <= value <= b.high for b in found if b.low is not None and b.high is not None)
