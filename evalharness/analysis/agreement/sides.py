"""A judge beside its raters on the same items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evalharness.analysis.agreement.scales import Scale
from evalharness.errors import InputError
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.ceiling import majority, rater_mean
from evalharness.stats.weighting import repeated


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
