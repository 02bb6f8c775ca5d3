import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.chance_corrected import (
    brennan_prediger,
    brennan_prediger_counts,
    conger_kappa,
    fleiss_kappa,
    fleiss_kappa_counts,
    fleiss_null_error,
    gwet_ac1,
    gwet_ac2,
    gwet_ac2_counts,
    percent_agreement,
)
from evalharness.stats.kappa import cohen_kappa, scott_pi
from evalharness.stats.significance import student_p
from evalharness.stats.undefined import Cause, Undefined
from tests.research import research_file
from tests.stats.agreement_data import ABSTRACTORS, NAN, RAW_4_RATERS, labels_of

SCALE = [1, 2, 3, 4, 5]
COEFFICIENTS = [percent_agreement, fleiss_kappa, conger_kappa, brennan_prediger, gwet_ac1]

ratings = st.integers(3, 25).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, NAN]), min_size=4, max_size=4), min_size=n, max_size=n
    ).map(np.array)
)


@pytest.mark.parametrize(
    ("coefficient", "value", "se"),
    [
        (percent_agreement, 0.8181818, 0.12561),
        (gwet_ac1, 0.77544, 0.14295),
        (fleiss_kappa, 0.76117, 0.15302),
        (conger_kappa, 0.76282, 0.14917),
        (brennan_prediger, 0.77273, 0.14472),
    ],
)
def test_irrcac_four_raters(coefficient, value: float, se: float) -> None:
    estimate = coefficient(RAW_4_RATERS, SCALE, gwet_error=True).estimate()
    assert estimate.value == pytest.approx(value, abs=5.1e-6)
    assert estimate.se == pytest.approx(se, abs=5.1e-6)


def test_irrcac_four_raters_interval_and_p_values() -> None:
    ac1 = gwet_ac1(RAW_4_RATERS, SCALE, gwet_error=True).estimate()
    assert (round(ac1.low, 3), ac1.high) == (0.461, 1.0)
    expected = {gwet_ac1: 0.000208721, conger_kappa: 0.0003367, brennan_prediger: 0.0002376}
    for coefficient, p in expected.items():
        estimate = coefficient(RAW_4_RATERS, SCALE, gwet_error=True).estimate()
        assert student_p(estimate.value / estimate.se, 11, "two-sided") == pytest.approx(p, rel=2e-4)


def test_irrcac_weighted_coefficients() -> None:
    ac2 = gwet_ac2(RAW_4_RATERS, SCALE, "quadratic", gwet_error=True).estimate()
    fleiss = fleiss_kappa(RAW_4_RATERS, SCALE, "quadratic", gwet_error=True).estimate()
    assert (round(ac2.value, 3), round(ac2.se, 3)) == (0.914, 0.104)
    assert (round(fleiss.value, 3), round(fleiss.se, 3)) == (0.865, 0.146)
    assert round(conger_kappa(RAW_4_RATERS, SCALE, "linear").value, 3) == 0.814
    assert round(brennan_prediger(RAW_4_RATERS, SCALE, "ordinal").value, 3) == 0.886


def test_irrcac_abstractors() -> None:
    table = np.stack(labels_of(ABSTRACTORS), axis=1)
    expected = {
        gwet_ac1: ("0.8493305", "0.04321747"),
        brennan_prediger: ("0.8350000", "0.04693346"),
        percent_agreement: ("0.8900000", "0.03128898"),
        fleiss_kappa: ("0.7962397", "0.05905473"),
        conger_kappa: ("0.7964094", "0.05891072"),
    }
    for coefficient, (value, se) in expected.items():
        estimate = coefficient(table, [1, 2, 3]).estimate()
        for_tables = estimate.se * math.sqrt(99 / 100)  # irrCAC divides by n for tables, by n - 1 for ratings
        assert (f"{estimate.value:.7f}", f"{for_tables:.8f}") == (value, se)
    assert f"{gwet_ac2(table, [1, 2, 3], 'quadratic').value:.3f}" == "0.940"


def test_fleiss_1971_diagnoses() -> None:
    data = json.loads(research_file("inter-rater-tables.json").read_text())
    diagnoses = np.array(data["fleiss_1971_diagnoses_30_subjects_x_6_raters"])
    counts = np.stack([(diagnoses == k).sum(axis=1) for k in range(1, 6)], axis=1)
    value = fleiss_kappa(diagnoses, SCALE).value
    assert value == pytest.approx(0.4302445, abs=5e-8)
    assert value / fleiss_null_error(counts) == pytest.approx(17.65183, abs=5e-6)


def test_fleiss_wikipedia() -> None:
    data = json.loads(research_file("inter-rater-tables.json").read_text())
    counts = np.array(data["fleiss_wikipedia_10_subjects_x_5_categories_counts"])
    assert round(fleiss_kappa_counts(counts).value, 3) == 0.210


@pytest.mark.parametrize(
    ("counts", "fixed", "free"),
    [
        ([[7, 1], [3, 5]], 0.161905, 0.214286),
        ([[6, 1, 0], [0, 7, 0]], 0.708333, 0.785714),
        ([[6.99, 0.01]] * 2, -0.166667, 0.993343),
    ],
)
def test_randolph(counts: list[list[float]], fixed: float, free: float) -> None:
    assert fleiss_kappa_counts(counts).value == pytest.approx(fixed, abs=5.1e-7)
    assert brennan_prediger_counts(counts).value == pytest.approx(free, abs=5.1e-7)


