import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.sandwich import inverse_information, rests_on_one_group, robust_interval, sandwich

MATRICES = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(-3, 3), min_size=k, max_size=k), min_size=k + 2, max_size=8)
)


@given(MATRICES)
def test_information_is_inverted_or_found_singular(rows: list[list[int]]) -> None:
    x = np.array(rows, dtype=float)
    inverse = inverse_information(x.T @ x)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        assert inverse is None
    else:
        assert inverse @ (x.T @ x) == pytest.approx(np.eye(x.shape[1]), abs=1e-8)


def test_units_do_not_make_a_matrix_singular() -> None:
    units = np.diag([1e-9, 1.0, 1e9])
    information = units @ np.array([[2.0, 1, 0], [1, 2, 1], [0, 1, 2]]) @ units
    back = units @ inverse_information(information) @ units
    assert back == pytest.approx(np.linalg.inv([[2.0, 1, 0], [1, 2, 1], [0, 1, 2]]))
    assert inverse_information(np.array([[1.0, 1.0], [1.0, 1.0 + 1e-12]])) is None
    assert inverse_information(np.array([[1.0, 0.0], [0.0, 0.0]])) is None
    assert inverse_information(np.array([[np.nan]])) is None


def test_a_group_that_alone_holds_a_coefficient_is_found() -> None:
    two_levels = np.array([[1.0, 0], [1, 1], [1, 1], [1, 1]])
    assert rests_on_one_group(two_levels, np.arange(4), 4)
    assert not rests_on_one_group(np.vstack([two_levels, [1.0, 0]]), np.arange(5), 5)
    assert rests_on_one_group(np.vstack([two_levels, [1.0, 0]]), np.array([0, 1, 2, 3, 0]), 4)


def test_an_error_that_is_rounding_is_no_interval() -> None:
    scores = np.array([[1e-16], [-1e-16], [2e-16]])
    errors = sandwich(np.array([[1.0]]), scores)
    assert errors.error(np.array([1.0])) == 0.0
    found = robust_interval(0.5, 0.0, n=3, groups=3, level=0.95)
    assert (found.se, found.low, found.method) == (0.0, None, "none: no variation between groups")
    assert sandwich(np.array([[1.0]]), scores[:1]).error(np.array([1.0])) is None
