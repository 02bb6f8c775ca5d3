import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.distances import Metric
from evalharness.stats.krippendorff import coincidence_matrix, krippendorff_alpha
from evalharness.stats.undefined import Cause, Undefined
from tests.stats.agreement_data import (
    ABSTRACTORS,
    KRIPPENDORFF_C,
    KRIPPENDORFF_WIKIPEDIA,
    NAN,
    RAW_4_RATERS,
    labels_of,
)

METRICS = list(Metric)

ratings = st.integers(2, 20).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0, NAN]), min_size=3, max_size=3), min_size=n, max_size=n
    ).map(np.array)
)


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)],
)
def test_example_c(metric: str, alpha: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF_C, metric).value == pytest.approx(alpha, abs=5.1e-7)


def test_example_c_as_a_fraction() -> None:
    assert krippendorff_alpha(KRIPPENDORFF_C).value == pytest.approx(904 / 1216, abs=1e-15)


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.691358), ("interval", 0.810845)])
def test_wikipedia(metric: str, alpha: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF_WIKIPEDIA, metric).value == pytest.approx(alpha, abs=5.1e-7)


@pytest.mark.parametrize(
    ("table", "metric", "alpha"),
    [
        ([[1, 2], [2, 3], [3, 4]], "nominal", -0.1538462),
        ([[1, 2], [2, 3], [3, 4]], "interval", 0.5454545),
        ([[1, 2], [2, 4]], "ratio", 0.1712707),
    ],
)
def test_evalica(table: list[list[int]], metric: str, alpha: float) -> None:
    assert krippendorff_alpha(table, metric).value == pytest.approx(alpha, abs=5.1e-8)


def test_irrcac() -> None:
    four = krippendorff_alpha(RAW_4_RATERS, gwet_error=True).estimate()
    assert (f"{four.value:.5f}", f"{four.se:.5f}") == ("0.74342", "0.14557")
    two = krippendorff_alpha(np.stack(labels_of(ABSTRACTORS), axis=1))
    assert f"{two.value:.7f}" == "0.7972585"


@settings(max_examples=40)
@given(ratings, st.sampled_from(METRICS))
def test_agrees_with_the_krippendorff_package(table: np.ndarray, metric: Metric) -> None:
    package = pytest.importorskip("krippendorff")
    ours = krippendorff_alpha(table, metric)
    if isinstance(ours, Undefined):
        assert len(np.unique(table[(~np.isnan(table)).sum(axis=1) >= 2])) <= 2  # one value, and NaN
        return
    assert ours.value == pytest.approx(package.alpha(table.T, level_of_measurement=metric.value), abs=1e-10)


@settings(max_examples=40)
@given(ratings, st.sampled_from(METRICS))
def test_order_of_raters_and_units_does_not_matter(table: np.ndarray, metric: Metric) -> None:
    shuffled = krippendorff_alpha(np.random.default_rng(0).permutation(table)[:, ::-1], metric)
    plain = krippendorff_alpha(table, metric)
    assert shuffled.value == (None if plain.value is None else pytest.approx(plain.value, abs=1e-12))


@settings(max_examples=40)
@given(ratings)
def test_each_metric_is_invariant_under_its_transformations(table: np.ndarray) -> None:
    relabelled = np.where(table == 0, 9.0, table)
    monotone = np.exp(table)
    for metric, moved in (
        ("nominal", relabelled),
        ("ordinal", monotone),
        ("interval", 3 * table - 7),
        ("ratio", 4 * table),
    ):
        plain, changed = krippendorff_alpha(table, metric), krippendorff_alpha(moved, metric)
        if plain.value is not None:
            assert changed.value == pytest.approx(plain.value, abs=1e-9), metric


def test_many_values_cost_no_square() -> None:
    """Continuous data: 20,000 distinct values, no V x V matrix for interval and ordinal."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=10_000)
    table = truth[:, None] + rng.normal(scale=0.5, size=(10_000, 2))
    assert krippendorff_alpha(table, "interval").value == pytest.approx(0.8, abs=0.01)
    assert krippendorff_alpha(table, "ordinal").value == pytest.approx(0.78, abs=0.02)


@pytest.mark.parametrize("metric", ["nominal", "ratio"])
def test_many_raters_a_unit(metric: str) -> None:
    """More pairs of ratings in a unit than values: counted by value instead of listed."""
    package = pytest.importorskip("krippendorff")
    table = np.random.default_rng(2).integers(0, 4, (6, 40)).astype(float)
    table[0, :39] = NAN
    expected = package.alpha(table.T, level_of_measurement=metric)
    assert krippendorff_alpha(table, metric).value == pytest.approx(expected)


def test_coincidences_of_example_c() -> None:
    values, o = coincidence_matrix(KRIPPENDORFF_C)
    assert values.tolist() == [1, 2, 3, 4, 5]
    assert o.sum() == pytest.approx(40)
    assert o.sum(axis=0).tolist() == pytest.approx([9, 13, 10, 5, 3])
    assert o == pytest.approx(o.T)
    assert np.diag(o).tolist() == pytest.approx([7, 10, 8, 4, 3])


def test_units_with_one_rating_drop_out() -> None:
    padded = np.vstack([KRIPPENDORFF_C, [[4, NAN, NAN, NAN]], np.full((1, 4), NAN)])
    for metric in METRICS:
        estimate = krippendorff_alpha(padded, metric).estimate()
        assert estimate.value == pytest.approx(krippendorff_alpha(KRIPPENDORFF_C, metric).value)
        assert estimate.n == 11


def test_constant_data_are_undefined_not_one() -> None:
    found = krippendorff_alpha([[3, 3], [3, 3], [3, NAN]], "interval")
    assert isinstance(found, Undefined)
    assert found.cause is Cause.NO_VARIATION
    assert krippendorff_alpha([[1, NAN], [NAN, 2]]).cause is Cause.NO_PAIRS
    assert krippendorff_alpha(np.empty((0, 3))).cause is Cause.EMPTY


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="matrix"):
        krippendorff_alpha([1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        krippendorff_alpha([[1, np.inf]])
    with pytest.raises(ValueError, match="not a valid Metric"):
        krippendorff_alpha([[1, 2]], "cardinal")
    with pytest.raises(ValueError, match="negative"):
        krippendorff_alpha([[-1, 2], [3, 4]], "ratio")
