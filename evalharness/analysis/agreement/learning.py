"""A judge learned from labels: one ridge regression a criterion, and how well it does on what it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from evalharness.core.fitted import FittedCriterion
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.averaging import pooled
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.ridge import CrossFitted, Ridge, choose_penalty, cross_fit, fit_ridge
from evalharness.stats.selection import cross_fit_selected, fit_selected
from evalharness.stats.unfitted import Unfitted

MIN_ITEMS = 20
_MIN_SYSTEMS = 3
_CURVE = (20, 40, 60, 100, 200, 400, 800, 1600)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Mean Spearman on held-out groups after learning from about ``labels`` labelled items."""

    labels: int
    spearman: float


@dataclass(frozen=True, slots=True)
class Learned:
    """A criterion's model with what to expect of it.

    by_group, by_system: Spearman with the raters' mean of predictions by models that never saw the item's group, or
    its system. length: that of the length of the reply. outside: share of held-out items with a feature outside of the
    range that the fit had seen. curve: by number of labels. alone: the Spearman of each other scorer that it builds on,
    on the same items. selected: whether features were chosen within the fit; they were then chosen anew, without the
    held-out items, for every figure here.
    """

    criterion: str
    model: FittedCriterion
    weights: tuple[tuple[str, float], ...]
    by_group: Estimate
    by_system: Estimate
    length: Estimate
    outside: float
    curve: tuple[CurvePoint, ...]
    alone: tuple[tuple[str, Estimate], ...] = ()
    selected: bool = False


def learn(
    criterion: str,
    names: tuple[str, ...],
    features: FloatArray,
    target: FloatArray,
    groups: IntArray,
    systems: IntArray | None,
    lengths: FloatArray,
    *,
    scores: int = 0,
    select: bool = False,
    seed: int = 0,
) -> Learned | Unfitted:
    """The fit of labels (n,) on features (n, k), and its agreement on held-out groups and systems.

    The last ``scores`` features are other scorers' values. With ``select`` the fit chooses among its features.
    """
    if target.size < MIN_ITEMS:
        return Unfitted(f"{target.size} labelled items; at least {MIN_ITEMS} are needed", target.size)
    if np.ptp(target) == 0:
        return Unfitted(
            f"all {target.size} labelled items are rated {target[0]:.4g}: there is nothing to learn",
            target.size,
        )
    method = _SELECTED if select else _PLAIN
    crossed = method.cross_fit(features, target, groups, seed=seed)
    fit = method.fit(features, target, groups, seed=seed)
    if isinstance(crossed, Unfitted):
        return crossed
    if isinstance(fit, Unfitted):
        return fit
    order = sorted(zip(names, fit.weights.tolist(), strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
    return Learned(
        criterion,
        _criterion(fit, target),
        tuple(order),
        pooled(spearman, crossed.predictions, target, groups).estimate,
        _by_system(method, features, target, groups, systems, seed),
        pooled(spearman, lengths, target, groups).estimate,
        _outside(features[:, fit.weights != 0.0], crossed.folds),
        _curve(method, features, target, groups, seed),
        _alone(names, features, target, groups, scores),
        select,
    )


def _alone(
    names: tuple[str, ...], features: FloatArray, target: FloatArray, groups: IntArray, scores: int
) -> tuple[tuple[str, Estimate], ...]:
    first = features.shape[1] - scores
    return tuple(
        (names[i], pooled(spearman, features[:, i], target, groups).estimate)
        for i in range(first, features.shape[1])
    )


class _Fit(Protocol):
    def __call__(
        self, features: ArrayLike, target: ArrayLike, groups: ArrayLike | None, *, seed: int
    ) -> Ridge | Unfitted: ...


class _CrossFit(Protocol):
    def __call__(
        self, features: ArrayLike, target: ArrayLike, groups: ArrayLike | None, *, seed: int
    ) -> CrossFitted | Unfitted: ...


@dataclass(frozen=True, slots=True)
class _Method:
    """One way of fitting, how it is checked on held-out groups, and how often for a learning curve."""

    fit: _Fit
    cross_fit: _CrossFit
    repeats: int


def _fit_all(
    features: ArrayLike, target: ArrayLike, groups: ArrayLike | None, *, seed: int
) -> Ridge | Unfitted:
    penalty = choose_penalty(features, target, groups, seed=seed)
    return penalty if isinstance(penalty, Unfitted) else fit_ridge(features, target, penalty)


_PLAIN = _Method(_fit_all, cross_fit, 10)
_SELECTED = _Method(fit_selected, cross_fit_selected, 4)


def _criterion(fit: Ridge, target: FloatArray) -> FittedCriterion:
    vectors = (fit.weights, fit.centre, fit.scale, fit.low, fit.high)
    weights, centre, scale, low, high = (tuple(float(x) for x in vector) for vector in vectors)
    return FittedCriterion(
        fit.intercept, weights, centre, scale, low, high, float(target.min()), float(target.max()), fit.n
    )


def _by_system(
    method: _Method,
    features: FloatArray,
    target: FloatArray,
    groups: IntArray,
    systems: IntArray | None,
    seed: int,
) -> Estimate:
    count = 0 if systems is None else int(np.unique(systems).size)
    if systems is None or count < _MIN_SYSTEMS:
        return undefined(
            f"the data name {count} systems; {_MIN_SYSTEMS} are needed to hold one out", n=target.size
        )
    crossed = method.cross_fit(features, target, systems, seed=seed)
    if isinstance(crossed, Unfitted):
        return undefined(crossed.reason, n=target.size)
    return pooled(spearman, crossed.predictions, target, groups).estimate


def _outside(features: FloatArray, folds: IntArray) -> float:
    outside: BoolArray = np.zeros(len(features), dtype=bool)
    for fold in np.unique(folds):
        held = folds == fold
        low, high = features[~held].min(axis=0), features[~held].max(axis=0)
        outside[held] = ((features[held] < low) | (features[held] > high)).any(axis=1)
    return float(outside.mean())


def _curve(
    method: _Method, features: FloatArray, target: FloatArray, groups: IntArray, seed: int
) -> tuple[CurvePoint, ...]:
    """Agreement on the other groups after learning from random groups with the wanted number of labels."""
    points = []
    for wanted in _CURVE:
        if wanted > 0.7 * target.size:
            break
        rng = np.random.default_rng(seed)
        found = [_once(method, features, target, groups, wanted, rng) for _ in range(method.repeats)]
        known = [value for value in found if value is not None]
        if known:
            points.append(CurvePoint(wanted, float(np.mean(known))))
    return tuple(points)


def _once(
    method: _Method,
    features: FloatArray,
    target: FloatArray,
    groups: IntArray,
    wanted: int,
    rng: np.random.Generator,
) -> float | None:
    order = rng.permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups, minlength=order.size)
    taken = order[: int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1]
    train = np.isin(groups, taken)
    if train.all():
        return None
    fit = method.fit(features[train], target[train], groups[train], seed=0)
    return (
        None if isinstance(fit, Unfitted) else spearman(fit.predict(features[~train]), target[~train]).value
    )
