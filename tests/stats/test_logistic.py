import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.logistic import LogisticFit, fit_logistic
from evalharness.stats.unfitted import Unfitted


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.stack([np.ones(n), rng.normal(size=n), rng.normal(size=n)], axis=1)
    p = 1 / (1 + np.exp(-(x @ [0.3, 0.8, -0.5])))
    return x, (rng.random(n) < p).astype(float), rng.integers(0, 25, n)


def fitted(result: LogisticFit | Unfitted) -> LogisticFit:
    assert isinstance(result, LogisticFit)
    return result


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_statsmodels(seed: int) -> None:
    sm = pytest.importorskip("statsmodels.api")
    x, y, groups = data(300, seed)
    ours = fitted(fit_logistic(x, y, groups))
    model = sm.GLM(y, x, family=sm.families.Binomial())
    plain = model.fit(tol=1e-12)
    clustered = model.fit(tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True})
    assert ours.coefficients == pytest.approx(plain.params, abs=1e-7)
    assert ours.model_covariance == pytest.approx(plain.cov_params(), rel=1e-5)
    assert ours.covariance == pytest.approx(clustered.cov_params() * (300 - 3) / (300 - 1), rel=1e-4)


def test_halves_are_half_a_win_and_half_a_loss() -> None:
    x, y, _ = data(120)
    y[:40] = 0.5
    doubled_x = np.vstack([x, x])
    doubled_y = np.concatenate([np.where(y == 0.5, 1.0, y), np.where(y == 0.5, 0.0, y)])
    ours, twice = fitted(fit_logistic(x, y)), fitted(fit_logistic(doubled_x, doubled_y))
    assert ours.coefficients == pytest.approx(twice.coefficients, abs=1e-8)


def test_intercept_alone_is_the_mean() -> None:
    y = np.array([1, 1, 1, 0, 0.5])
    fit = fitted(fit_logistic(np.ones((5, 1)), y))
    p = fit.probability([1.0])
    assert p.value == pytest.approx(0.7)
    assert p.se == pytest.approx(y.std(ddof=1) / np.sqrt(5))
    assert 0 < p.low < 0.7 < p.high < 1


@given(st.integers(0, 1000))
def test_flipping_outcomes_flips_signs(seed: int) -> None:
    x, y, groups = data(80, seed)
    one, other = fit_logistic(x, y, groups), fit_logistic(x, 1 - y, groups)
    if isinstance(one, LogisticFit) and isinstance(other, LogisticFit):
        assert one.coefficients == pytest.approx(-other.coefficients, abs=1e-6)
        assert one.covariance == pytest.approx(other.covariance, rel=1e-5, abs=1e-9)


def test_no_finite_fit_is_said() -> None:
    x = np.stack([np.ones(6), np.arange(6.0)], axis=1)
    separated = fit_logistic(x, [0, 0, 0, 1, 1, 1])
    assert isinstance(separated, Unfitted)
    assert "separated" in separated.reason
    collinear = fit_logistic(np.ones((6, 2)), [0, 1, 0, 1, 1, 1])
    assert isinstance(collinear, Unfitted)
    assert "collinear" in collinear.reason
    assert isinstance(fit_logistic(x[:2], [0, 1]), Unfitted)
    assert isinstance(fit_logistic(np.ones((9, 1)), np.ones(9)), Unfitted)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(0, 5)), min_size=0, max_size=10),
    st.sampled_from([1.0, 1e-3, 1e6]),
)
def test_small_integers_give_an_error_or_a_reason(rows: list[tuple[int, int, int]], unit: float) -> None:
    x = np.array([[1.0, a * unit] for a, _, _ in rows]).reshape(-1, 2)
    fit = fit_logistic(x, [y / 4 for _, y, _ in rows], [g for _, _, g in rows])
    if isinstance(fit, Unfitted):
        assert fit.reason
        return
    for found in (fit.coefficient(0), fit.coefficient(1), fit.probability([1.0, 0.0])):
        assert np.isfinite(found.require())
        assert found.method == "none: a single group" if found.se is None else np.isfinite(found.se)


def test_two_values_of_a_predictor_one_of_them_once() -> None:
    """The residual at the lone value is 0 by the fit, so its variance came out as rounding on either side of 0."""
    x = np.stack([np.ones(4), [0.0, -1, -1, -1]], axis=1)
    fit = fit_logistic(x, [0.5, 0.5, 1.0, 0.5])
    assert isinstance(fit, Unfitted)
    assert "one group alone" in fit.reason
    again = fitted(fit_logistic(np.vstack([x, [1.0, 0.0]]), [0.5, 0.5, 1.0, 0.5, 1.0]))
    assert again.probability([1.0, 0.0]).value == pytest.approx(0.75)
    assert again.probability([1.0, 0.0]).se > 0.0


def test_outcomes_alike_have_no_interval() -> None:
    p = fitted(fit_logistic(np.ones((5, 1)), np.full(5, 0.25))).probability([1.0])
    assert (p.value, p.se, p.low) == (pytest.approx(0.25), 0.0, None)


def test_single_group_has_no_interval() -> None:
    fit = fitted(fit_logistic(np.ones((4, 1)), [1, 0, 1, 1], ["g"] * 4))
    assert fit.coefficient(0).low is None
    assert fit.probability([1.0]).value == pytest.approx(0.75)
    assert fit.probability([1.0]).low is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_logistic(np.ones((3, 1)), [0, 1, 2])
    with pytest.raises(ValueError, match="design"):
        fit_logistic(np.ones((2, 1)), [0, 1, 1])
