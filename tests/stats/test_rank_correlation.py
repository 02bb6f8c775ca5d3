import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.pairs import pair_counts
from evalharness.stats.rank_correlation import (
    goodman_kruskal_gamma,
    kendall_tau_b,
    kendall_tau_c,
    somers_d,
    spearman,
)
from evalharness.stats.undefined import Cause
from tests.stats.agreement_data import labels_of

RANKED = [kendall_tau_b, kendall_tau_c, somers_d, spearman]

vectors = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 6), min_size=n, max_size=n).map(np.array),
        st.lists(st.floats(-3, 3, width=16), min_size=n, max_size=n).map(np.array),
    )
)


def test_mt_metrics_eval_gold() -> None:
    gold, metric = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 3, 7]
    assert kendall_tau_b(metric, gold).value == pytest.approx(0.552, abs=5e-4)
    assert kendall_tau_c(metric, gold).value == pytest.approx(0.556, abs=5e-4)
    gold, metric = [1, 2, 2, 3, 4], [2, 1, 1.5, 5, 3]
    assert kendall_tau_b(metric, gold).value == pytest.approx(0.316227766, abs=5e-10)
    assert kendall_tau_c(metric, gold).value == pytest.approx(0.32, abs=1e-12)


def test_somers_d_of_the_scipy_documentation() -> None:
    """Hotel cleanliness (rows) against rank; rows are the independent variable."""
    table = np.array([[27, 25, 14, 7, 0], [7, 14, 18, 35, 12], [1, 3, 2, 7, 17]])
    assert somers_d(*labels_of(table)).value == pytest.approx(0.6032766, abs=5e-8)


@settings(max_examples=60)
@given(vectors)
def test_agree_with_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    import scipy.stats as ss

    x, y = pair
    for ours, theirs in (
        (kendall_tau_b, lambda a, b: ss.kendalltau(a, b).statistic),
        (kendall_tau_c, lambda a, b: ss.kendalltau(a, b, variant="c").statistic),
        (somers_d, lambda a, b: ss.somersd(a, b).statistic),
        (spearman, lambda a, b: ss.spearmanr(a, b).statistic),
    ):
        found = ours(x, y)
        if len(set(x)) > 1 and len(set(y)) > 1:
            assert found.value == pytest.approx(theirs(x, y), abs=1e-12)
        else:
            assert found.value is None


@settings(max_examples=40)
@given(vectors, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_pair_counts_are_those_of_all_pairs(pair: tuple[np.ndarray, np.ndarray], epsilon: float) -> None:
    x, y = pair[0].astype(float), pair[1]
    order_x = np.where(np.abs(x[:, None] - x) <= epsilon, 0, np.sign(x[:, None] - x))
    order_y = np.sign(y[:, None] - y)
    others = ~np.eye(x.size, dtype=bool)
    counts = pair_counts(x, y, epsilon)
    assert counts.concordant.tolist() == ((order_x * order_y > 0) & others).sum(axis=1).tolist()
    assert counts.discordant.tolist() == ((order_x * order_y < 0) & others).sum(axis=1).tolist()
    assert counts.tied_first.tolist() == ((order_x == 0) & (order_y != 0) & others).sum(axis=1).tolist()
    assert counts.tied_second.tolist() == ((order_x != 0) & (order_y == 0) & others).sum(axis=1).tolist()
    assert counts.tied_both.tolist() == ((order_x == 0) & (order_y == 0) & others).sum(axis=1).tolist()


@settings(max_examples=40)
@given(vectors)
def test_monotone_maps_and_item_order_do_not_matter(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    order = np.random.default_rng(0).permutation(x.size)
    for statistic in RANKED:
        plain = statistic(x, y)
        if plain.value is None:
            continue
        assert statistic(np.exp(x), 3 * y + 1).value == pytest.approx(plain.value)
        assert statistic(x[order], y[order]).value == pytest.approx(plain.value)
        assert statistic(-x, y).value == pytest.approx(-plain.value)


@settings(max_examples=30)
@given(vectors)
def test_repeating_items_in_their_groups_keeps_value_and_error(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    codes = np.arange(x.size)
    for statistic in (kendall_tau_b, somers_d, spearman):
        once, twice = statistic(x, y), statistic(np.tile(x, 2), np.tile(y, 2))
        if once.value is None:
            continue
        assert twice.value == pytest.approx(once.value)
        few, many = once.estimate(codes), twice.estimate(np.tile(codes, 2))
        assert few.groups == many.groups
        if statistic is spearman:
            assert many.se == pytest.approx(few.se, abs=1e-9)


def test_rounding_makes_no_order() -> None:
    sums = np.array([0.1 + 0.2, 0.3, 0.6, 0.2 + 0.4])
    assert len(set(sums)) > 2
    counts = pair_counts(sums, np.array([1.0, 2.0, 3.0, 4.0]))
    assert counts.tied_first.tolist() == [1, 1, 1, 1]
    assert kendall_tau_b(sums, [1, 2, 3, 4]).value == pytest.approx(4 / np.sqrt(4 * 6))


def test_gamma_leaves_ties_out() -> None:
    assert goodman_kruskal_gamma([1, 1, 2, 2], [1, 2, 2, 3]).value == pytest.approx(1.0)
    assert goodman_kruskal_gamma([1, 1, 2], [1, 2, 1]).value == pytest.approx(-1.0)


@pytest.mark.parametrize("statistic", [*RANKED, goodman_kruskal_gamma])
def test_which_side_is_constant(statistic) -> None:
    assert statistic([2, 2, 2], [1, 2, 3]).cause is Cause.FIRST_CONSTANT
    assert statistic([1, 2, 3], [2, 2, 2]).cause is Cause.SECOND_CONSTANT
    assert statistic([2, 2], [3, 3]).cause is Cause.BOTH_CONSTANT
    assert statistic([1], [2]).cause is Cause.TOO_FEW
    assert statistic([], []).cause is Cause.EMPTY
    assert statistic([0.1 * 3, 0.3, 0.3], [1, 2, 3]).cause is Cause.FIRST_CONSTANT


def test_large_samples_are_counted_in_n_log_n() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=50_000)
    found = kendall_tau_b(x, x + rng.normal(size=50_000)).estimate()
    assert found.value == pytest.approx(0.5, abs=0.01)  # 2/pi arcsin(1/sqrt 2)
    assert found.se < 0.005


def test_negative_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        pair_counts(np.array([1.0, 2.0]), np.array([1.0, 2.0]), -1.0)
