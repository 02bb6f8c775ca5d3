"""Features chosen inside of what is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.stats.rank_correlation import spearman
from evalharness.stats.ridge import CrossFitted, Ridge
from evalharness.stats.selection import cross_fit_selected, fit_selected, forward_selection
from evalharness.stats.unfitted import Unfitted

GROUPS = np.repeat(np.arange(40), 3)


def data(k: int = 30, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(GROUPS.size, k))
    return x, 2 * x[:, 4] - x[:, 5] + 0.5 * rng.normal(size=GROUPS.size)


def test_the_features_that_count_are_taken_in_order():
    x, y = data()
    chosen = forward_selection(x, y, GROUPS)
    assert chosen[:2] == (4, 5)
    assert len(chosen) <= 12


def test_order_of_items_and_scale_of_features_change_nothing():
    x, y = data()
    scaled = x * np.linspace(1, 9, x.shape[1]) + 5
    assert forward_selection(scaled, y, GROUPS) == forward_selection(x, y, GROUPS)


def test_features_left_out_have_no_weight():
    x, y = data()
    fit = fit_selected(x, y, GROUPS)
    assert isinstance(fit, Ridge)
    chosen = set(forward_selection(x, y, GROUPS))
    assert {i for i, weight in enumerate(fit.weights) if weight} == chosen
    assert spearman(fit.predict(x), y).value > 0.95


def test_noise_gives_the_mean_and_no_agreement_on_held_out_groups():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(GROUPS.size, 60)), rng.normal(size=GROUPS.size)
    crossed = cross_fit_selected(x, y, GROUPS)
    assert isinstance(crossed, CrossFitted)
    honest = np.corrcoef(crossed.predictions, y)[0, 1]
    # What a choice with sight of all items pretends to.
    best = np.argsort(-np.abs([np.corrcoef(column, y)[0, 1] for column in x.T]))[:8]
    flattered = np.corrcoef(np.linalg.lstsq(x[:, best], y, rcond=None)[0] @ x[:, best].T, y)[0, 1]
    assert honest < 0.2 < flattered
    constant = fit_selected(np.zeros((GROUPS.size, 2)), y, GROUPS)
    assert isinstance(constant, Ridge)
    assert constant.predict(np.zeros((1, 2)))[0] == pytest.approx(y.mean())


def test_held_out_groups_are_not_seen():
    x, y = data()
    crossed = cross_fit_selected(x, y, GROUPS, folds=5)
    fold = crossed.folds == 0
    again = cross_fit_selected(x, np.where(fold, 100.0, y), GROUPS, folds=5)
    assert again.predictions[fold] == pytest.approx(crossed.predictions[fold])


def test_one_group_can_not_be_split():
    x, y = data()
    for found in (forward_selection(x, y, np.zeros(y.size)), cross_fit_selected(x, y, np.zeros(y.size))):
        assert isinstance(found, Unfitted)


def test_errors_of_all_sets_at_once_are_those_of_single_fits():
    from evalharness.stats.ridge import PENALTIES, fit_ridge
    from evalharness.stats.selection import _Fold

    x, y = data(6)
    held = GROUPS < 8
    sets = np.array([[0, 4], [4, 5], [2, 3]])
    found = _Fold.of(x, y, held).errors(sets)
    for errors, columns in zip(found, sets, strict=True):
        for error, penalty in zip(errors, PENALTIES[::2], strict=True):
            predicted = fit_ridge(x[~held][:, columns], y[~held], penalty).predict(x[held][:, columns])
            assert error == pytest.approx(((predicted - y[held]) ** 2).sum())
