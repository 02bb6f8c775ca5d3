"""Where the noise of a mean comes from: groups, items within groups, repeated judgements of one item."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, vector
from evalharness.stats.clustered import group_sums
from evalharness.stats.power import Noise


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Variances of the model  score = mean + group + item(group) + repeat(item).

    group, item, repeat: moment estimates in squared score units, 0 at least; ``None`` where the design can't tell.
    A component that can't be told is contained in the one above it: with one judgement an item the repeat component
    is in the item's, with one item a group the item component is in the group's.
    groups: number of groups, 0 where none were given.
    truncated: components whose moment estimate was negative and reads 0.
    reasons: why a component is ``None``, by name.
    """

    mean: float
    group: float | None
    item: float | None
    repeat: float | None
    n: int
    items: int
    groups: int
    truncated: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]

    @property
    def total(self) -> float:
        """Variance of a single judgement of an item of a new group."""
        return sum(part for part in (self.group, self.item, self.repeat) if part is not None)

    def variance_of_mean(self, groups: int, items: float = 1.0, repeats: float = 1.0) -> float:
        """Return the variance of the mean over ``groups`` groups of ``items`` items judged ``repeats`` times."""
        group, item, repeat = self.group or 0.0, self.item or 0.0, self.repeat or 0.0
        return (group + (item + repeat / repeats) / items) / groups

    def reliability(self, repeats: float = 1.0) -> float | None:
        """Return the share of an item's variance that is not judge noise, with the mean of ``repeats`` judgements.

        The intraclass correlation of repeated judgements (test-retest), stepped up as Spearman and Brown do.
        """
        if self.repeat is None:
            return None
        signal = (self.group or 0.0) + (self.item or 0.0)
        whole = signal + self.repeat / repeats
        return signal / whole if whole > 0.0 else None


def variance_components(
    values: ArrayLike, items: ArrayLike, groups: ArrayLike | None = None
) -> VarianceComponents | None:
    """Return the components of `values` (n,), one per judgement, by nested analysis of variance.

    items: (n,) which item is judged. groups: (n,) which group the item belongs to; an item belongs to one group.
    Unbalanced designs by equating mean squares to their expectations (Searle, Casella & McCulloch 1992, section 5.4).
    ``None`` without observations.
    """
    y = vector(values)
    if y.size == 0:
        return None
    components = _components(y, _Design.of(items, groups, y.size))
    if groups is not None:
        return components
    return replace(components, groups=0, reasons=(("group", "no groups given"), *components.reasons[1:]))


@dataclass(frozen=True, slots=True, eq=False)
class PairedNoise:
    """The noise of a paired comparison, and how many items and judgements told it."""

    noise: Noise
    items: int
    truncated: tuple[str, ...]


def paired_noise(
    values_first: ArrayLike, items_first: ArrayLike, values_second: ArrayLike, items_second: ArrayLike
) -> PairedNoise | None:
    """Return omega^2 and both sampling variances of two runs over the same items (Miller 2024, section 3.2).

    omega^2 is the variance of the true difference between items: that of the differences of item means, less what
    repeated sampling adds to it. Only items in both runs count; ``None`` with fewer than two of them. Where no item
    of a run is judged twice its sampling variance stays inside omega^2.
    """
    a, items_a = vector(values_first, "first"), np.asarray(items_first)
    b, items_b = vector(values_second, "second"), np.asarray(items_second)
    common = np.intersect1d(items_a, items_b)
    if common.size < 2:
        return None
    mean_a, noise_a, shrink_a = _item_means(a, items_a, common)
    mean_b, noise_b, shrink_b = _item_means(b, items_b, common)
    observed = float((mean_a - mean_b).var(ddof=1))
    omega = observed - noise_a * shrink_a - noise_b * shrink_b
    noise = Noise(group=0.0, item=max(0.0, omega), first=noise_a, second=noise_b)
    return PairedNoise(noise, int(common.size), ("item",) if omega < 0.0 else ())


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Codes of the nested design: item of each value, group of each item, and their sizes."""

    item: IntArray
    group_of_item: IntArray
    per_item: FloatArray
    per_group: FloatArray

    @classmethod
    def of(cls, items: ArrayLike, groups: ArrayLike | None, n: int) -> _Design:
        group, group_count = group_codes(groups, n) if groups is not None else (None, 0)
        item, item_count = group_codes(items, n)
        if group is None:
            group_of_item, group_count = np.zeros(item_count, dtype=np.intp), 1
        else:
            group_of_item = np.zeros(item_count, dtype=np.intp)
            group_of_item[item] = group
            if not np.array_equal(group_of_item[item], group):
                raise ValueError("an item belongs to one group only")
        per_item = np.bincount(item, minlength=item_count).astype(np.float64)
        per_group = group_sums(per_item, group_of_item, group_count)
        return cls(item, group_of_item, per_item, per_group)


def _components(y: FloatArray, design: _Design) -> VarianceComponents:
    n, items, groups = y.size, design.per_item.size, design.per_group.size
    grand = float(y.mean())
    item_mean = group_sums(y, design.item, items) / design.per_item
    group_mean = group_sums(item_mean * design.per_item, design.group_of_item, groups) / design.per_group
    ss_repeat = float(np.sum((y - item_mean[design.item]) ** 2))
    ss_item = float(np.sum(design.per_item * (item_mean - group_mean[design.group_of_item]) ** 2))
    ss_group = float(np.sum(design.per_group * (group_mean - grand) ** 2))

    squares = design.per_item**2
    within = float(np.sum(group_sums(squares, design.group_of_item, groups) / design.per_group))
    repeat = ss_repeat / (n - items) if n > items else None
    item = group = None
    if items > groups:
        item = (ss_item - (items - groups) * (repeat or 0.0)) / (n - within)
    if groups > 1:
        spread = (
            ss_group - (groups - 1) * (repeat or 0.0) - (within - float(squares.sum()) / n) * (item or 0.0)
        )
        group = spread / (n - float(np.sum(design.per_group**2)) / n)
    parts = {"group": group, "item": item, "repeat": repeat}
    return VarianceComponents(
        mean=grand,
        group=_at_least_zero(group),
        item=_at_least_zero(item),
        repeat=repeat,
        n=n,
        items=items,
        groups=groups,
        truncated=tuple(name for name, part in parts.items() if part is not None and part < 0.0),
        reasons=tuple((name, _REASONS[name]) for name, part in parts.items() if part is None),
    )


_REASONS = {
    "group": "a single group",
    "item": "no group has two items",
    "repeat": "no item is judged twice",
}


def _at_least_zero(part: float | None) -> float | None:
    return None if part is None else max(0.0, part)


def _item_means(y: FloatArray, items: np.ndarray, common: np.ndarray) -> tuple[FloatArray, float, float]:
    """Return item means over `common`, the pooled variance of one judgement, and mean 1 / K."""
    kept = np.isin(items, common)
    codes = np.searchsorted(common, items[kept])
    counts = np.bincount(codes, minlength=common.size).astype(np.float64)
    means = group_sums(y[kept], codes, common.size) / counts
    spare = int(kept.sum()) - common.size
    within = float(np.sum((y[kept] - means[codes]) ** 2)) / spare if spare > 0 else 0.0
    return means, within, float(np.mean(1.0 / counts)) if not math.isclose(within, 0.0) else 0.0
