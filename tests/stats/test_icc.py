import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.icc import IccForm, anova, icc, icc_f_interval
from evalharness.stats.undefined import Cause
from tests.stats.agreement_data import NAN, SHROUT_FLEISS

PUBLISHED = {
    "1_1": (0.1657, -0.13, 0.72),
    "2_1": (0.2898, 0.02, 0.76),
    "3_1": (0.7148, 0.34, 0.95),
    "1_k": (0.4428, -0.88, 0.91),
    "2_k": (0.6201, 0.07, 0.93),
    "3_k": (0.9093, 0.68, 0.99),
}

tables = st.tuples(st.integers(3, 12), st.integers(2, 5), st.integers(0, 10_000)).map(
    lambda shape: np.random.default_rng(shape[2]).integers(0, 8, shape[:2]).astype(float)
)


@pytest.mark.parametrize("form", list(PUBLISHED))
def test_shrout_fleiss_1979(form: str) -> None:
    value, low, high = PUBLISHED[form]
    estimate = icc_f_interval(SHROUT_FLEISS, form)
    assert round(estimate.value, 4) == value
    assert (round(estimate.low, 2), round(estimate.high, 2)) == (low, high)
    assert icc(SHROUT_FLEISS, form).value == estimate.value


def test_shrout_fleiss_f_values() -> None:
    table = anova(SHROUT_FLEISS)
    assert (round(table.f_one_way, 2), round(table.f_two_way, 2)) == (1.79, 11.03)


def test_agrees_with_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin", exc_type=ImportError)
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    table = rng.normal(size=(20, 1)) + rng.normal(size=(20, 3))
    long = pandas.DataFrame(
        {"unit": np.repeat(np.arange(20), 3), "rater": np.tile(np.arange(3), 20), "value": table.ravel()}
    )
    theirs = pingouin.intraclass_corr(long, targets="unit", raters="rater", ratings="value")["ICC"]
    assert [icc(table, form).value for form in PUBLISHED] == pytest.approx(list(theirs))


@settings(max_examples=40)
@given(tables)
def test_shift_unit_and_order_do_not_matter(table: np.ndarray) -> None:
    for form in IccForm:
        plain = icc(table, form)
        if plain.value is None:
            continue
        assert icc(table[::-1, ::-1], form).value == pytest.approx(plain.value)
        assert icc(3 * table - 40, form).value == pytest.approx(plain.value)


def test_consistency_forgives_a_lenient_rater_and_absolute_agreement_does_not() -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(50, 1)) + rng.normal(scale=0.3, size=(50, 3))
    shifted = table + np.array([0.0, 0.0, 2.0])
    assert icc(shifted, "3_1").value == pytest.approx(icc(table, "3_1").value)
    assert icc(shifted, "2_1").value < icc(table, "2_1").value - 0.3


def test_mean_of_raters_is_spearman_brown() -> None:
    for single, mean in (("1_1", "1_k"), ("2_1", "2_k"), ("3_1", "3_k")):
        rho = icc(SHROUT_FLEISS, single).value
        assert icc(SHROUT_FLEISS, mean).value == pytest.approx(4 * rho / (1 + 3 * rho))


def test_incomplete_units_are_left_out_and_counted() -> None:
    padded = np.vstack([SHROUT_FLEISS, [[5, NAN, 3, 2]]])
    estimate = icc(padded, "2_1").estimate()
    assert estimate.n == 6
    assert estimate.value == pytest.approx(icc(SHROUT_FLEISS, "2_1").value)


def test_undefined() -> None:
    assert icc([[1, 1], [1, 1]]).cause is Cause.NO_VARIATION
    assert icc([[1], [2]]).cause is Cause.ONE_RATER
    assert icc([[1, 2], [NAN, 2]]).cause is Cause.TOO_FEW
    assert icc([[NAN, 2]]).cause is Cause.EMPTY
    assert icc([[1, 2], [2, 1]], "1_k").cause is Cause.NO_VARIATION
    assert icc_f_interval([[1, 1], [1, 1]]).undefined.startswith("the values do not vary")


def test_perfect_agreement_has_no_f_interval() -> None:
    estimate = icc_f_interval([[1, 1], [2, 2], [5, 5]], "3_1")
    assert (estimate.value, estimate.low) == (1.0, None)
    with pytest.raises(ValueError, match="not a valid IccForm"):
        icc(SHROUT_FLEISS, "4_1")
