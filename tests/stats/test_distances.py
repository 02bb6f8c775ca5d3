import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.errors import InputError
from evalharness.stats.categories import MISSING, code_labels, cross_table, declared, rating_counts
from evalharness.stats.distances import (
    Metric,
    Weights,
    agreement_weights,
    from_disagreement,
    squared_distance,
)

scales = st.lists(st.integers(1, 40), min_size=2, max_size=7, unique=True).map(sorted)


def test_named_weights_of_a_three_point_scale() -> None:
    """irrCAC overview vignette, weights of 1:3."""
    root = 1 - 1 / np.sqrt(2)
    ratio = (1 / 5) ** 2 / (2 / 4) ** 2
    expected = {
        "identity": [0, 0, 0],
        "linear": [0.5, 0.5, 0],
        "quadratic": [0.75, 0.75, 0],
        "ordinal": [2 / 3, 2 / 3, 0],
        "radical": [root, root, 0],
        "ratio": [1 - (1 / 3) ** 2 / (2 / 4) ** 2, 1 - ratio, 0],
        "circular": [0, 0, 0],
        "bipolar": [2 / 3, 2 / 3, 0],
    }
    for name, (w12, w23, w13) in expected.items():
        w = agreement_weights(name, [1, 2, 3])
        assert [w[0, 1], w[1, 2], w[0, 2]] == pytest.approx([w12, w23, w13], abs=1e-12), name


@settings(max_examples=40)
@given(scales, st.sampled_from(list(Weights)))
def test_weights_are_agreement(scale: list[int], family: Weights) -> None:
    w = agreement_weights(family, scale)
    assert np.diag(w) == pytest.approx(np.ones(len(scale)))
    assert w == pytest.approx(w.T)
    assert w.min() >= -1e-12
    assert w.max() <= 1 + 1e-12


@settings(max_examples=40)
@given(scales, st.integers(1, 9))
def test_linear_and_quadratic_do_not_see_unit_and_zero(scale: list[int], unit: int) -> None:
    for family in (Weights.LINEAR, Weights.QUADRATIC):
        moved = agreement_weights(family, np.array(scale) * unit + 5.0)
        assert moved == pytest.approx(agreement_weights(family, scale))


def test_unused_levels_widen_the_scale() -> None:
    assert agreement_weights("linear", [1, 2, 5])[0, 1] == pytest.approx(0.75)


def test_custom_weights_are_checked() -> None:
    with pytest.raises(ValueError, match="3 x 3"):
        agreement_weights(np.eye(2), [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        agreement_weights(np.full((2, 2), np.nan), [1, 2])
    assert from_disagreement([[0, 2], [4, 0]]).tolist() == [[1.0, 0.5], [0.0, 1.0]]
    with pytest.raises(ValueError, match="positive"):
        from_disagreement([[0, 0], [0, 0]])


def test_squared_distances() -> None:
    zero, levels = np.zeros(3), np.array([0.0, 1.0, 3.0])
    assert squared_distance(Metric.NOMINAL, zero, levels).tolist() == [0, 1, 1]
    assert squared_distance(Metric.INTERVAL, zero, levels).tolist() == [0, 1, 9]
    assert squared_distance(Metric.RATIO, np.ones(3), levels).tolist() == [1, 0, 0.25]
    assert squared_distance(Metric.RATIO, zero, zero).tolist() == [0, 0, 0]
    for first, second in ((-1.0, 2.0), (2.0, -1.0), (-1.0, -1.0), (-1.0, 0.0)):
        with pytest.raises(ValueError, match="negative"):
            squared_distance(Metric.RATIO, np.array([first]), np.array([second]))
    with pytest.raises(ValueError, match="frequencies"):
        squared_distance(Metric.ORDINAL, zero, levels)


def test_labels_outside_the_scale_are_an_error_not_a_class() -> None:
    """A published tool mapped winners "2" to class 0 because they were not on its list; its kappas are wrong."""
    with pytest.raises(InputError, match="outside the declared scale: 2, 7") as caught:
        code_labels([0, 1, 2, 7, 7], [0, 1])
    assert "The scale has 0, 1" in str(caught.value)
    with pytest.raises(InputError, match=r"2\.5"):
        code_labels([1, 2.5], [1, 2, 3])
    with pytest.raises(InputError, match="…"):
        code_labels(np.arange(100.0), [0, 1])


def test_labels_are_matched_up_to_rounding() -> None:
    codes = code_labels([[0.1 + 0.2, np.nan], [0.3, 0.1]], [0.1, 0.3])
    assert codes.tolist() == [[1, MISSING], [1, 0]]


@pytest.mark.parametrize("scale", [[1], [1, 1], [1, np.nan], [[1, 2]]])
def test_a_scale_needs_two_distinct_levels(scale: list[float]) -> None:
    with pytest.raises(ValueError, match=r"levels|finite|vector"):
        declared(scale)


def test_counts_and_table() -> None:
    counts = rating_counts([[1, 1, np.nan], [3, 2, 3], [np.nan] * 3], [1, 2, 3])
    assert counts.tolist() == [[2, 0, 0], [0, 1, 2], [0, 0, 0]]
    assert cross_table(np.array([0, 0, 1]), np.array([0, 1, 1]), 3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]
