import numpy as np
import pytest

from evalharness.stats.absolute_gaps import absolute_gap, absolute_gap_interval


def totals(gaps: list[float], groups: int, noise: float, seed: int = 0) -> np.ndarray:
    """Sums of a group over bins: gap plus noise, and the group's number of items."""
    rng = np.random.default_rng(seed)
    drawn = np.asarray(gaps) + noise * rng.normal(size=(groups, len(gaps)))
    return np.hstack([drawn, np.ones((groups, 1))])


def test_value_is_the_sum_of_absolute_gaps() -> None:
    x = np.array([[1.0, -2.0, 4.0], [1.0, 0.0, 4.0]])
    assert absolute_gap(x.sum(axis=0)) == pytest.approx(4 / 8)
    assert absolute_gap_interval(np.tile(x, (5, 1))).value == pytest.approx(0.5)


def test_interval_begins_at_zero_where_the_sum_could_be_noise() -> None:
    found = absolute_gap_interval(totals([0.0] * 8, 50, 0.5), draws=500)
    assert found.value > 0.2
    assert found.low == 0.0
    assert found.high > found.value


def test_clear_gaps_of_one_sign_have_the_interval_of_their_mean() -> None:
    x = totals([0.5, 0.5], 60, 0.3)
    found = absolute_gap_interval(x, draws=2_000)
    each = x[:, 0] + x[:, 1]
    half = 2.0 * each.std(ddof=1) / np.sqrt(60)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half), abs=0.02)


def test_same_seed_same_interval_and_the_method_says_how() -> None:
    x = totals([0.1, -0.2], 20, 0.3)
    assert absolute_gap_interval(x, draws=200, seed=3) == absolute_gap_interval(x, draws=200, seed=3)
    assert (
        absolute_gap_interval(x, draws=200, seed=3).method
        == "inverted bootstrap, 200 draws of 20 groups, seed 3"
    )


def test_few_groups_and_groups_that_are_alike_have_none() -> None:
    assert absolute_gap_interval(totals([0.1], 4, 0.1)).method == "none: at least 5 groups are needed"
    alike = absolute_gap_interval(totals([0.1], 9, 0.0))
    assert (alike.value, alike.low, alike.high) == (pytest.approx(0.1), None, None)
