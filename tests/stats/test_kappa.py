import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.errors import InputError
from evalharness.stats.distances import agreement_weights, from_disagreement
from evalharness.stats.kappa import cohen_kappa, kappa_inference, kappa_maximum, scott_pi
from evalharness.stats.undefined import Cause, Undefined
from tests.research import research_file
from tests.stats.agreement_data import ABSTRACTORS, labels_of

SAS = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
COHEN = np.array([[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]])
TABLE_FACTOR = math.sqrt(99 / 100)  # for tables irrCAC divides by n, for ratings by n - 1
FCE = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])

label_pairs = st.integers(5, 60).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(1, 4), min_size=n, max_size=n)] * 2)
)


def printed(value: float | None, digits: int) -> str:
    assert value is not None
    return f"{value:.{digits}f}"


@pytest.mark.parametrize(
    ("weights", "value", "ase", "low", "high", "ase0", "z"),
    [
        ("identity", "0.4842", "0.1380", "0.2137", "0.7547", "0.1484", "3.2626"),
        ("linear", "0.4701", "0.1457", "0.1845", "0.7558", "0.1426", "3.2971"),
    ],
)
def test_sas_documentation(
    weights: str, value: str, ase: str, low: str, high: str, ase0: str, z: str
) -> None:
    found = kappa_inference(SAS, agreement_weights(weights, [1, 2, 3]))
    assert [printed(x, 4) for x in (found.value, found.ase, found.low, found.high, found.ase0, found.z)] == [
        value,
        ase,
        low,
        high,
        ase0,
        z,
    ]


def test_r_irr_anxiety_raters_2_and_3() -> None:
    """irr drops the category that neither rater uses: its scale is the six observed levels without it."""
    data = json.loads(research_file("inter-rater-tables.json").read_text())
    ratings = np.array(data["r_irr_anxiety_20_subjects_x_3_raters"], dtype=float)
    second, third = ratings[:, 1], ratings[:, 2]
    observed = np.unique(ratings[:, 1:])
    positions = np.arange(observed.size, dtype=float)
    a, b = np.searchsorted(observed, second), np.searchsorted(observed, third)
    table = np.zeros((observed.size,) * 2)
    np.add.at(table, (a, b), 1)
    plain, linear, squared = (
        kappa_inference(table, agreement_weights(name, positions))
        for name in ("identity", "linear", "quadratic")
    )
    assert plain.value == pytest.approx(-0.006289308, abs=5e-10)
    assert plain.z == pytest.approx(-0.0604067, abs=5e-8)
    assert linear.value == pytest.approx(0.1459075, abs=5e-8)
    assert squared.value == pytest.approx(0.2520325, abs=5e-8)
    assert squared.z == pytest.approx(1.437451, abs=5e-7)
    declared = cohen_kappa(second, third, np.arange(1, 7), "quadratic").value
    assert observed.size < 6
    assert declared != pytest.approx(squared.value)


@pytest.mark.parametrize(
    ("disagreement", "kappa"),
    [
        (1 - np.eye(3), "0.4915"),
        ([[0, 1, 3], [1, 0, 6], [3, 6, 0]], "0.3478"),
        ([[0, 1, 4], [1, 0, 6], [2, 2, 0]], "0.3534"),
    ],
)
def test_cohen_1960_and_1968_from_proportions(disagreement: list[list[float]], kappa: str) -> None:
    assert printed(kappa_inference(COHEN, from_disagreement(disagreement), n=200).value, 4) == kappa


def test_fleiss_cohen_everitt_1969() -> None:
    assert printed(kappa_inference(FCE).value, 4) == "0.4286"
    similarity = np.array([[1, 0, 0.4444], [0, 1, 0.6667], [0.4444, 0.6667, 1]])
    assert printed(kappa_inference(FCE, similarity).value, 4) == "0.5071"


def test_irrcac_abstractors() -> None:
    first, second = labels_of(ABSTRACTORS)
    cohen = kappa_inference(ABSTRACTORS)
    scott = scott_pi(first, second, [1, 2, 3]).estimate()
    assert (printed(cohen.value, 7), printed(cohen.ase, 8)) == ("0.7964094", "0.05891072")
    assert printed(scott.value, 7) == "0.7962397"
    assert printed(scott.se * TABLE_FACTOR, 8) == "0.05905473"
    linear, quadratic = (cohen_kappa(first, second, [1, 2, 3], w).value for w in ("linear", "quadratic"))
    assert (printed(linear, 3), printed(quadratic, 3)) == ("0.843", "0.892")


