"""Statistics of items drawn with unequal probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.analysis.agreement.measuring import weighted_function
from evalharness.stats.catalogue import PAIR_STATISTICS, pair_statistic
from evalharness.stats.influence import Linearized
from evalharness.stats.weighting import copies_of, effective_size, repeated, weighted

LEVELS = [1, 2, 3, 4, 5]


def population(n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    human = rng.integers(1, 6, n).astype(float)
    return np.clip(human + rng.choice([-2, -1, 0, 0, 0, 1], n), 1, 5), human


def test_copies_are_inverse_probabilities():
    assert copies_of([1.0, 0.5, 0.25]).tolist() == [20, 40, 80]
    assert copies_of([0.1, 0.1]).tolist() == [20, 20]
    assert copies_of(np.full(50_000, 0.5)).tolist() == [8] * 50_000
    with pytest.raises(ValueError, match="above 0"):
        copies_of([0.5, 0.0])


def test_kish_effective_size():
    assert effective_size([2, 2, 2]) == pytest.approx(3)
    assert effective_size([1, 1, 4]) == pytest.approx(36 / 18)


def test_weighted_pearson_and_percent_are_the_textbook_ones():
    judge, human = population(80)
    copies = np.where(human > 3, 20, 60)
    found = weighted(pair_statistic("pearson"), copies)(judge, human)
    cov = np.cov(judge, human, aweights=copies)
    assert found.value == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]))
    share = weighted(pair_statistic("percent", LEVELS), copies)(judge, human)
    assert share.value == pytest.approx(np.average(judge == human, weights=copies))


def test_equal_copies_change_nothing():
    judge, human = population(60)
    groups = np.repeat(np.arange(20), 3)
    copies = np.full(60, 20)
    for name in PAIR_STATISTICS:
        statistic = pair_statistic(name, LEVELS)
        plain = statistic(judge, human).estimate(groups)
        again = weighted_function(name, statistic, copies)(judge, human).estimate(groups)
        assert (again.n, again.groups) == (plain.n, plain.groups)
        # Krippendorff's alpha and the ICC have terms of 1 / n, which copies make vanish.
        close = 0.02 if name.startswith(("krippendorff", "icc")) else 1e-9
        assert again.value == pytest.approx(plain.value, abs=close), name
        assert (again.low, again.high) == pytest.approx((plain.low, plain.high), abs=2 * close), name


@pytest.mark.parametrize(
    "name", ["pearson", "lins_ccc", "cohen_kappa_quadratic", "spearman", "kendall_tau_b"]
)
def test_whole_weights_are_items_that_often(name: str):
    judge, human = population(40)
    copies = 1 + np.arange(40) % 3
    found = weighted_function(name, pair_statistic(name, LEVELS), copies)(judge, human)
    rows = np.repeat(np.arange(40), copies)
    assert found.value == pytest.approx(pair_statistic(name, LEVELS)(judge[rows], human[rows]).value)
    assert found.influence.size == 40


@pytest.mark.parametrize("name", ["pairwise_accuracy", "tau_23"])
def test_pairs_count_as_often_as_both_items_together(name: str):
    judge, human = population(30)
    copies = 1 + np.arange(30) % 4
    found = weighted_function(name, pair_statistic(name), copies)(judge, human)
    i, j = np.triu_indices(30, 1)
    same = np.sign(judge[i] - judge[j]) == np.sign(human[i] - human[j])
    share = np.average(same, weights=copies[i] * copies[j])
    assert found.value == pytest.approx(share if name == "pairwise_accuracy" else 2 * share - 1)
    # The influence is how the share moves with an item's weight.
    more = copies.astype(float)
    more[3] += 1e-6
    moved = np.average(same, weights=more[i] * more[j]) - share
    slope = moved / 1e-6 * copies.sum() * 30 / copies.sum() * copies[3]
    assert found.influence[3] == pytest.approx(slope if name == "pairwise_accuracy" else 2 * slope, rel=1e-3)


def test_standard_error_of_a_weighted_share_is_that_of_a_ratio():
    judge, human = population(90)
    copies = np.where(human > 3, 20, 60)
    right = (judge == human).astype(float)
    share = np.average(right, weights=copies)
    psi = copies * (right - share) / copies.mean()
    found = weighted(pair_statistic("percent", LEVELS), copies)(judge, human)
    assert isinstance(found, Linearized)
    assert found.influence == pytest.approx(psi)
    assert found.estimate().se == pytest.approx(psi.std(ddof=1) / np.sqrt(90))


@pytest.mark.parametrize("name", ["percent", "cohen_kappa", "spearman", "gwet_ac1", "pairwise_accuracy"])
def test_weights_undo_a_draw_that_looked_for_disagreement(name: str):
    judge, human = population(20_000)
    chance = np.where(judge == human, 0.02, 0.08)
    drawn = np.random.default_rng(6).random(judge.size) < chance
    statistic = pair_statistic(name, LEVELS)
    truth = statistic(judge, human).value
    plain = statistic(judge[drawn], human[drawn]).estimate()
    fixed = weighted_function(name, statistic, copies_of(chance[drawn]))(
        judge[drawn], human[drawn]
    ).estimate()
    assert plain.high < truth
    assert fixed.low <= truth <= fixed.high


def test_rows_stay_in_order():
    assert repeated(np.array([2, 0, 1])).tolist() == [0, 0, 2]
