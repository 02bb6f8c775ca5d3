"""Intervals by resampling groups, where they are asked for instead of the linearised ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from evalharness.analysis.agreement.measured import Measured, in_our_words
from evalharness.analysis.agreement.measuring import pair_function, weighted_function
from evalharness.analysis.agreement.names import EXTRA, ON_MAJORITY
from evalharness.analysis.agreement.sides import Sides
from evalharness.stats.arrays import IntArray
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import NO_VARIATION, Statistic
from evalharness.stats.resampling import DRAWS, bca_interval, bootstrap_t_interval, jackknife_interval

_ITEMS_DRAWN = 20_000_000
_FEWEST_DRAWS = 200


class Interval(StrEnum):
    """How intervals of pooled figures are made."""

    CR1 = "cr1"
    JACKKNIFE = "jackknife"
    BCA = "bca"
    BOOTSTRAP_T = "bootstrap-t"


_DRAWN: Mapping[Interval, Callable[..., Estimate]] = {
    Interval.BCA: bca_interval,
    Interval.BOOTSTRAP_T: bootstrap_t_interval,
}


def with_interval(found: Measured, name: str, sides: Sides, how: Interval, level: float) -> Measured:
    """A pooled figure with another interval; unchanged where the statistic can't be computed again from its items.

    Groups are drawn, seeded; many items get fewer draws, as the figure's method says.
    """
    still = found.estimate.value is None or found.estimate.method == NO_VARIATION
    if how is Interval.CR1 or still or name in EXTRA:
        return found
    recomputed = _recompute(name, sides.complete)
    if recomputed is None:
        return found
    recompute, groups = recomputed
    if how is Interval.JACKKNIFE:
        estimate = jackknife_interval(recompute, groups, level=level)
    else:
        draws = max(_FEWEST_DRAWS, min(DRAWS, _ITEMS_DRAWN // max(1, groups.size)))
        estimate = _DRAWN[how](recompute, groups, level=level, draws=draws)
    return replace(found, estimate=in_our_words(estimate, swapped=name == "somers_d"))


def _recompute(name: str, sides: Sides) -> tuple[Callable[[IntArray], Statistic], IntArray] | None:
    """The statistic of some of the items, by their places, and the groups of all."""
    function = pair_function(name, sides.scale)
    if isinstance(function, str):
        return None
    judge, human, groups, copies = sides.judge, sides.human, sides.groups, sides.copies
    if name in ON_MAJORITY:
        classes = sides.classes
        if isinstance(classes, str):
            return None
        judge, human, kept = classes
        groups = groups[kept]
        copies = None if copies is None else copies[kept]

    def recompute(rows: IntArray) -> Statistic:
        chosen = None if copies is None else copies[rows]
        return weighted_function(name, function, chosen)(judge[rows], human[rows])

    return recompute, groups
