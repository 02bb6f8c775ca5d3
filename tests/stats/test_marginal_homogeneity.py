import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.marginal_homogeneity import (
    bhapkar,
    bowker,
    clustered_marginal_homogeneity,
    stuart_maxwell,
)
from tests.stats.agreement_data import labels_of

tables = st.lists(st.lists(st.integers(1, 40), min_size=4, max_size=4), min_size=4, max_size=4).map(np.array)


@settings(max_examples=40)
@given(tables)
def test_agree_with_statsmodels(table: np.ndarray) -> None:
    square = pytest.importorskip("statsmodels.stats.contingency_tables").SquareTable(table, shift_zeros=False)
    for ours, theirs in (
        (bowker(table), square.symmetry()),
        (stuart_maxwell(table), square.homogeneity("stuart_maxwell")),
        (bhapkar(table), square.homogeneity("bhapkar")),
    ):
        assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-8)
        assert ours.p == pytest.approx(theirs.pvalue, abs=1e-8)


def test_two_categories_are_mcnemar() -> None:
    """Agresti's 794, 86 / 150, 570: chi-squared 17.356 (as 34.71 / 2 with 1 degree of freedom it is 17.3559)."""
    table = [[794, 86], [150, 570]]
    assert stuart_maxwell(table).statistic == pytest.approx((150 - 86) ** 2 / (150 + 86))
    assert round(bowker(table).statistic, 3) == 17.356


@settings(max_examples=30)
@given(tables)
def test_order_of_categories_and_sides_does_not_matter(table: np.ndarray) -> None:
    order = np.array([2, 0, 3, 1])
    for test in (bowker, stuart_maxwell, bhapkar):
        assert test(table[order][:, order]).statistic == pytest.approx(test(table).statistic)
        assert test(table.T).statistic == pytest.approx(test(table).statistic)


def test_unused_categories_cost_no_degree_of_freedom() -> None:
    table = np.array([[20, 5, 3], [9, 30, 4], [1, 12, 16]])
    padded = np.zeros((4, 4))
    padded[np.ix_([0, 1, 3], [0, 1, 3])] = table
    for test in (bowker, stuart_maxwell, bhapkar):
        assert test(padded).p == pytest.approx(test(table).p)
        assert test(padded).method == test(table).method


def test_no_disagreement_is_untestable() -> None:
    for test in (bowker, stuart_maxwell, bhapkar):
        assert test(np.diag([3, 4])).undefined == "the two sides never disagree"
    assert clustered_marginal_homogeneity([1, 2], [1, 2], [1, 2]).p is None
    assert bhapkar([[0, 5], [0, 0]]).undefined == "the marginals have no category in common"
    with pytest.raises(ValueError, match="square"):
        bowker([[1, 2]])


def test_independent_items_give_bhapkar_again() -> None:
    table = np.array([[20, 5, 3], [9, 30, 4], [1, 12, 16]])
    found = clustered_marginal_homogeneity(*labels_of(table), [1, 2, 3])
    wald = found.statistic * 2 * 99 / 98
    assert wald == pytest.approx(bhapkar(table).statistic * 99 / 100, rel=1e-9)
    assert found.method == "clustered Wald F(2, 98)"


def test_clustered_test_keeps_its_level() -> None:
    """With items repeated five times the naive test rejects far too often; the clustered one does not change."""
    rng = np.random.default_rng(1)
    first, second = rng.integers(1, 4, 40), rng.integers(1, 4, 40)
    once = clustered_marginal_homogeneity(first, second, [1, 2, 3])
    repeated = clustered_marginal_homogeneity(
        np.repeat(first, 5), np.repeat(second, 5), [1, 2, 3], np.repeat(np.arange(40), 5)
    )
    assert repeated.p == pytest.approx(once.p)
    assert repeated.groups == 40


def test_too_few_groups() -> None:
    found = clustered_marginal_homogeneity([1, 2, 3, 1], [2, 3, 1, 1], [1, 2, 3], [0, 0, 1, 1])
    assert "too few" in found.undefined
    assert clustered_marginal_homogeneity([1, 2], [2, 2], [1, 2], [0, 0]).undefined == "fewer than two groups"
