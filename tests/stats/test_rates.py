import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.rates import (
    binomial_pmf,
    binomial_test,
    clopper_pearson,
    share_interval,
    upper_rate_bound,
    wilson,
    wilson_clustered,
)

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]
)
def test_wilson_published(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), table I."""
    estimate = wilson(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_agree_with_statsmodels(pair: tuple[int, int], level: float) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    successes, n = pair
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
        low, high = proportion.proportion_confint(successes, n, alpha=1 - level, method=name)
        estimate = ours(successes, n, level)
        assert estimate.low == pytest.approx(low, abs=1e-10)
        assert estimate.high == pytest.approx(high, abs=1e-10)


@given(counts)
def test_interval_mirrors_when_outcomes_swap(pair: tuple[int, int]) -> None:
    successes, n = pair
    for interval in (wilson, clopper_pearson):
        one, other = interval(successes, n), interval(n - successes, n)
        assert one.low == pytest.approx(1 - other.high, abs=1e-9)
        assert 0 <= one.low <= successes / n <= one.high <= 1


@given(counts, st.floats(0.01, 0.99), st.sampled_from(["two-sided", "less", "greater"]))
def test_binomial_test_agrees_with_scipy(pair: tuple[int, int], rate: float, alternative: str) -> None:
    from scipy.stats import binomtest

    successes, n = pair
    ours = binomial_test(successes, n, rate, alternative)
    assert ours.p == pytest.approx(binomtest(successes, n, rate, alternative).pvalue, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_pmf_sums_to_one(rate: float) -> None:
    assert binomial_pmf(40, rate).sum() == pytest.approx(1.0)


def test_no_observations_are_undefined() -> None:
    assert wilson(0, 0).undefined == "no observations"
    assert clopper_pearson(0, 0).undefined
    assert binomial_test(0, 0).undefined
    assert wilson_clustered([]).undefined
    assert upper_rate_bound(0, 0) == 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson_clustered([0.0, 2.0])


def test_rule_of_three() -> None:
    assert upper_rate_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))


def test_clustered_wilson_without_clusters_is_wilson_with_student_quantile() -> None:
    values = np.repeat([1.0, 0.0], [300, 700])
    plain, clustered = wilson(300, 1000), wilson_clustered(values)
    assert clustered.low == pytest.approx(plain.low, abs=2e-4)
    assert clustered.high == pytest.approx(plain.high, abs=2e-4)


def test_copies_of_items_within_groups_add_nothing() -> None:
    rng = np.random.default_rng(3)
    outcome = (rng.random(30) < 0.7).astype(float)
    once = wilson_clustered(outcome, np.arange(30))
    copied = wilson_clustered(np.repeat(outcome, 8), np.repeat(np.arange(30), 8))
    assert copied.low == pytest.approx(once.low, abs=2e-2)
    assert copied.high == pytest.approx(once.high, abs=2e-2)


def test_all_good_counts_groups_not_items() -> None:
    few = wilson_clustered(np.ones(1000), np.arange(1000) % 10)
    assert few.value == 1.0
    assert few.high == 1.0
    assert few.low < wilson(10, 10).low < wilson(1000, 1000).low


def test_single_group_has_no_interval() -> None:
    estimate = wilson_clustered([1.0, 0.0, 1.0], ["a", "a", "a"])
    assert estimate.value == pytest.approx(2 / 3)
    assert estimate.low is None
    assert "single group" in estimate.method


def test_a_share_of_everything_still_has_an_interval() -> None:
    groups = np.repeat(np.arange(12), 3)
    everything = share_interval(np.ones(36), groups)
    assert everything == wilson_clustered(np.ones(36), groups)
    assert 0.7 < everything.low < everything.high == 1.0
    some = share_interval(np.arange(36) % 3 > 0, np.arange(36))
    assert some.method == "CR1+t(35), logit scale"
    assert 0.0 < some.low < some.value < some.high < 1.0
    assert share_interval(np.full(6, 0.5)).low is None
