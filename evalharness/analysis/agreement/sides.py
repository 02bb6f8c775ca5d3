"""A judge beside its raters, and any statistic of the two by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evalharness.analysis.agreement.drawing import REPEATABLE, WEIGHTED
from evalharness.analysis.agreement.scales import Scale
from evalharness.core.registry import unknown_name
from evalharness.errors import InputError
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.averaging import Averaged, Grouping, averaged
from evalharness.stats.bland_altman import BlandAltman, bland_altman
from evalharness.stats.catalogue import PAIR_STATISTICS, describe, pair_statistic
from evalharness.stats.categories import code_labels, cross_table
from evalharness.stats.ceiling import majority, rater_mean
from evalharness.stats.clustered import mean_interval
from evalharness.stats.confusion import Confusion, confusion
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.marginal_homogeneity import bowker, clustered_marginal_homogeneity, stuart_maxwell
from evalharness.stats.pairwise_accuracy import tie_calibrated_accuracy, tie_calibrated_accuracy_pooled
from evalharness.stats.significance import Significance
from evalharness.stats.soft_pairwise import soft_pairwise_accuracy
from evalharness.stats.undefined import Cause
from evalharness.stats.weighting import repeated, weighted

ON_MAJORITY = frozenset(
    {
        "percent",
        "cohen_kappa",
        "cohen_kappa_linear",
        "cohen_kappa_quadratic",
        "scott_pi",
        "fleiss_kappa",
        "conger_kappa",
        "brennan_prediger",
        "gwet_ac1",
        "gwet_ac2_linear",
        "gwet_ac2_quadratic",
        "gwet_ac2_ordinal",
        "krippendorff_nominal",
        "krippendorff_ordinal",
        "balanced_accuracy",
        "bowker",
        "stuart_maxwell",
        "marginal_homogeneity",
    }
)
"""Statistics of classes: they see the raters' majority, all others the raters' mean."""

ON_NOMINAL = frozenset(
    {
        "percent",
        "cohen_kappa",
        "scott_pi",
        "fleiss_kappa",
        "conger_kappa",
        "brennan_prediger",
        "gwet_ac1",
        "krippendorff_nominal",
        "balanced_accuracy",
        "bowker",
        "stuart_maxwell",
        "marginal_homogeneity",
    }
)
RANK = frozenset(
    {
        "pearson",
        "spearman",
        "kendall_tau_b",
        "kendall_tau_c",
        "somers_d",
        "goodman_kruskal_gamma",
        "pairwise_accuracy",
        "tau_23",
        "tie_calibrated_accuracy",
        "soft_pairwise_accuracy",
    }
)
"""Statistics that need no common scale."""

BLAND_ALTMAN = {
    "bland_altman_bias": "bias",
    "bland_altman_lower": "lower",
    "bland_altman_upper": "upper",
    "bland_altman_proportional_bias": "proportional_bias",
    "bland_altman_sd_ratio": "sd_ratio",
}
_TESTS: Mapping[str, Callable[[FloatArray], Significance]] = {
    "bowker": bowker,
    "stuart_maxwell": stuart_maxwell,
}
WITHIN: Mapping[str, float] = {"exact": 1e-9, "within_one": 1.0 + 1e-9}
"""Shares of raters from whom the judge is at most this far, in units of the scale: of numbers of turns, counts …"""
EXTRA = (
    "tie_calibrated_accuracy",
    "soft_pairwise_accuracy",
    "balanced_accuracy",
    *_TESTS,
    "marginal_homogeneity",
    *BLAND_ALTMAN,
    *WITHIN,
)
STATISTICS: tuple[str, ...] = (*PAIR_STATISTICS, *EXTRA)
ALIASES = {
    "kappa": "cohen_kappa",
    "weighted_kappa": "cohen_kappa_quadratic",
    "alpha": "krippendorff_ordinal",
    "ac1": "gwet_ac1",
    "ac2": "gwet_ac2_quadratic",
    "ccc": "lins_ccc",
    "tau": "kendall_tau_b",
    "icc": "icc_2_1",
    "accuracy": "percent",
    "bias": "bland_altman_bias",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with the number of groups that have none, and why."""

    estimate: Estimate
    undefined: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Sides:
    """A judge (n,) and its raters (n, r), NaN where a rating is missing, on the same items.

    ``groups`` (n,) are the clusters, ``systems`` (n,) the systems under test, None where there is one only. ``copies``
    (n,) say how often each item counts, None where all count alike.
    """

    judge: FloatArray
    ratings: FloatArray
    groups: IntArray
    systems: IntArray | None
    scale: Scale
    copies: IntArray | None = None

    def where(self, mask: BoolArray) -> Sides:
        """The same on some of the items."""
        return self._at(mask)

    def repeated(self) -> Sides:
        """Each item as often as it counts, and all counting alike."""
        return self if self.copies is None else replace(self._at(repeated(self.copies)), copies=None)

    def _at(self, places: BoolArray | IntArray) -> Sides:
        systems = None if self.systems is None else self.systems[places]
        copies = None if self.copies is None else self.copies[places]
        return Sides(
            self.judge[places], self.ratings[places], self.groups[places], systems, self.scale, copies
        )

    @cached_property
    def complete(self) -> Sides:
        """The items with a judge's value and a rating."""
        mask = ~np.isnan(self.judge) & (~np.isnan(self.ratings)).any(axis=1)
        return self if bool(mask.all()) else self.where(np.asarray(mask))

    @cached_property
    def human(self) -> FloatArray:
        """The mean rating (n,)."""
        return rater_mean(self.ratings)

    @cached_property
    def classes(self) -> tuple[FloatArray, FloatArray, BoolArray] | str:
        """Judge and majority as declared levels on the items (a mask, (n,)) that have a majority, or why not."""
        lacking = self.no_classes()
        if lacking:
            return lacking
        levels = self.scale.levels
        try:
            voted = majority(self.ratings, levels)
        except InputError:
            return "the labels, carried to the judge's scale, fall between its levels"
        kept = np.asarray(~np.isnan(voted) & ~np.isnan(self.judge))
        return self.scale.nearest(self.judge[kept]), voted[kept], kept

    def no_classes(self) -> str:
        """Why the scale has no classes; empty if it has."""
        if not self.scale.same:
            return "labels and scores are on different scales"
        return "" if len(self.scale.levels) >= 2 else "the scale has no declared levels"


