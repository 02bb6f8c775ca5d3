import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.correlation import fisher_interval, lins_ccc, pearson, williams_test
from evalharness.stats.undefined import Cause

vectors = st.integers(3, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 9).map(float), min_size=n, max_size=n).map(np.array)] * 2)
)


def test_mt_metrics_eval_gold() -> None:
    assert pearson([2, 1, 4, 3, 3, 7], [1, 2, 3, 4, 5, 6]).value == pytest.approx(0.776, abs=5e-4)


def test_williams_published() -> None:
    gold, first, second = [1, 2, 3, 4, 5], [1.1, 2, 3.1, 4, 5.1], [1.5, 2, 3.1, 4, 5.5]
    r_1, r_2, r_12 = pearson(first, gold).value, pearson(second, gold).value, pearson(first, second).value
    assert (r_1, r_2) == pytest.approx((0.999, 0.987), abs=5e-4)
    found = williams_test(r_1, r_2, r_12, 5)
    assert found.p == pytest.approx(0.019, abs=5e-4)
    assert found.method == "Williams t(2)"
    assert williams_test(r_2, r_1, r_12, 5).p == pytest.approx(1 - found.p)
    assert williams_test(r_1, r_2, r_12, 5, "two-sided").p == pytest.approx(2 * found.p)


def test_williams_without_an_answer() -> None:
    assert williams_test(0.5, 0.4, 0.9, 3).undefined == "Williams' test needs 4 items"
    assert "alike" in williams_test(0.0, 0.0, 1.0, 20).undefined


def test_fisher_interval_agrees_with_scipy() -> None:
    import scipy.stats as ss

    rng = np.random.default_rng(1)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    ours, theirs = fisher_interval(x, y), ss.pearsonr(x, y).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert fisher_interval([1, 2, 3], [1, 2, 4]).low is None
    assert fisher_interval([1, 1, 1], [1, 2, 4]).value is None


@settings(max_examples=50)
@given(vectors)
def test_pearson_agrees_with_numpy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = pearson(*pair)
    if found.value is not None:
        assert found.value == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-12)


@settings(max_examples=50)
@given(vectors)
def test_concordance_is_below_correlation_and_feels_shifts(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    r, ccc = pearson(x, y), lins_ccc(x, y)
    if r.value is None:
        return
    assert abs(ccc.value) <= abs(r.value) + 1e-12
    assert lins_ccc(5 * x - 3, 5 * y - 3).value == pytest.approx(ccc.value)
    assert pearson(5 * x - 3, y).value == pytest.approx(r.value)
    assert lins_ccc(y, x).value == pytest.approx(ccc.value)
    assert lins_ccc(x, x + 2).value < 1.0


def test_concordance_by_hand() -> None:
    """Lin (1989) with moments over n: 2 * 2 / (2 + 2 + 1) for a shift by one."""
    assert lins_ccc([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]).value == pytest.approx(0.8)


def test_constant_sides() -> None:
    assert pearson([1, 1, 1], [1, 2, 3]).cause is Cause.FIRST_CONSTANT
    assert pearson([1, 2, 3], [4, 4, 4]).cause is Cause.SECOND_CONSTANT
    assert pearson(np.full(3, 0.1 + 0.2), [0.3, 0.3, 0.1 + 0.2]).cause is Cause.BOTH_CONSTANT
    assert lins_ccc([1, 1, 1], [1, 2, 3]).value == 0.0
    assert lins_ccc([1, 1], [1, 1]).cause is Cause.BOTH_CONSTANT
    assert lins_ccc([1, 1], [2, 2]).value == 0.0
    assert lins_ccc([1], [1]).cause is Cause.TOO_FEW


def test_perfect_correlation_claims_no_certainty() -> None:
    estimate = pearson([1, 2, 3, 4], [2, 4, 6, 8]).estimate()
    assert estimate.value == pytest.approx(1.0)
    assert estimate.low is None
