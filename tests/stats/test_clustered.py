import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.clustered import (
    Scale,
    clustered_interval,
    cr1_covariance,
    cr1_standard_error,
    mean_interval,
    ratio_interval,
    t_quantile,
)


def clustered_sample(seed: int, groups: int = 12, size: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)
    return rng.normal(size=groups)[codes] + rng.normal(size=codes.size), codes


def test_one_item_a_group_is_the_t_interval() -> None:
    values = np.array([2.0, 4.0, 4.0, 7.0, 1.0])
    estimate = mean_interval(values)
    half = 2.7764451051977987 * values.std(ddof=1) / np.sqrt(5)
    assert estimate.value == pytest.approx(3.6)
    assert (estimate.low, estimate.high) == pytest.approx((3.6 - half, 3.6 + half))
    assert (estimate.method, estimate.n, estimate.groups) == ("CR1+t(4)", 5, 5)


def test_agrees_with_statsmodels_cluster_covariance() -> None:
    sm = pytest.importorskip("statsmodels.api")
    values, codes = clustered_sample(3)
    fit = sm.OLS(values, np.ones(values.size)).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": True}, use_t=True
    )
    estimate = mean_interval(values, codes)
    assert estimate.se == pytest.approx(fit.bse[0], rel=1e-12)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)


def test_miller_clustered_error() -> None:
    """Miller (2024) eq. 4: SE^2 = SE_CLT^2 + sum over pairs inside clusters / n^2, up to the small-sample factors."""
    values, codes = clustered_sample(4)
    centred = values - values.mean()
    cross = sum(
        centred[i] * centred[j]
        for i in range(values.size)
        for j in range(values.size)
        if i != j and codes[i] == codes[j]
    )
    expected = (centred @ centred + cross) / values.size**2 * 12 / 11
    assert cr1_standard_error(values, codes)[0] == pytest.approx(np.sqrt(expected))


@settings(max_examples=40)
@given(st.integers(0, 1000))
def test_equal_groups_are_the_t_interval_of_group_means(seed: int) -> None:
    values, codes = clustered_sample(seed)
    by_item, by_mean = mean_interval(values, codes), mean_interval(values.reshape(12, 5).mean(axis=1))
    assert (by_item.low, by_item.high) == pytest.approx((by_mean.low, by_mean.high))


def test_group_names_and_item_order_do_not_matter() -> None:
    values, codes = clustered_sample(5)
    order = np.random.default_rng(0).permutation(values.size)
    named = np.array([f"group {code}" for code in codes])
    assert mean_interval(values[order], named[order]).se == pytest.approx(mean_interval(values, codes).se)


def test_repeating_every_item_in_its_group_adds_nothing() -> None:
    values, codes = clustered_sample(6)
    once, twice = mean_interval(values, codes), mean_interval(np.repeat(values, 2), np.repeat(codes, 2))
    assert twice.se == pytest.approx(once.se)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_single_group_has_no_interval_and_empty_has_no_value() -> None:
    one = mean_interval([1.0, 2.0, 3.0], [7, 7, 7])
    assert (one.value, one.se, one.low, one.groups) == (2.0, None, None, 1)
    assert one.method == "none: a single group"
    assert mean_interval([]).undefined == "no observations"


def test_constant_values_have_no_spread() -> None:
    estimate = mean_interval(np.full(7, 0.1))
    assert estimate.se == 0.0
    assert estimate.low == estimate.high == pytest.approx(0.1)


def test_nan_is_refused_not_dropped() -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([1.0, np.nan])
    with pytest.raises(ValueError, match="group codes"):
        mean_interval([1.0, 2.0], [0])


def test_influence_values_around_a_given_value() -> None:
    values, codes = clustered_sample(7)
    shifted = clustered_interval(values - values.mean(), codes, value=float(values.mean()))
    plain = mean_interval(values, codes)
    assert (shifted.value, shifted.se) == pytest.approx((plain.value, plain.se))


@pytest.mark.parametrize(("scale", "value"), [(Scale.FISHER, 0.9), (Scale.LOGIT, 0.97)])
def test_intervals_stay_inside_their_scale(scale: Scale, value: float) -> None:
    influence = 0.1 * np.array([3.0, -2.0, -1.0, 1.0, -1.0])
    estimate = clustered_interval(influence, value=value, scale=scale)
    assert estimate.low < value < estimate.high <= 1.0
    assert estimate.low > (-1.0 if scale is Scale.FISHER else 0.0)
    assert scale.value in estimate.method


def test_value_at_the_edge_of_its_scale_has_no_interval() -> None:
    estimate = clustered_interval([0.5, -0.5, 0.0], value=1.0, scale=Scale.FISHER)
    assert estimate.low is None
    assert "edge" in estimate.method


def test_ratio_is_the_linearised_estimator() -> None:
    top, base = np.array([3.0, 1.0, 4.0, 0.0]), np.array([4.0, 2.0, 5.0, 1.0])
    estimate = ratio_interval(top, base)
    residual = top - 8 / 12 * base
    assert estimate.value == pytest.approx(8 / 12)
    assert estimate.se == pytest.approx(np.sqrt(4 / 3 * residual @ residual) / 12)
    assert ratio_interval([0.0], [0.0]).undefined == "nothing to divide by: the base is empty"


def test_covariance_contains_the_variances() -> None:
    values, codes = clustered_sample(8)
    other, _ = clustered_sample(9)
    covariance, groups = cr1_covariance(np.stack([values, other], axis=1), codes)
    assert groups == 12
    assert np.sqrt(np.diag(covariance)) == pytest.approx(
        [cr1_standard_error(values, codes)[0], cr1_standard_error(other, codes)[0]]
    )
    total = cr1_standard_error(values + other, codes)[0]
    assert total == pytest.approx(np.sqrt(covariance.sum()))


def test_t_quantiles() -> None:
    assert t_quantile(0.975, 10) == pytest.approx(2.2281388519649385)
    assert t_quantile(0.975, np.inf) == pytest.approx(1.959963984540054)
