import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.ordinal_logit import OrdinalLogit, cross_fitted_ordinal, fit_ordinal_logit
from evalharness.stats.unfitted import Unfitted

LEVELS = [1, 2, 3, 4, 5]


def data(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, np.clip(np.round(3 + x + rng.logistic(size=n)), 1, 5)


def fitted(result: OrdinalLogit | Unfitted) -> OrdinalLogit:
    assert isinstance(result, OrdinalLogit)
    return result


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_statsmodels(seed: int) -> None:
    ordinal = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    x, y = data(300, seed)
    model = ordinal.OrderedModel(y.astype(int), x[:, None], distr="logit").fit(
        method="bfgs", disp=0, gtol=1e-8
    )
    fit = fitted(fit_ordinal_logit(x, y, LEVELS))
    probe = np.linspace(-4, 4, 30)
    assert fit.probabilities(probe) == pytest.approx(model.predict(probe[:, None]), abs=1e-5)
    assert (fit.slope / fit.scale)[0] == pytest.approx(model.params[0], abs=1e-4)


def test_two_levels_are_logistic_regression() -> None:
    from evalharness.stats.logistic import LogisticFit, fit_logistic

    x, y = data()
    good = (y >= 4).astype(float)
    plain = fit_logistic(np.stack([np.ones_like(x), x], axis=1), good)
    assert isinstance(plain, LogisticFit)
    fit = fitted(fit_ordinal_logit(x, good, [0, 1]))
    assert (fit.slope / fit.scale)[0] == pytest.approx(plain.coefficients[1], abs=1e-6)


@given(st.integers(0, 300))
def test_gradient_is_that_of_the_likelihood(seed: int) -> None:
    from evalharness.stats.ordinal_logit import _Likelihood

    rng = np.random.default_rng(seed)
    likelihood = _Likelihood(rng.normal(size=(30, 2)), rng.integers(0, 4, 30), 3, 0.3)
    beta = np.concatenate([np.sort(rng.normal(size=3)) + np.array([-0.1, 0, 0.1]), rng.normal(size=2)])
    gradient, hessian = likelihood.derivatives(beta)
    for k in range(5):
        step = np.zeros(5)
        step[k] = 1e-6
        slope = (likelihood.value(beta + step) - likelihood.value(beta - step)) / 2e-6
        assert gradient[k] == pytest.approx(slope, rel=1e-3, abs=1e-4)
        bend = (likelihood.derivatives(beta + step)[0] - likelihood.derivatives(beta - step)[0]) / 2e-6
        assert hessian[k] == pytest.approx(bend, rel=1e-3, abs=1e-3)


@given(st.integers(0, 200), st.floats(0.1, 100), st.floats(-50, 50))
def test_unit_of_the_score_does_not_matter(seed: int, factor: float, shift: float) -> None:
    x, y = data(80, seed)
    one = fitted(fit_ordinal_logit(x, y, LEVELS)).predict(x)
    other = fitted(fit_ordinal_logit(x * factor + shift, y, LEVELS)).predict(x * factor + shift)
    assert one == pytest.approx(other, abs=1e-5)


def test_probabilities_are_distributions_and_expectations_rise() -> None:
    x, y = data()
    fit = fitted(fit_ordinal_logit(x, y, LEVELS))
    probe = np.linspace(-30, 30, 50)
    p = fit.probabilities(probe)
    assert p.min() >= 0
    assert p.sum(axis=1) == pytest.approx(np.ones(50))
    assert np.all(np.diff(fit.predict(probe)) >= -1e-12)


def test_unseen_levels_get_no_probability() -> None:
    x, y = data()
    kept = y != 3
    fit = fitted(fit_ordinal_logit(x[kept], y[kept], LEVELS))
    assert fit.seen.tolist() == [0, 1, 3, 4]
    assert fit.probabilities(x)[:, 2].max() == 0.0


def test_separation_needs_a_penalty() -> None:
    x, y = [1, 2, 3, 4, 5, 6], [1, 1, 2, 2, 3, 3]
    assert isinstance(fit_ordinal_logit(x, y, LEVELS), Unfitted)
    fit = fitted(fit_ordinal_logit(x, y, LEVELS, penalty=0.5))
    assert fit.predict([6.0])[0] > fit.predict([1.0])[0]


def test_what_cannot_be_fitted_is_said() -> None:
    same = fit_ordinal_logit([1, 2, 3], [2, 2, 2], LEVELS)
    assert isinstance(same, Unfitted)
    assert same.reason == "all labels are the same"
    constant = fit_ordinal_logit([1, 1, 1], [1, 2, 2], LEVELS)
    assert isinstance(constant, Unfitted)
    assert isinstance(fit_ordinal_logit([], [], LEVELS), Unfitted)
    with pytest.raises(ValueError, match="declared"):
        fit_ordinal_logit([1, 2], [1, 6], LEVELS)
    with pytest.raises(ValueError, match="declared"):
        fit_ordinal_logit([1, 2], [1, 2.5], LEVELS)


def test_cross_fitted_probabilities() -> None:
    x, y = data()
    groups = np.arange(300) % 30
    p = cross_fitted_ordinal(x, y, LEVELS, groups)
    assert not isinstance(p, Unfitted)
    assert p.sum(axis=1) == pytest.approx(np.ones(300))
    assert np.corrcoef(p @ LEVELS, y)[0, 1] > 0.4
