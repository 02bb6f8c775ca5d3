import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.conformal import (
    Conformal,
    calibration_groups_needed,
    held_out_coverage,
    split_conformal,
)
from evalharness.stats.unfitted import Unfitted


def fitted(result: Conformal | Unfitted) -> Conformal:
    assert isinstance(result, Conformal)
    return result


@given(st.lists(st.floats(0, 10), min_size=20, max_size=120), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_quantile_is_the_order_statistic(residuals: list[float], level: float) -> None:
    fit = fitted(split_conformal(np.zeros(len(residuals)), residuals, level=level))
    place = math.ceil((len(residuals) + 1) * level - 1e-9)
    assert fit.quantile == sorted(residuals)[place - 1]


def test_agrees_with_crepes() -> None:
    """Where (n + 1) times the level is no whole number; there crepes takes one residual more, by rounding."""
    crepes = pytest.importorskip("crepes")
    rng = np.random.default_rng(0)
    predicted, labels = rng.normal(size=150), rng.normal(size=150)
    theirs = crepes.ConformalRegressor().fit(labels - predicted)
    ours = fitted(split_conformal(predicted, labels, level=0.9))
    probe = np.array([0.0, 1.5])
    low, high = ours.interval(probe)
    expected = theirs.predict_int(probe, confidence=0.9)
    assert low == pytest.approx(expected[:, 0])
    assert high == pytest.approx(expected[:, 1])


@pytest.mark.parametrize(("level", "needed"), [(0.95, 19), (0.9, 9), (0.8, 4), (0.5, 1)])
def test_items_needed(level: float, needed: int) -> None:
    assert calibration_groups_needed(level) == needed
    assert isinstance(split_conformal(np.zeros(needed), np.arange(needed), level=level), Conformal)
    short = split_conformal(np.zeros(needed - 1), np.arange(needed - 1.0), level=level)
    assert isinstance(short, Unfitted)
    assert f"at least {needed}" in short.reason


def test_groups_count_once() -> None:
    """A group with a thousand copies of one residual weighs no more than one item of another group."""
    residuals = np.arange(1.0, 21.0)
    plain = fitted(split_conformal(np.zeros(20), residuals, level=0.9))
    repeats = np.ones(20, dtype=int)
    repeats[19] = 1000
    copied = np.repeat(residuals, repeats)
    groups = np.repeat(np.arange(20), repeats)
    grouped = fitted(split_conformal(np.zeros(copied.size), copied, groups, level=0.9))
    assert grouped.quantile == plain.quantile
    assert grouped.groups == 20
    assert fitted(split_conformal(np.zeros(copied.size), copied, level=0.9)).quantile == 20.0


def test_coverage_for_new_items_and_new_groups() -> None:
    rng = np.random.default_rng(3)
    by_item, by_group, careless = [], [], []
    for _ in range(400):
        f = rng.normal(size=60)
        y = f + rng.standard_t(3, size=60)
        by_item.append(inside(fitted(split_conformal(f[:59], y[:59], level=0.9)), f[59:], y[59:]))
        groups = np.repeat(np.arange(20), 10)
        shared = rng.standard_t(3, size=21)
        y = np.zeros(200) + shared[groups] + 0.1 * rng.normal(size=200)
        new = np.array([shared[20]])
        by_group.append(
            inside(fitted(split_conformal(np.zeros(200), y, groups, level=0.9)), np.zeros(1), new)
        )
        tight = fitted(split_conformal(np.zeros(200), y, level=0.99))
        careless.append(inside(tight, np.zeros(1), new))
    assert np.mean(by_item) == pytest.approx(0.9, abs=0.04)
    assert 0.87 <= np.mean(by_group) <= 0.97
    assert np.mean(careless) < 0.975  # 99 % promised over items is not kept for a new group


def inside(fit: Conformal, predicted: np.ndarray, label: np.ndarray) -> bool:
    low, high = fit.interval(predicted)
    return bool(low[0] <= label[0] <= high[0])


@given(st.lists(st.floats(0.5, 5.5), min_size=1, max_size=30), st.floats(0.0, 3.0))
def test_inward_levels_lose_nothing_and_outward_hold_the_interval(
    predicted: list[float], quantile: float
) -> None:
    fit, levels = Conformal(quantile, 0.9, 100, 100), np.arange(1.0, 6.0)
    low, high = fit.interval(predicted)
    first, last = fit.levels(predicted, levels)
    for i in range(len(predicted)):
        held = levels[(levels >= low[i]) & (levels <= high[i])]
        kept = levels[(levels >= first[i]) & (levels <= last[i])]
        assert set(held.tolist()) <= set(kept.tolist())
        assert kept.size >= 1
    wide_first, wide_last = fit.levels(predicted, levels, snap="outward")
    assert np.all(wide_first <= np.maximum(low, 1.0) + 1e-6)
    assert np.all(wide_last >= np.minimum(high, 5.0) - 1e-6)


def test_levels_at_the_edge_of_the_interval_are_in() -> None:
    first, last = Conformal(0.1 + 0.2, 0.9, 9, 9).levels([3.3], [1, 2, 3, 4, 5])
    assert (first[0], last[0]) == (3.0, 3.0)


def test_spread_makes_wavering_items_wider() -> None:
    rng = np.random.default_rng(5)
    spread = rng.uniform(0.2, 2, 400)
    fit = fitted(split_conformal(np.zeros(400), spread * rng.normal(size=400), spread=spread, level=0.9))
    assert fit.quantile == pytest.approx(1.645, abs=0.2)
    low, high = fit.interval([0.0, 0.0], spread=[0.2, 2.0])
    assert high[1] - low[1] == pytest.approx(10 * (high[0] - low[0]))
    with pytest.raises(ValueError, match="positive"):
        fit.interval([0.0], spread=[0.0])


def test_held_out_coverage_is_that_of_half_widths_from_other_groups() -> None:
    """Nine groups make a 90 % range of their largest residual, so of ten groups only the largest one is outside."""
    groups = np.repeat(np.arange(10), 2)
    residuals = np.array([0.1, 0.2] * 9 + [3.0, 4.0])
    found = held_out_coverage(np.zeros(20), residuals, groups)
    assert (found.value, found.groups) == (0.9, 10)
    assert found.low < 0.9 < found.high < 1.0
    few = held_out_coverage(np.zeros(9), np.ones(9))
    assert few.value is None
    assert "at least 9 calibration groups, got 8" in few.undefined
    assert held_out_coverage([0.0], [1.0]).undefined == "needs at least two groups to hold one out"
