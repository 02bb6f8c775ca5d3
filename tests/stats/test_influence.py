"""Every statistic's influence values against the derivative that defines them, and what is built on them."""

import numpy as np
import pytest

from evalharness.stats.catalogue import PAIR_STATISTICS, RATER_STATISTICS, pair_statistic, rater_statistic
from evalharness.stats.clustered import Scale
from evalharness.stats.correlation import pearson
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import Linearized, difference, interval_on_scale, mean_of, weighted_sum
from evalharness.stats.undefined import Cause, Undefined
from tests.stats.agreement_data import NAN

COPIES = 1500
FIRST = np.array([1, 2, 2, 3, 5, 5, 4.0])
SECOND = np.array([2, 1, 3, 2, 4, 5, 2.0])
RATINGS = np.array([[1, 2, 2], [2, 2, NAN], [3, 4, 4], [5, 3, 4], [1, 1, 2], [2, 3, 5], [NAN, 4, NAN]])
SCALE = [1, 2, 3, 4, 5]


def derivative(statistic, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return n times the change as one copy of each row joins many copies of all, and the influence values."""
    many = np.repeat(rows, COPIES, axis=0)
    whole = statistic(many)
    moved = [statistic(np.vstack([many, row[None]])).value - whole.value for row in rows]
    return np.array(moved) * len(many), whole.influence[::COPIES]


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_pair_statistics(name: str) -> None:
    statistic = pair_statistic(name, SCALE)
    expected, influence = derivative(
        lambda rows: statistic(rows[:, 0], rows[:, 1]), np.stack([FIRST, SECOND], axis=1)
    )
    assert influence == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", RATER_STATISTICS)
def test_rater_statistics_with_missing_ratings(name: str) -> None:
    expected, influence = derivative(rater_statistic(name, SCALE), RATINGS)
    assert influence == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_standard_errors_agree_with_the_jackknife(name: str) -> None:
    rng = np.random.default_rng(11)
    first = rng.integers(1, 6, 150).astype(float)
    second = np.clip(first + rng.integers(-1, 2, 150), 1, 5)
    statistic = pair_statistic(name, SCALE)
    keep = ~np.eye(150, dtype=bool)
    left_out = np.array([statistic(first[row], second[row]).value for row in keep])
    jackknife = np.sqrt(149 / 150 * np.square(left_out - left_out.mean()).sum())
    assert statistic(first, second).estimate().se == pytest.approx(jackknife, rel=0.06)


def linear(values: list[float], used: list[bool] | None = None) -> Linearized:
    array = np.array(values)
    return Linearized(float(array.mean()), array - array.mean(), None if used is None else np.array(used))


def test_differences_keep_the_covariance() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=80)
    first, second = truth + rng.normal(size=80), truth + rng.normal(size=80)
    gap = difference(pearson(first, truth), pearson(second, truth))
    a, b = pearson(first, truth).estimate(), pearson(second, truth).estimate()
    assert gap.value == pytest.approx(a.value - b.value)
    assert difference(pearson(first, truth), pearson(first, truth)).estimate().se == 0.0
    assert 0 < gap.estimate().se < np.hypot(a.se, b.se) * 1.2


def test_embedding_keeps_value_and_error() -> None:
    where = np.array([True, False, True, True, False, True])
    small = linear([1.0, 4.0, 2.0, 7.0])
    large = small.embedded(where)
    assert large.n == 4
    codes = np.array([0, 9, 0, 1, 9, 2])
    inside, outside = small.estimate(codes[where]), large.estimate(codes)
    assert (inside.value, inside.se, inside.low, inside.groups) == pytest.approx(
        (outside.value, outside.se, outside.low, outside.groups)
    )


def test_mean_over_different_units() -> None:
    first = linear([1.0, 2.0, 4.0]).embedded(np.array([True, True, True, False, False]))
    second = linear([3.0, 9.0]).embedded(np.array([False, False, False, True, True]))
    both = mean_of([first, second])
    assert both.value == pytest.approx((7 / 3 + 6) / 2)
    assert both.n == 5
    independent = np.array([1.0, 2.0, 4.0]).var() / 3 + np.array([3.0, 9.0]).var() / 2
    assert both.estimate().se == pytest.approx(np.sqrt(independent / 4 * 5 / 4))


def test_a_sum_with_a_full_part_rests_on_all_units() -> None:
    partial = linear([1.0, 2.0]).embedded(np.array([True, True, False]))
    assert weighted_sum([partial, linear([1.0, 5.0, 2.0])], [1.0, 1.0]).n == 3


def test_intervals_are_cut_to_the_parameter_space() -> None:
    estimate = Linearized(0.9, np.array([2.0, -2.0, 1.0, -1.0]), bounds=(-1.0, 1.0)).estimate()
    assert (estimate.low, estimate.high) == (-1.0, 1.0)


def test_undefined_estimates_like_a_value() -> None:
    estimate = Undefined(Cause.TOO_FEW, 1).estimate([0], level=0.9)
    assert (estimate.value, estimate.undefined, estimate.n, estimate.level) == (None, "too few items", 1, 0.9)


def test_interval_on_another_scale() -> None:
    estimate = Estimate(0.9, 0.08, 0.7, 1.1, 0.95, "m", 20, 20, None)
    moved = interval_on_scale(estimate, Scale.LOGIT)
    assert 0.5 < moved.low < 0.9 < moved.high < 1.0
    flat = interval_on_scale(Estimate(1.0, 0.0, 1.0, 1.0, 0.95, "m", 20, 20, None), Scale.LOGIT)
    assert (flat.low, flat.method) == (None, "none: no variation between groups")
    bare = Estimate(0.5, None, None, None, 0.95, "none: a single group", 3, 1, None)
    assert interval_on_scale(bare, Scale.LOGIT) is bare
