import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.isotonic import Isotonic, cross_fitted_isotonic, fit_isotonic, pool_adjacent_violators
from evalharness.stats.unfitted import Unfitted

points = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=60)


def fitted(scores: object, labels: object) -> Isotonic:
    result = fit_isotonic(scores, labels)
    assert isinstance(result, Isotonic)
    return result


@given(points)
def test_agrees_with_scikit_learn(rows: list[tuple[int, int]]) -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    x, y = [float(a) for a, _ in rows], [float(b) for _, b in rows]
    theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(x, y)
    probe = np.linspace(-2, 14, 65)
    assert fitted(x, y).predict(probe) == pytest.approx(theirs.predict(probe), abs=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50))
def test_agrees_with_scipy(values: list[float]) -> None:
    from scipy.optimize import isotonic_regression

    ours = pool_adjacent_violators(values, np.ones(len(values)))
    assert ours == pytest.approx(isotonic_regression(values).x, abs=1e-9)


@given(points)
def test_fit_rises_and_keeps_the_mean(rows: list[tuple[int, int]]) -> None:
    x, y = [a for a, _ in rows], [b for _, b in rows]
    fit = fitted(x, y)
    assert np.all(np.diff(fit.y) >= 0)
    assert fit.predict(x).mean() == pytest.approx(np.mean(y))
    assert 1 <= fit.predict([-100.0])[0] <= fit.predict([100.0])[0] <= 5


@given(points)
def test_fitting_the_fit_changes_nothing(rows: list[tuple[int, int]]) -> None:
    x, y = [a for a, _ in rows], [b for _, b in rows]
    once = fitted(x, y).predict(x)
    assert fitted(x, once).predict(x) == pytest.approx(once)


def test_scores_outside_training_are_flagged() -> None:
    fit = fitted([1, 2, 3], [1, 2, 2])
    assert fit.outside([0.5, 1, 3, 3.1]).tolist() == [True, False, False, True]


def test_cross_fitting_leaves_the_group_out() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    x = rng.normal(size=100)
    y = x + rng.normal(size=100)
    before = cross_fitted_isotonic(x, y, groups)
    y[groups == 3] += 50
    after = cross_fitted_isotonic(x, y, groups)
    assert after[groups == 3] == pytest.approx(before[groups == 3])


def test_nothing_to_fit() -> None:
    assert isinstance(fit_isotonic([], []), Unfitted)
    assert isinstance(cross_fitted_isotonic([1, 2], [1, 2], ["g", "g"]), Unfitted)