def test_agrees_with_statsmodels() -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    counts = np.random.default_rng(1).multinomial(6, [0.5, 0.3, 0.2], size=40)
    assert fleiss_kappa_counts(counts).value == pytest.approx(inter_rater.fleiss_kappa(counts, "fleiss"))
    assert brennan_prediger_counts(counts).value == pytest.approx(
        inter_rater.fleiss_kappa(counts, "randolph")
    )


def test_two_raters_are_the_classical_coefficients() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(1, 5, 60), rng.integers(1, 5, 60)
    table = np.stack([first, second], axis=1)
    for weights in ("identity", "linear", "quadratic"):
        cohen = cohen_kappa(first, second, [1, 2, 3, 4], weights).estimate()
        conger = conger_kappa(table, [1, 2, 3, 4], weights).estimate()
        assert (conger.value, conger.se) == pytest.approx((cohen.value, cohen.se))
        fleiss = fleiss_kappa(table, [1, 2, 3, 4], weights)
        assert fleiss.value == pytest.approx(scott_pi(first, second, [1, 2, 3, 4], weights).value)


@settings(max_examples=40)
@given(ratings)
def test_rater_order_item_order_and_label_names_do_not_matter(table: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    for coefficient in COEFFICIENTS:
        plain = coefficient(table, [1, 2, 3])
        shuffled = coefficient(table[rng.permutation(len(table))][:, [2, 0, 3, 1]], [1, 2, 3])
        renamed = coefficient(4.0 - table, [1, 2, 3])
        if isinstance(plain, Undefined):
            assert shuffled.value is None
            assert renamed.value is None
        else:
            assert shuffled.value == pytest.approx(plain.value)
            assert renamed.value == pytest.approx(plain.value)


@settings(max_examples=40)
@given(ratings)
def test_repeating_the_data_keeps_the_value(table: np.ndarray) -> None:
    codes = np.arange(len(table))
    for coefficient in COEFFICIENTS:
        once, twice = coefficient(table, [1, 2, 3]), coefficient(np.vstack([table, table]), [1, 2, 3])
        if isinstance(once, Undefined):
            continue
        assert twice.value == pytest.approx(once.value)
        first, second = once.estimate(codes), twice.estimate(np.tile(codes, 2))
        if first.se is not None:
            assert second.se == pytest.approx(first.se, abs=1e-9)


@settings(max_examples=40)
@given(ratings)
def test_an_unused_level_changes_only_what_depends_on_the_scale(table: np.ndarray) -> None:
    for coefficient in (percent_agreement, fleiss_kappa, conger_kappa):
        narrow, wide = coefficient(table, [1, 2, 3]), coefficient(table, [1, 2, 3, 4])
        if not isinstance(narrow, Undefined):
            assert wide.value == pytest.approx(narrow.value)


def test_units_with_one_rating_do_not_inflate_the_error() -> None:
    """Perfect agreement stays perfect when half of the units have a single rating; Gwet's formula says otherwise."""
    table = np.array([[1, 1], [2, 2], [1, 1], [2, 2], [1, NAN], [NAN, 2], [1, NAN], [NAN, 2]])
    ours, gwet = (fleiss_kappa(table, [1, 2], gwet_error=flag).estimate() for flag in (False, True))
    assert ours.value == gwet.value == 1.0
    assert ours.se == pytest.approx(0.0, abs=1e-12)
    assert gwet.se > 0.3


def test_prevalence_paradox() -> None:
    """Feinstein & Cicchetti: high agreement on a rare category; kappa collapses, AC1 does not."""
    table = np.stack(labels_of(np.array([[118, 5], [2, 0]])), axis=1)
    assert percent_agreement(table, [1, 2]).value == pytest.approx(0.944)
    assert conger_kappa(table, [1, 2]).value == pytest.approx(-0.0234, abs=1e-4)
    assert gwet_ac1(table, [1, 2]).value == pytest.approx(0.9408, abs=1e-4)


def test_undefined_is_said_with_a_reason() -> None:
    assert fleiss_kappa([[1, 1], [1, 1]], [1, 2]).cause is Cause.ONE_CATEGORY
    assert fleiss_kappa([[1, NAN], [NAN, 2]], [1, 2]).cause is Cause.NO_PAIRS
    assert fleiss_kappa(np.full((2, 2), NAN), [1, 2]).cause is Cause.EMPTY
    assert conger_kappa([[1, NAN], [2, NAN]], [1, 2]).cause is Cause.ONE_RATER
    assert gwet_ac1([[1, 1], [1, 1]], [1, 2]).value == 1.0


def test_clusters_that_hold_no_rating_do_not_count() -> None:
    table = np.array([[1, 1], [2, 1], [2, 2], [NAN, NAN], [1, 1]])
    estimate = fleiss_kappa(table, [1, 2]).estimate([0, 0, 1, 2, 3])
    assert (estimate.n, estimate.groups) == (4, 3)


def test_counts_are_checked() -> None:
    for bad in ([[1, -1]], [1, 2], [[1], [2]], [[np.inf, 1]]):
        with pytest.raises(ValueError, match="counts must be"):
            gwet_ac2_counts(bad)
    with pytest.raises(ValueError, match="same number"):
        fleiss_null_error([[2, 0], [1, 2]])
    assert fleiss_null_error([[2, 0], [2, 0]]) is None