@settings(max_examples=40)
@given(label_pairs, st.sampled_from(["identity", "linear", "quadratic"]))
def test_agrees_with_scikit_learn(pair: tuple[list[int], list[int]], weights: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = pair
    ours = cohen_kappa(first, second, [1, 2, 3, 4], weights)
    if isinstance(ours, Undefined):
        assert len(set(first) | set(second)) == 1
        return
    theirs = metrics.cohen_kappa_score(
        first, second, labels=[1, 2, 3, 4], weights=None if weights == "identity" else weights
    )
    assert ours.value == pytest.approx(theirs, abs=1e-12)


@settings(max_examples=40)
@given(label_pairs, st.sampled_from(["identity", "linear", "quadratic"]))
def test_errors_agree_with_statsmodels(pair: tuple[list[int], list[int]], weights: str) -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.zeros((4, 4))
    np.add.at(table, (np.array(pair[0]) - 1, np.array(pair[1]) - 1), 1)
    ours = kappa_inference(table, agreement_weights(weights, [1, 2, 3, 4]))
    if isinstance(ours, Undefined):
        return
    scheme = {"identity": None, "linear": "linear", "quadratic": "quadratic"}[weights]
    with np.errstate(invalid="ignore"):
        theirs = inter_rater.cohens_kappa(table, wt=scheme, return_results=True)
    if np.isnan([theirs.std_kappa, theirs.std_kappa0]).any():
        return  # rounding below zero under its root
    assert ours.ase == pytest.approx(theirs.std_kappa, rel=1e-6, abs=1e-9)
    if ours.ase0 is not None:
        assert ours.ase0 == pytest.approx(theirs.std_kappa0, rel=1e-6, abs=1e-7)


@settings(max_examples=40)
@given(label_pairs)
def test_raters_and_labels_can_be_exchanged(pair: tuple[list[int], list[int]]) -> None:
    first, second = np.array(pair[0]), np.array(pair[1])
    plain, swapped = cohen_kappa(first, second, [1, 2, 3, 4]), cohen_kappa(second, first, [1, 2, 3, 4])
    renamed = cohen_kappa(np.array([0, 3, 1, 4, 2])[first], np.array([0, 3, 1, 4, 2])[second], [1, 2, 3, 4])
    mirrored = cohen_kappa(5 - first, 5 - second, [1, 2, 3, 4], "quadratic")
    if isinstance(plain, Undefined):
        assert isinstance(swapped, Undefined)
        return
    assert plain.value == pytest.approx(swapped.value)
    assert plain.value == pytest.approx(renamed.value)
    assert mirrored.value == pytest.approx(cohen_kappa(first, second, [1, 2, 3, 4], "quadratic").value)


def test_two_categories_need_no_weights() -> None:
    first, second = [0, 1, 1, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1, 0]
    values = [cohen_kappa(first, second, [0, 1], w).value for w in ("identity", "linear", "quadratic")]
    assert values == pytest.approx([values[0]] * 3)


def test_one_category_is_undefined_not_one() -> None:
    found = cohen_kappa([1, 1, 1], [1, 1, 1], [1, 2])
    assert isinstance(found, Undefined)
    assert found.cause is Cause.ONE_CATEGORY
    assert found.estimate().value is None
    assert cohen_kappa([], [], [1, 2]).estimate().undefined == "no items"


def test_a_constant_judge_has_kappa_zero_by_formula() -> None:
    assert cohen_kappa([1, 1, 1, 1], [1, 2, 1, 2], [1, 2]).value == pytest.approx(0.0)


def test_perfect_agreement_claims_no_certainty() -> None:
    estimate = cohen_kappa([1, 2, 1, 2], [1, 2, 1, 2], [1, 2]).estimate()
    assert (estimate.value, estimate.se, estimate.low) == (1.0, 0.0, None)
    assert estimate.method == "none: no variation between groups"


def test_wrong_input() -> None:
    with pytest.raises(InputError, match="outside the declared scale"):
        cohen_kappa([1, 2], [1, 3], [1, 2])
    with pytest.raises(ValueError, match="length"):
        cohen_kappa([1, 2], [1], [1, 2])
    with pytest.raises(ValueError, match="finite"):
        cohen_kappa([1, math.nan], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="square"):
        kappa_inference([[1, 2, 3], [1, 2, 3]])
    with pytest.raises(ValueError, match="positive sum"):
        kappa_inference([[0, 0], [0, 0]])


def test_marginals_limit_kappa() -> None:
    assert kappa_maximum([[5, 0], [0, 5]]) == pytest.approx(1.0)
    limit = kappa_maximum([[40, 30], [0, 30]])
    assert limit == pytest.approx(kappa_inference([[40, 30], [0, 30]]).value)
    assert kappa_maximum([[3, 0], [0, 0]]) is None


def test_null_error_is_absent_for_a_constant_rater() -> None:
    found = kappa_inference([[5, 0], [3, 0]])
    assert (found.ase0, found.z, found.p) == (None, None, None)
