import numpy as np
import pytest

from evalharness.stats.absolute_gaps import absolute_gap_interval


def drawn(gaps: list[float], groups: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sums of one item of each group in each bin, and the numbers of items."""
    rng = np.random.default_rng(seed)
    shape = (groups, len(gaps))
    return np.asarray(gaps) + noise * rng.normal(size=shape), np.ones(shape)


def test_value_is_the_sum_of_absolute_gaps_over_the_items() -> None:
    gaps, sizes = np.array([[1.0, -2.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [2.0, 3.0]])
    assert absolute_gap_interval(gaps, sizes).value == pytest.approx((2 + 2) / 8)


def test_interval_begins_at_zero_where_the_sum_could_be_noise() -> None:
    found = absolute_gap_interval(*drawn([0.0] * 8, 50, 0.5), draws=500)
    assert found.value > 0.03
    assert found.low == 0.0
    assert found.high > found.value


def test_clear_gaps_of_one_sign_have_the_interval_of_their_mean() -> None:
    gaps, sizes = drawn([0.5, 0.5], 60, 0.3)
    found = absolute_gap_interval(gaps, sizes, draws=2_000)
    each = gaps.mean(axis=1)
    half = 2.0 * each.std(ddof=1) / np.sqrt(60)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half), abs=0.01)


def test_an_error_that_no_noise_explains_is_not_taken_for_noise() -> None:
    """One item in a bin: that a resample may lack it does not mean that its gap could be 0."""
    rng = np.random.default_rng(4)
    found = absolute_gap_interval(np.diag(rng.uniform(0.5, 0.9, 8)), np.eye(8), draws=500)
    assert found.low > 0.4


def test_same_seed_same_interval_and_the_method_says_how() -> None:
    gaps, sizes = drawn([0.1, -0.2], 20, 0.3)
    found = absolute_gap_interval(gaps, sizes, draws=200, seed=3)
    assert absolute_gap_interval(gaps, sizes, draws=200, seed=3) == found
    assert found.method == "inverted bootstrap, 200 draws of 20 groups, seed 3"


def test_few_groups_and_groups_that_are_alike_have_none() -> None:
    assert absolute_gap_interval(*drawn([0.1], 4, 0.1)).method == "none: at least 5 groups are needed"
    alike = absolute_gap_interval(*drawn([0.1], 9, 0.0))
    assert (alike.value, alike.low, alike.high) == (pytest.approx(0.1), None, None)
