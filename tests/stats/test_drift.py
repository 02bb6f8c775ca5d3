import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.clustered import mean_interval
from evalharness.stats.drift import anchor_drift, average_run_length, cusum

# Montgomery, Introduction to Statistical Quality Control, table 9.1: in control around 10 up to sample 20.
MONTGOMERY = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08,
    9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip


def test_cusum_published() -> None:
    """The upper CUSUM is 5.28 at sample 29, its first alarm, after a change since sample 23."""
    chart = cusum(MONTGOMERY, target=10.0, sd=1.0)
    assert chart.upper[28] == pytest.approx(5.28)
    assert chart.upper[29] == pytest.approx(5.30)
    assert chart.lower[1] == pytest.approx(1.56)
    assert (chart.alarm, chart.since, chart.direction) == (28, 22, 1)


def test_run_lengths_published() -> None:
    """Siegmund's approximation as Montgomery prints it: 469.1 in control, 10.4 after a shift of one deviation."""
    assert average_run_length() == pytest.approx(469.1, abs=0.05)
    assert average_run_length(1.0) == pytest.approx(10.34, abs=0.01)
    assert average_run_length(0.5) == pytest.approx(38.0, abs=0.1)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=60), st.floats(0, 1))
def test_cusum_is_its_recursion(values: list[float], slack: float) -> None:
    chart = cusum(values, target=0.0, sd=1.0, slack=slack)
    up = down = 0.0
    for t, value in enumerate(values):
        up, down = max(0.0, up + value - slack), max(0.0, down - value - slack)
        assert chart.upper[t] == pytest.approx(up, abs=1e-9)
        assert chart.lower[t] == pytest.approx(down, abs=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=60))
def test_cusum_mirrors(values: list[float]) -> None:
    one, other = cusum(values, target=0.0, sd=1.0), cusum([-v for v in values], target=0.0, sd=1.0)
    assert one.upper == pytest.approx(other.lower)
    assert one.alarm == other.alarm
    assert one.direction == -other.direction


def test_runs_of_different_size_have_their_own_error() -> None:
    chart = cusum([0.0, 2.0], target=0.0, sd=[1.0, 4.0])
    assert chart.upper[1] == 0.0
    assert chart.alarm is None
    with pytest.raises(ValueError, match="positive"):
        cusum([1.0], target=0.0, sd=0.0)


def anchors(
    shift: float, n: int = 120, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // 3), 3)
    human = rng.normal(3, 1, n)
    recorded = human + 0.2 + rng.normal(0, 0.4, n)
    return recorded, recorded + shift + rng.normal(0, 0.3, n), human, groups


def test_a_moved_ruler_is_seen_with_its_correction() -> None:
    recorded, fresh, human, groups = anchors(-0.4)
    drift = anchor_drift(recorded, fresh, groups, margin=0.1, labels=human)
    assert drift.moved
    assert not drift.held()
    assert drift.exact.p < 0.001
    assert drift.correction == pytest.approx(0.4, abs=0.08)
    assert drift.bias_recorded.value == pytest.approx(0.2, abs=0.1)
    assert drift.bias_fresh.value - drift.bias_recorded.value == pytest.approx(drift.shift.value)
    assert drift.shift.se == pytest.approx(mean_interval(fresh - recorded, groups).se)


def test_a_still_ruler_is_shown_to_be_still() -> None:
    recorded, fresh, _, groups = anchors(0.0)
    drift = anchor_drift(recorded, fresh, groups, margin=0.15)
    assert drift.held()
    assert not drift.moved
    assert drift.bias_fresh is None


def test_few_anchors_show_neither() -> None:
    recorded, fresh, _, groups = anchors(0.05, n=9)
    drift = anchor_drift(recorded, fresh, groups, margin=0.1)
    assert not drift.moved
    assert not drift.held()


def test_unchanged_verdicts_hold() -> None:
    drift = anchor_drift([1, 2, 3], [1, 2, 3], margin=0.1)
    assert drift.held()
    assert drift.changed == 0.0
    assert drift.exact.undefined == "no group differs"
    assert drift.stable.p is None
    assert drift.spread_ratio == 1.0


def test_a_shift_below_the_margin_is_no_move() -> None:
    recorded, fresh, _, groups = anchors(-0.1, n=3000)
    drift = anchor_drift(recorded, fresh, groups, margin=0.2)
    assert drift.shift.high < 0.0
    assert not drift.moved
    assert drift.held()


def test_compression_shows_in_the_spread() -> None:
    recorded = np.random.default_rng(2).normal(3, 1, 200)
    assert anchor_drift(recorded, 3 + (recorded - 3) / 2, margin=0.1).spread_ratio == pytest.approx(0.5)
    assert anchor_drift([2, 2], [1, 3], margin=0.1).spread_ratio is None


def test_without_anchors_everything_is_undefined() -> None:
    drift = anchor_drift([], [], margin=0.1)
    assert drift.shift.undefined == "nothing to compare"
    assert drift.stable is None
    assert drift.changed is None
    assert drift.correction is None
    assert not drift.moved
    assert not drift.held()
