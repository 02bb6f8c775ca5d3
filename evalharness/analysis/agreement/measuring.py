"""Any statistic of a judge and its raters by name, under a grouping, weighted where items were drawn unequally."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from evalharness.analysis.agreement.drawing import REPEATABLE, WEIGHTED
from evalharness.analysis.agreement.extras import extra
from evalharness.analysis.agreement.measured import Measured, in_our_words
from evalharness.analysis.agreement.names import EXTRA, ON_MAJORITY, ON_NOMINAL, RANK
from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.sides import Sides
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.averaging import Averaged, Grouping, averaged
from evalharness.stats.catalogue import describe, pair_statistic
from evalharness.stats.estimate import undefined
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.pairwise_accuracy import pairwise_accuracy, tau_23
from evalharness.stats.undefined import Cause
from evalharness.stats.weighting import weighted

_OF_PAIRS = {"pairwise_accuracy": pairwise_accuracy, "tau_23": tau_23}


def pair_function(name: str, scale: Scale) -> PairStatistic | str:
    """The function of (judge, reference) for a statistic of the catalogue on this scale, or why there is none."""
    if scale.nominal and name not in ON_NOMINAL:
        return "a nominal scale has no order"
    if not scale.same and name not in RANK:
        return "labels and scores are on different scales: declare theirs with --scale"
    if describe(name).needs_categories and len(scale.levels) < 2:
        return "the scale has no declared levels"
    return pair_statistic(name, scale.levels or None)


def measure(name: str, sides: Sides, grouping: Grouping, level: float = 0.95) -> Measured:
    """A statistic of judge and humans under a grouping, on the items that have both."""
    both = sides.complete
    if both.judge.size == 0:
        return Measured(undefined("no item has both a score and a label", level=level))
    if grouping in (Grouping.BY_SYSTEM, Grouping.SYSTEM) and both.systems is None:
        return Measured(undefined("the data name fewer than two systems", n=both.judge.size, level=level))
    if name in EXTRA:
        found_extra = extra(name, both, grouping, level)
        if both.copies is None or name not in REPEATABLE or grouping is not Grouping.POOLED:
            return found_extra
        return _reweighted(found_extra, extra(name, both.repeated(), grouping, level))
    function = pair_function(name, both.scale)
    if isinstance(function, str):
        return Measured(undefined(function, n=both.judge.size, level=level))
    if name not in ON_MAJORITY:
        function = weighted_function(name, function, both.copies if grouping is Grouping.POOLED else None)
        found = _averaged(function, both.judge, both.human, both, None, grouping, level)
        return _measured(found, swapped=name == "somers_d")
    classes = both.classes
    if isinstance(classes, str):
        return Measured(undefined(classes, n=both.judge.size, level=level))
    judge, human, kept = classes
    if grouping is Grouping.SYSTEM:
        return Measured(undefined("means of systems are no classes", n=judge.size, level=level))
    copies = both.copies[kept] if both.copies is not None and grouping is Grouping.POOLED else None
    function = weighted_function(name, function, copies)
    return _measured(_averaged(function, judge, human, both, kept, grouping, level))


def weighted_function(name: str, function: PairStatistic, copies: IntArray | None) -> PairStatistic:
    """The function with each item counted as often as ``copies`` (n,) say, where the statistic has such a form."""
    if copies is None or name not in WEIGHTED:
        return function
    of_pairs = _OF_PAIRS.get(name)
    return weighted(function, copies) if of_pairs is None else partial(of_pairs, copies=copies)


def _reweighted(plain: Measured, found: Measured) -> Measured:
    """A figure of repeated items with the counts of the items themselves."""
    return replace(found, estimate=replace(found.estimate, n=plain.estimate.n))


def _averaged(
    function: PairStatistic,
    judge: FloatArray,
    human: FloatArray,
    sides: Sides,
    kept: BoolArray | None,
    grouping: Grouping,
    level: float,
) -> Averaged:
    groups = sides.groups if kept is None else sides.groups[kept]
    systems = sides.systems
    if systems is not None and kept is not None:
        systems = systems[kept]
    return averaged(function, judge, human, grouping, groups=groups, systems=systems, level=level)


_SIDES = {
    Cause.FIRST_CONSTANT: "judge constant",
    Cause.SECOND_CONSTANT: "human constant",
    Cause.BOTH_CONSTANT: "both constant",
    Cause.TOO_FEW: "too few items",
}


def _measured(found: Averaged, *, swapped: bool = False) -> Measured:
    names = dict(_SIDES)
    if swapped:
        first, second = names[Cause.FIRST_CONSTANT], names[Cause.SECOND_CONSTANT]
        names[Cause.FIRST_CONSTANT], names[Cause.SECOND_CONSTANT] = second, first
    counted = sorted((names.get(cause, cause.value), n) for cause, n in found.undefined_units.items())
    missing = sum(n for _, n in counted)
    reason = ", ".join(f"{name} in {n}" for name, n in counted)
    estimate = in_our_words(found.estimate, swapped)
    if estimate.value is None:
        return Measured(estimate, max(1, missing), estimate.undefined or reason)
    return Measured(estimate, missing, reason)
