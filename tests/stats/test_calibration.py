from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.calibration import (
    brier,
    calibration_error,
    equal_mass_bins,
    murphy,
    ranked_probability_score,
    reliability_bins,
)
from evalharness.stats.clustered import mean_interval

forecasts = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1)), min_size=1, max_size=80)


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    return p, (rng.random(n) < p).astype(float)


@given(forecasts, st.integers(1, 12))
def test_murphy_adds_up(rows: list[tuple[int, int]], bins: int) -> None:
    p, y = [a / 10 for a, _ in rows], [b for _, b in rows]
    for parts in (murphy(p, y), murphy(p, y, bins)):
        total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
        assert total == pytest.approx(parts.brier, abs=1e-12)
        assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0
    assert murphy(p, y).within == pytest.approx(0.0, abs=1e-12)


@given(forecasts)
def test_brier_agrees_with_scikit_learn(rows: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    p, y = [a / 10 for a, _ in rows], [b for _, b in rows]
    assert brier(p, y).value == pytest.approx(metrics.brier_score_loss(y, p, labels=[0, 1]))


@given(forecasts)
def test_rps_of_two_levels_is_brier(rows: list[tuple[int, int]]) -> None:
    p, y = np.array([a / 10 for a, _ in rows]), np.array([b for _, b in rows])
    score = ranked_probability_score(np.stack([1 - p, p], axis=1), y)
    assert score.value == pytest.approx(brier(p, y).value)


def test_rps_by_hand() -> None:
    """Forecast .2 .5 .3, third level happens: (.2^2 + .7^2 + 0) / 2."""
    assert ranked_probability_score([[0.2, 0.5, 0.3]] * 2, [2, 2]).value == pytest.approx(0.265)
    assert ranked_probability_score([[0, 0, 1], [1, 0, 0]], [2, 0]).value == 0.0
    assert ranked_probability_score([[1, 0, 0], [0, 0, 1]], [2, 0]).value == 1.0


def test_rps_counts_the_distance() -> None:
    near = ranked_probability_score([[0, 1, 0, 0]] * 2, [2, 2]).value
    far = ranked_probability_score([[1, 0, 0, 0]] * 2, [3, 3]).value
    assert near == pytest.approx(1 / 3)
    assert far == pytest.approx(1.0)


@given(forecasts, st.integers(1, 12))
def test_bins_keep_ties_together_in_order(rows: list[tuple[int, int]], bins: int) -> None:
    p = np.array([a for a, _ in rows], dtype=float)
    assigned = equal_mass_bins(p, bins)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(assigned[order]) >= 0)
    assert set(assigned.tolist()) == set(range(int(assigned.max()) + 1))
    assert assigned.max() < bins
    for value in np.unique(p):
        assert np.unique(assigned[p == value]).size == 1


def test_bins_without_ties_have_equal_mass() -> None:
    assert np.bincount(equal_mass_bins(np.random.default_rng(0).random(100), 10)).tolist() == [10] * 10


def test_ece_by_hand() -> None:
    p, y = [0.1, 0.1, 0.9, 0.9], [0, 1, 1, 1]
    result = calibration_error(p, y, bins=2)
    assert result.ece.value == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert result.largest == pytest.approx(0.4)
    assert result.bias.value == pytest.approx(0.5 - 0.75)
    assert result.bins == 2


@given(forecasts, st.integers(1, 10))
def test_ece_lies_between_bias_and_mean_absolute_error(rows: list[tuple[int, int]], bins: int) -> None:
    p, y = np.array([a / 10 for a, _ in rows]), np.array([b for _, b in rows], dtype=float)
    result = calibration_error(p, y, bins=bins, draws=50)
    assert abs(result.bias.value) - 1e-12 <= result.ece.value <= np.abs(p - y).mean() + 1e-12
    assert result.ece.value <= result.largest + 1e-12


def test_calibrated_predictions_sit_at_the_noise_floor() -> None:
    result = calibration_error(*drawn(500))
    assert result.ece.value == pytest.approx(result.noise_floor, abs=0.02)
    p, y = drawn(500)
    off = calibration_error(np.clip(p + 0.25, 0, 1), y)
    assert off.ece.low > off.noise_floor


@pytest.mark.parametrize("off", [0.0, 0.05, 0.2])
def test_interval_of_the_error_covers(off: float) -> None:
    """Predictions that are right, slightly and clearly too high in every bin; 40 groups."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 5)
        rate = np.array([0.1, 0.3, 0.5, 0.7])[rng.integers(0, 4, 200)]
        y = (rng.random(200) < rate).astype(float)
        result = calibration_error(rate + off, y, groups, bins=4, draws=300, seed=seed)
        covered += result.ece.low <= off <= result.ece.high
    assert covered >= 89


def test_whole_weights_are_items_that_often() -> None:
    p, y = drawn(120)
    p = np.round(p, 1)
    w = 1 + np.arange(120) % 3
    rows, groups = np.repeat(np.arange(120), w), np.arange(120) // 4
    weighted = calibration_error(p, y, groups, weights=w, draws=200)
    repeated = calibration_error(p[rows], y[rows], groups[rows], draws=200)
    for found, wanted in (
        (weighted.ece, repeated.ece),
        (weighted.bias, repeated.bias),
        (brier(p, y, groups, weights=w), brier(p[rows], y[rows], groups[rows])),
    ):
        assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert weighted.largest == pytest.approx(repeated.largest)
    assert asdict(murphy(p, y, 5, w)) == pytest.approx(asdict(murphy(p[rows], y[rows], 5)))
    bins = zip(
        reliability_bins(p, y, groups, weights=w, bins=5),
        reliability_bins(p[rows], y[rows], groups[rows], bins=5),
        strict=True,
    )
    for one, other in bins:
        assert (one.predicted, one.observed.value, one.observed.low) == pytest.approx(
            (other.predicted, other.observed.value, other.observed.low)
        )
    index, spread = (4 * p).astype(int), np.tile([0.1, 0.2, 0.4, 0.2, 0.1], (120, 1))
    score = ranked_probability_score(spread, index, groups, weights=w)
    assert score.value == pytest.approx(
        ranked_probability_score(spread[rows], index[rows], groups[rows]).value
    )
    with pytest.raises(ValueError, match="positive"):
        brier(p, y, weights=0 * w)


def test_scores_on_any_scale() -> None:
    rng = np.random.default_rng(1)
    human = rng.integers(1, 6, 400).astype(float)
    result = calibration_error(human + 0.5, human)
    assert result.ece.value == pytest.approx(0.5)
    assert result.noise_floor is None


def test_reliability_diagram() -> None:
    p, y = drawn(1000)
    groups = np.arange(1000) % 50
    bins = reliability_bins(p, y, groups, bins=5)
    assert [b.n for b in bins] == [200] * 5
    assert all(b.low <= b.predicted <= b.high for b in bins)
    assert all(b.observed.low - 0.1 < b.predicted < b.observed.high + 0.1 for b in bins)
    inside = equal_mass_bins(p, 5) == 2
    assert bins[2].observed == mean_interval(y[inside], groups[inside])
    assert reliability_bins([], []) == ()


def test_bad_and_missing_input() -> None:
    assert calibration_error([], []).ece.undefined == "no observations"
    assert brier([], []).undefined
    assert murphy([], []) is None
    with pytest.raises(ValueError, match="between 0 and 1"):
        brier([1.2], [1])
    with pytest.raises(ValueError, match="0 or 1"):
        brier([0.2], [0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        ranked_probability_score([[0.5, 0.2]], [0])
    with pytest.raises(ValueError, match="at least one bin"):
        equal_mass_bins([0.1], 0)
