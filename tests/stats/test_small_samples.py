"""Every fit on small whole numbers, where columns coincide and nothing varies: finite figures or a reason, no warning."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.bland_altman import bland_altman
from evalharness.stats.calibration import calibration_error, reliability_bins
from evalharness.stats.conformal import held_out_coverage, split_conformal
from evalharness.stats.debias import post_stratified_mean, ppi_mean, weighted_mean
from evalharness.stats.isotonic import cross_fitted_isotonic, fit_isotonic
from evalharness.stats.labelled_sample import LabelledSample
from evalharness.stats.marginal_homogeneity import clustered_marginal_homogeneity
from evalharness.stats.ordinal_logit import OrdinalLogit, cross_fitted_ordinal, fit_ordinal_logit
from evalharness.stats.ridge import choose_penalty, cross_fit
from evalharness.stats.rogan_gladen import clustered_rogan_gladen
from evalharness.stats.selection import fit_selected
from evalharness.stats.variance_components import variance_components

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

LEVELS = np.arange(4.0)
SMALL = st.integers(0, 3)
ROWS = st.lists(st.tuples(SMALL, SMALL, st.integers(0, 4)), max_size=10)
Rows = list[tuple[int, int, int]]
few = settings(max_examples=40)


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, groups = (np.array([row[k] for row in rows], dtype=float) for k in range(3))
    return x, y, groups.astype(int)


def odd(found: Any) -> list[Any]:
    """Every number in a result that is not finite."""
    if dataclasses.is_dataclass(found):
        return [n for field in dataclasses.fields(found) for n in odd(getattr(found, field.name))]
    if isinstance(found, list | tuple):
        return [n for one in found for n in odd(one)]
    if isinstance(found, np.ndarray):
        return found[~np.isfinite(found)].tolist() if found.dtype.kind == "f" else []
    return [found] if isinstance(found, float) and not math.isfinite(found) else []


@few
@given(ROWS, st.sampled_from([0.0, 0.1]))
def test_ordinal_logit(rows: Rows, penalty: float) -> None:
    x, y, groups = columns(rows)
    twice = np.stack([x, 2 * x], axis=1)
    for features in (x, twice):
        fit = fit_ordinal_logit(features, y, LEVELS, penalty=penalty)
        assert odd(fit) == []
        if isinstance(fit, OrdinalLogit):
            assert odd(fit.probabilities(features)) == []
    assert odd(cross_fitted_ordinal(x, y, LEVELS, groups, penalty=penalty)) == []


@few
@given(ROWS)
def test_ridge(rows: Rows) -> None:
    x, y, groups = columns(rows)
    features = np.stack([x, 2 * x, np.zeros_like(x), x[::-1]], axis=1)
    for fit in (choose_penalty, cross_fit, fit_selected):
        assert odd(fit(features, y, groups)) == []


@few
@given(ROWS)
def test_calibration(rows: Rows) -> None:
    x, y, groups = columns(rows)
    weights = 1.0 + groups
    found = [
        fit_isotonic(x, y, weights),
        cross_fitted_isotonic(x, y, groups, weights=weights),
        calibration_error(x, y, groups, weights=weights, draws=20),
        reliability_bins(x, y, groups, weights=weights),
        split_conformal(x, y, groups),
        held_out_coverage(x, y, groups),
    ]
    assert odd(found) == []


@few
@given(ROWS, st.integers(0, 10), st.booleans(), st.booleans())
def test_debiased_means(rows: Rows, labelled: int, clustered: bool, bounded: bool) -> None:
    x, y, groups = columns(rows)
    known = np.arange(x.size) < labelled
    scale = (0.0, 3.0) if bounded else None
    own = {"groups": groups[known], "rest_groups": groups[~known]} if clustered else {}
    sample = LabelledSample.of(y[known], x[known], x[~known], scale=scale, **own)
    found = [ppi_mean(sample), post_stratified_mean(sample), post_stratified_mean(sample, strata=2)]
    chance = np.where(groups > 2, 0.1, 1.0)
    found.append(weighted_mean(y, x, known, chance, groups=groups if clustered else None, scale=scale))
    assert odd(found) == []
    rate = clustered_rogan_gladen(x[known] > 1, y[known] > 1, x[~known] > 1, groups[known], groups[~known])
    assert odd(rate) == []


@few
@given(ROWS)
def test_spreads_and_marginals(rows: Rows) -> None:
    x, y, groups = columns(rows)
    found = [
        bland_altman(x, y, groups),
        clustered_marginal_homogeneity(x, y, LEVELS, groups),
        variance_components(x, groups),
    ]
    assert odd(found) == []
