import numpy as np
import pytest

from evalharness.errors import UsageError
from evalharness.stats.catalogue import (
    PAIR_STATISTICS,
    RATER_STATISTICS,
    describe,
    pair_statistic,
    rater_statistic,
)
from evalharness.stats.correlation import pearson
from evalharness.stats.rank_correlation import somers_d

NAMES = [
    "pearson",
    "spearman",
    "kendall_tau_b",
    "kendall_tau_c",
    "somers_d",
    "lins_ccc",
    "percent",
    "cohen_kappa",
    "cohen_kappa_linear",
    "cohen_kappa_quadratic",
    "scott_pi",
    "fleiss_kappa",
    "conger_kappa",
    "brennan_prediger",
    "gwet_ac1",
    "gwet_ac2_linear",
    "gwet_ac2_quadratic",
    "gwet_ac2_ordinal",
    "krippendorff_nominal",
    "krippendorff_ordinal",
    "krippendorff_interval",
    "krippendorff_ratio",
    "icc_1_1",
    "icc_2_1",
    "icc_3_1",
    "icc_1_k",
    "icc_2_k",
    "icc_3_k",
    "pairwise_accuracy",
]
SCALE = [1, 2, 3]


def test_every_documented_name_is_there() -> None:
    assert set(NAMES) <= set(PAIR_STATISTICS)


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_perfect_agreement_is_one_and_noise_is_near_its_chance_value(name: str) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 4, 3000).astype(float), rng.integers(1, 4, 3000).astype(float)
    known = describe(name)
    statistic = pair_statistic(name, SCALE if known.needs_categories else None)
    assert statistic(x, x).value == pytest.approx(1.0, abs=1e-3)  # tau-c needs equal marginals for 1
    if known.chance_value is not None:
        assert statistic(x, y).value == pytest.approx(known.chance_value, abs=0.06)


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_the_order_of_items_does_not_matter(name: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(1, 4, 60).astype(float), rng.integers(1, 4, 60).astype(float)
    order = rng.permutation(60)
    statistic = pair_statistic(name, SCALE)
    plain, shuffled = statistic(x, y).estimate(), statistic(x[order], y[order]).estimate()
    assert (shuffled.value, shuffled.se) == pytest.approx((plain.value, plain.se))


@pytest.mark.parametrize("name", RATER_STATISTICS)
def test_raters_have_no_order(name: str) -> None:
    ratings = np.random.default_rng(3).integers(1, 4, (40, 3)).astype(float)
    statistic = rater_statistic(name, SCALE)
    assert statistic(ratings[:, ::-1]).value == pytest.approx(statistic(ratings).value)


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_no_items_are_undefined(name: str) -> None:
    found = pair_statistic(name, SCALE)(np.empty(0), np.empty(0))
    assert found.value is None
    assert found.estimate().undefined


def test_somers_d_leaves_out_ties_of_the_human_only() -> None:
    judge, human = np.array([1, 1, 2, 3.0]), np.array([1, 2, 2, 3.0])
    assert pair_statistic("somers_d")(judge, human).value == somers_d(human, judge).value
    assert pair_statistic("pearson") is pearson


def test_wrong_names_and_missing_levels() -> None:
    with pytest.raises(UsageError, match="no statistic is called 'kapa'"):
        pair_statistic("kapa")
    with pytest.raises(UsageError, match="declared levels"):
        pair_statistic("cohen_kappa")
    with pytest.raises(UsageError, match="two sides only"):
        rater_statistic("pearson")
    with pytest.raises(UsageError, match="declared levels"):
        rater_statistic("gwet_ac1")
