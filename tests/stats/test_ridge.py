import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.folds import assign_folds
from evalharness.stats.ridge import CrossFitted, choose_penalty, cross_fit, fit_ridge
from evalharness.stats.unfitted import Unfitted


def data(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) * [1, 10, 0.1, 1, 1] + [0, 50, 3, 0, 0]
    y = 2 + x[:, 0] + 0.05 * x[:, 1] + rng.normal(0, 0.5, n)
    return x, y, np.arange(n) % 20


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 1.0])
def test_agrees_with_scikit_learn(penalty: float) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, y, _ = data()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    alpha = penalty * np.linalg.svd(z, compute_uv=False)[0] ** 2
    theirs = linear.Ridge(alpha=alpha).fit(z, y)
    ours = fit_ridge(x, y, penalty)
    assert ours.weights == pytest.approx(theirs.coef_, rel=1e-9)
    assert ours.predict(x) == pytest.approx(theirs.predict(z), rel=1e-9)


def test_tiny_penalty_is_least_squares() -> None:
    x, y, _ = data()
    design = np.hstack([np.ones((120, 1)), x])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert fit_ridge(x, y, 1e-12).predict(x) == pytest.approx(expected, abs=1e-8)


@given(st.floats(0.01, 100), st.floats(-50, 50), st.floats(1e-3, 1.0))
def test_units_of_features_do_not_matter(factor: float, shift: float, penalty: float) -> None:
    x, y, _ = data(40)
    assert fit_ridge(x * factor + shift, y, penalty).predict(x * factor + shift) == pytest.approx(
        fit_ridge(x, y, penalty).predict(x), abs=1e-6
    )


def test_target_scale_carries_over() -> None:
    x, y, _ = data()
    assert fit_ridge(x, 4 * y + 1, 0.1).predict(x) == pytest.approx(4 * fit_ridge(x, y, 0.1).predict(x) + 1)


def test_constant_and_duplicate_features_do_no_harm() -> None:
    x, y, _ = data()
    padded = np.hstack([x, np.full((120, 1), 7.0), x[:, :1]])
    fit = fit_ridge(padded, y, 0.01)
    assert fit.weights[5] == 0.0
    assert fit.weights[0] == pytest.approx(fit.weights[6])
    assert fit_ridge(np.ones((9, 2)), np.arange(9.0), 0.1).predict(np.ones((2, 2))) == pytest.approx(
        [4.0, 4.0]
    )


def test_chosen_penalty_suits_the_data() -> None:
    x, y, groups = data(400)
    assert choose_penalty(x, y, groups) < 0.1
    noise = np.random.default_rng(1).normal(size=400)
    assert choose_penalty(x, noise, groups) > 1.0


def test_predictions_never_saw_the_group() -> None:
    """A feature that names the group predicts perfectly in sample and not at all out of group."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 8)
    level = rng.normal(size=30)
    x = np.eye(30)[groups]
    y = level[groups] + rng.normal(0, 0.1, 240)
    in_sample = fit_ridge(x, y, 1e-6).predict(x)
    held_out = cross_fit(x, y, groups)
    assert isinstance(held_out, CrossFitted)
    assert np.corrcoef(in_sample, y)[0, 1] > 0.95
    assert np.corrcoef(held_out.predictions, y)[0, 1] < 0.3
    leaky = cross_fit(x, y)  # folds by item let the group through
    assert isinstance(leaky, CrossFitted)
    assert np.corrcoef(leaky.predictions, y)[0, 1] > 0.9


def test_changing_a_fold_does_not_change_its_own_predictions() -> None:
    x, y, groups = data()
    before = cross_fit(x, y, groups)
    assert isinstance(before, CrossFitted)
    held = before.folds == 0
    changed = np.where(held, y + 100.0, y)
    after = cross_fit(x, changed, groups)
    assert isinstance(after, CrossFitted)
    assert after.predictions[held] == pytest.approx(before.predictions[held])


@given(st.integers(2, 30), st.integers(2, 12), st.integers(0, 5))
def test_folds_keep_groups_whole_and_are_balanced(groups: int, folds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), rng.integers(1, 9, groups))
    assigned = assign_folds(codes, codes.size, folds=folds, seed=seed)
    assert not isinstance(assigned, Unfitted)
    assert all(np.unique(assigned[codes == g]).size == 1 for g in range(groups))
    sizes = np.bincount(assigned)
    assert sizes.size == min(folds, groups)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= 8
    order = rng.permutation(codes.size)
    again = assign_folds(codes[order], codes.size, folds=folds, seed=seed)
    assert np.array_equal(again, assigned[order])


def test_what_cannot_be_split_is_said() -> None:
    x, y, _ = data(10)
    one_group = cross_fit(x, y, np.zeros(10))
    assert isinstance(one_group, Unfitted)
    assert "two groups" in one_group.reason
    assert isinstance(choose_penalty(x, y, np.zeros(10)), Unfitted)
    assert isinstance(cross_fit(x, y, np.arange(10) % 2), CrossFitted)
    with pytest.raises(ValueError, match="observations"):
        fit_ridge(np.zeros((0, 2)), [], 0.1)
    with pytest.raises(ValueError, match="rows"):
        fit_ridge(np.zeros((3, 2)), [1.0], 0.1)
    with pytest.raises(ValueError, match="finite"):
        fit_ridge(np.full((3, 2), np.nan), [1.0, 2.0, 3.0], 0.1)


def test_extrapolation_is_seen() -> None:
    x, y, _ = data()
    fit = fit_ridge(x, y, 0.1)
    assert not fit.outside(x).any()
    far = x.copy()
    far[0, 3] = 99.0
    assert fit.outside(far).sum() == 1
