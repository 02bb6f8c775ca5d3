"""Statistics that the catalogue of pair statistics does not hold: of classes, of differences, of systems, and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from evalharness.analysis.agreement.measured import Measured
from evalharness.analysis.agreement.names import BLAND_ALTMAN, RANK, WITHIN
from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.sides import Sides
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import Grouping
from evalharness.stats.bland_altman import BlandAltman, bland_altman
from evalharness.stats.categories import code_labels, cross_table
from evalharness.stats.confusion import Confusion, confusion
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.marginal_homogeneity import bowker, clustered_marginal_homogeneity, stuart_maxwell
from evalharness.stats.pairwise_accuracy import tie_calibrated_accuracy, tie_calibrated_accuracy_pooled
from evalharness.stats.rates import share_interval
from evalharness.stats.significance import Significance
from evalharness.stats.soft_pairwise import soft_pairwise_accuracy

_TESTS: Mapping[str, Callable[[FloatArray], Significance]] = {
    "bowker": bowker,
    "stuart_maxwell": stuart_maxwell,
}


def extra(name: str, sides: Sides, grouping: Grouping, level: float) -> Measured:
    """One of the statistics of ``EXTRA`` on items that have both a judge's value and a rating."""
    n = sides.judge.size
    if name in RANK and sides.scale.nominal:
        return Measured(undefined("a nominal scale has no order", n=n, level=level))
    if name == "tie_calibrated_accuracy":
        return Measured(_tie_calibrated(sides, grouping, level))
    if name == "soft_pairwise_accuracy":
        return Measured(_soft_pairwise(sides, grouping, level))
    if grouping is not Grouping.POOLED:
        return Measured(undefined(f"{name} is pooled only", n=n, level=level))
    if name in WITHIN:
        return Measured(_within(name, sides, level))
    if name in BLAND_ALTMAN:
        return Measured(_bland_altman(name, sides, level))
    classes = sides.classes
    if isinstance(classes, str):
        return Measured(undefined(classes, n=n, level=level))
    judge, human, kept = classes
    if name == "balanced_accuracy":
        found = confusion(judge, human, sides.scale.levels, sides.groups[kept], level=level)
        return Measured(found.balanced_accuracy)
    if name == "marginal_homogeneity":
        tested = clustered_marginal_homogeneity(judge, human, sides.scale.levels, sides.groups[kept])
    else:
        tested = _TESTS[name](table_of(judge, human, sides.scale))
    return Measured(_p_value(tested, level))


def table_of(judge: FloatArray, human: FloatArray, scale: Scale) -> FloatArray:
    """Counts (levels, levels): rows the humans, columns the judge."""
    codes = [code_labels(values, scale.levels) for values in (human, judge)]
    return cross_table(codes[0], codes[1], len(scale.levels))


def confusion_of(sides: Sides, level: float = 0.95) -> Confusion | None:
    """Confusion with the majority on the items that have one; None where the scale has no classes."""
    both = sides.complete
    classes = both.classes
    if isinstance(classes, str) or classes[0].size == 0:
        return None
    judge, human, kept = classes
    return confusion(judge, human, both.scale.levels, both.groups[kept], level=level)


def rates_of(sides: Sides, level: float = 0.95) -> Confusion | None:
    """Like :func:`confusion_of`, each item counted as often as it is to count: for the rates, not for the table."""
    plain = confusion_of(sides, level)
    if plain is None or sides.copies is None:
        return plain
    found = confusion_of(sides.complete.repeated(), level)
    if found is None:
        return None
    classes = tuple(
        replace(
            rates,
            precision=replace(rates.precision, n=own.precision.n),
            recall=replace(rates.recall, n=own.recall.n),
            f1=replace(rates.f1, n=own.f1.n),
        )
        for rates, own in zip(found.classes, plain.classes, strict=True)
    )
    return replace(found, classes=classes, accuracy=replace(found.accuracy, n=plain.accuracy.n))


def _p_value(tested: Significance, level: float) -> Estimate:
    if tested.p is None:
        return undefined(tested.undefined or "untestable", n=tested.n, groups=tested.groups, level=level)
    statistic = "" if tested.statistic is None else f" = {tested.statistic:.4g}"
    method = f"p-value of {tested.method}{statistic}"
    return point(tested.p, n=tested.n, groups=tested.groups, level=level, method=method)


def _bland_altman(name: str, sides: Sides, level: float) -> Estimate:
    if sides.scale.nominal or not sides.scale.same:
        reason = (
            "a nominal scale has no order"
            if sides.scale.nominal
            else "labels and scores are on different scales"
        )
        return undefined(reason, n=sides.judge.size, level=level)
    found: BlandAltman = bland_altman(sides.judge, sides.human, sides.groups, level=level)
    estimate: Estimate = getattr(found, BLAND_ALTMAN[name])
    return estimate


def _within(name: str, sides: Sides, level: float) -> Estimate:
    """The share of raters near enough, averaged over items."""
    if not sides.scale.same or (sides.scale.nominal and name != "exact"):
        reason = (
            "a nominal scale has no distances" if sides.scale.nominal else "labels and scores differ in scale"
        )
        return undefined(reason, n=sides.judge.size, level=level)
    rated = ~np.isnan(sides.ratings)
    near = rated & (np.abs(sides.ratings - sides.judge[:, None]) <= WITHIN[name])
    shares = near.sum(axis=1) / rated.sum(axis=1)
    return share_interval(shares, sides.groups, level)


def _tie_calibrated(sides: Sides, grouping: Grouping, level: float) -> Estimate:
    match grouping:
        case Grouping.POOLED:
            return tie_calibrated_accuracy_pooled(
                sides.judge, sides.human, sides.groups, level=level
            ).estimate
        case Grouping.BY_GROUP:
            return tie_calibrated_accuracy(sides.judge, sides.human, sides.groups, level=level).estimate
        case _:
            return undefined("ties are calibrated on items, not on systems", n=sides.judge.size, level=level)


def _soft_pairwise(sides: Sides, grouping: Grouping, level: float) -> Estimate:
    if grouping is not Grouping.SYSTEM or sides.systems is None:
        return undefined("soft pairwise accuracy compares systems", n=sides.judge.size, level=level)
    judge, human = (_by_system_and_group(v, sides.systems, sides.groups) for v in (sides.judge, sides.human))
    return soft_pairwise_accuracy(judge, human, level=level)


def _by_system_and_group(values: FloatArray, systems: IntArray, groups: IntArray) -> FloatArray:
    """Mean value (systems, groups), NaN where a system has no item in a group."""
    system_codes, group_codes = (np.unique(codes, return_inverse=True)[1] for codes in (systems, groups))
    width = int(group_codes.max()) + 1
    flat = system_codes * width + group_codes
    size = (int(system_codes.max()) + 1) * width
    count = np.bincount(flat, minlength=size)
    total = np.bincount(flat, weights=values, minlength=size)
    mean: FloatArray = np.full(size, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.reshape(-1, width)