def known_statistic(name: str) -> str:
    """The full name of a statistic or of its short form; a :class:`UsageError` for an unknown one."""
    full = ALIASES.get(name, name)
    if full not in STATISTICS:
        raise unknown_name("statistic", name, (*STATISTICS, *ALIASES))
    return full


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
        found_extra = _extra(name, both, grouping, level)
        if both.copies is None or name not in REPEATABLE or grouping is not Grouping.POOLED:
            return found_extra
        return _reweighted(found_extra, _extra(name, both.repeated(), grouping, level))
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
    return function if copies is None or name not in WEIGHTED else weighted(function, copies)


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


def in_our_words(estimate: Estimate, swapped: bool) -> Estimate:
    """An undefined figure's reason with the names of the two sides."""
    if estimate.undefined is None:
        return estimate
    first, second = (
        ("the humans give", "the judge gives") if swapped else ("the judge gives", "the humans give")
    )
    text = estimate.undefined.replace("the first side gives", first).replace("the second side gives", second)
    text = text.replace("first_constant", "judge constant").replace("second_constant", "human constant")
    return replace(
        estimate, undefined=text.replace("both_constant", "both constant").replace("too_few", "too few")
    )


def _extra(name: str, sides: Sides, grouping: Grouping, level: float) -> Measured:
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
    return mean_interval(shares, sides.groups, level).clipped(0.0, 1.0)


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
