import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.sign_flip import approximate_randomisation, sign_flip_test

small = st.lists(st.integers(-6, 6), min_size=1, max_size=8)


def brute_force(units: list[float]) -> float:
    sums = [
        abs(sum(s * u for s, u in zip(signs, units, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(units))
    ]
    return float(np.mean(np.array(sums) >= abs(sum(units)) - 1e-9))


@given(small)
def test_exact_p_is_the_share_of_all_sign_vectors(units: list[int]) -> None:
    result = sign_flip_test(units)
    if not any(units):
        assert result.undefined == "no group differs"
    else:
        assert result.p == pytest.approx(brute_force(units))
        assert "exact" in result.method


def test_exact_agrees_with_scipy() -> None:
    from scipy.stats import permutation_test

    d = np.random.default_rng(1).normal(0.3, 1, 11)
    theirs = permutation_test((d,), np.mean, permutation_type="samples", n_resamples=10_000)
    assert sign_flip_test(d).p == pytest.approx(theirs.pvalue)


def test_ties_from_rounding_are_ties() -> None:
    """0.1 + 0.2 and 0.3 are the same sum: every arrangement is as extreme as the observed one in exact arithmetic."""
    assert sign_flip_test([0.1, 0.2, -0.3]).p == 1.0
    assert sign_flip_test([0.1, 0.2, 0.3]).p == pytest.approx(2 / 8)


def test_drawn_p_is_near_the_exact_one_and_never_zero() -> None:
    rng = np.random.default_rng(8)
    d = rng.normal(0.35, 1, 40)
    from scipy.stats import ttest_1samp

    drawn = sign_flip_test(d, seed=3)
    assert drawn.p == pytest.approx(ttest_1samp(d, 0).pvalue, abs=0.012)
    assert sign_flip_test(np.ones(200)).p == pytest.approx(1 / 10_000)


def test_seed_decides_and_is_stated() -> None:
    d = np.random.default_rng(0).normal(0.2, 1, 60)
    assert sign_flip_test(d, seed=1) == sign_flip_test(d, seed=1)
    assert "seed 1" in sign_flip_test(d, seed=1).method
    assert sign_flip_test(d, seed=1).p != sign_flip_test(d, seed=2).p


def test_row_order_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    d, groups = rng.integers(-3, 4, 150).astype(float), np.repeat(np.arange(50), 3)
    order = rng.permutation(150)
    assert sign_flip_test(d, groups) == sign_flip_test(d[order], groups[order])


def test_whole_groups_flip() -> None:
    """Five groups of 20 equal differences: 2 of 32 sign vectors are as extreme, however many turns there are."""
    d, groups = np.ones(100), np.repeat(np.arange(5), 20)
    assert sign_flip_test(d, groups).p == pytest.approx(2 / 32)
    assert sign_flip_test(d, groups, alternative="greater").p == pytest.approx(1 / 32)
    assert sign_flip_test(d, groups, alternative="less").p == 1.0


def test_weighting_by_groups_tests_the_mean_of_means() -> None:
    d, groups = np.array([3.0, -1.0, -1.0, -1.0]), np.array([0, 1, 1, 1])
    assert sign_flip_test(d, groups).statistic == 0.0
    assert sign_flip_test(d, groups, weighting="groups").statistic == pytest.approx(1.0)


def test_zero_groups_change_nothing() -> None:
    with_zeros = sign_flip_test([1.0, 2.0, -0.5, 0.0, 0.0, 0.0])
    assert with_zeros.p == sign_flip_test([1.0, 2.0, -0.5]).p
    assert with_zeros.groups == 6


def ratio(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def test_randomisation_of_means_is_the_sign_flip_test() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.normal(0.3, 1, 80), rng.normal(0, 1, 80)
    ones = np.ones(80)
    swapped = approximate_randomisation(
        np.stack([first, ones], 1), np.stack([second, ones], 1), ratio, seed=5
    )
    flipped = sign_flip_test(first - second, seed=5)
    assert swapped.p == pytest.approx(flipped.p, abs=1e-12)
    assert swapped.statistic == pytest.approx(flipped.statistic)


def test_randomisation_of_equal_systems_is_undefined() -> None:
    totals = np.ones((30, 2))
    assert approximate_randomisation(totals, totals, ratio).undefined == "no group differs"


def test_undefined_scores_are_said() -> None:
    first, second = np.zeros((4, 2)), np.zeros((4, 2))
    first[:, 0] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        assert approximate_randomisation(first, second, ratio).undefined == "the score is undefined"


def test_rejection_rate_under_no_difference() -> None:
    """Turns correlated within dialogues: flipping dialogues keeps 5 %, flipping turns does not."""
    rng = np.random.default_rng(12)
    groups = np.repeat(np.arange(12), 6)
    by_group = by_turn = 0
    for _ in range(400):
        d = np.repeat(rng.normal(size=12), 6) + rng.normal(size=72)
        by_group += sign_flip_test(d, groups).p <= 0.05
        by_turn += sign_flip_test(d, draws=199).p <= 0.05
    assert 0.03 <= by_group / 400 <= 0.075
    assert by_turn / 400 > 0.2


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=2, max_size=30))
def test_sign_of_all_differences_does_not_matter(d: list[float]) -> None:
    one, other = sign_flip_test(d, draws=99), sign_flip_test([-x for x in d], draws=99)
    if one.p is not None:
        assert one.p == pytest.approx(other.p)
