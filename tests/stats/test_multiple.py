from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.multiple import benjamini_hochberg, benjamini_yekutieli, holm, rejections

METHODS = {"holm": holm, "fdr_bh": benjamini_hochberg, "fdr_by": benjamini_yekutieli}
p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


def test_published_five() -> None:
    p = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert holm(p) == pytest.approx((0.05, 0.08, 0.09, 0.09, 0.09))
    assert benjamini_hochberg(p) == pytest.approx((0.05,) * 5)
    assert benjamini_yekutieli(p) == pytest.approx((0.1141667,) * 5, abs=5e-8)


@pytest.mark.parametrize(("method", "column"), [(holm, 2), (benjamini_hochberg, 6), (benjamini_yekutieli, 7)])
def test_r_multtest_table(method: object, column: int) -> None:
    """The tables of R multtest (15 digits) that statsmodels ships with its tests."""
    tables = pytest.importorskip("statsmodels.stats.tests.test_multi")
    for table in (tables.res_multtest1, tables.res_multtest2, tables.res_multtest3):
        values = np.asarray(table)
        if values.ndim == 2 and values.shape[1] == 9:
            adjusted = method(values[:, 0].tolist())
            assert np.abs(np.array(adjusted) - values[:, column]).max() < 1e-12


@given(p_values, st.sampled_from(sorted(METHODS)))
def test_agrees_with_statsmodels(p: list[float], name: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    with mock.patch(
        "gc.collect"
    ):  # it collects garbage at each call, which takes most of a minute in a full suite
        expected = multitest.multipletests(p, method=name)[1]
    assert METHODS[name](p) == pytest.approx(expected, abs=1e-12)


@given(p_values, st.sampled_from(sorted(METHODS)), st.randoms())
def test_order_does_not_matter(p: list[float], name: str, random: object) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    adjusted, shuffled = METHODS[name](p), METHODS[name]([p[i] for i in order])
    assert [adjusted[i] for i in order] == pytest.approx(list(shuffled))


@given(p_values)
def test_adjustment_never_lowers_and_keeps_order(p: list[float]) -> None:
    for method in METHODS.values():
        adjusted = np.array(method(p))
        assert np.all(adjusted >= np.array(p) - 1e-15)
        assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-15)


def test_undefined_tests_stay_undefined_and_do_not_count() -> None:
    assert holm([0.01, None, 0.04]) == pytest.approx((0.02, None, 0.04))
    assert rejections(holm([0.01, None, 0.04]), 0.03) == (True, None, False)
    assert holm([]) == ()


def test_impossible_p_values_are_refused() -> None:
    for bad in (float("nan"), -0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            holm([0.5, bad])
