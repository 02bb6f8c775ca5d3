"""Split conformal intervals: a range for each new rating that holds with a stated probability, whatever the judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, group_codes, paired, vector
from evalharness.stats.clustered import group_sums
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.folds import assign_folds
from evalharness.stats.rates import wilson_clustered
from evalharness.stats.unfitted import Unfitted

Snap = Literal["inward", "outward"]


@dataclass(frozen=True, slots=True)
class Conformal:
    """The half-width around a prediction that holds a new label with probability ``level``.

    quantile: half-width in units of the scale (or of the item's own scale, where one is used).
    n, groups: calibration items and their groups.
    """

    quantile: float
    level: float
    n: int
    groups: int

    def interval(
        self, predicted: ArrayLike, spread: ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper ends (m,) around predictions (m,)."""
        centre = vector(predicted, "predicted")
        half = self.quantile * _spreads(spread, centre)
        return centre - half, centre + half

    def levels(
        self,
        predicted: ArrayLike,
        levels: ArrayLike,
        spread: ArrayLike | None = None,
        snap: Snap = "inward",
    ) -> tuple[FloatArray, FloatArray]:
        """Return lowest and highest declared level (m,) of each interval.

        inward: the levels inside it; as a label is always a level, nothing is lost (the ordinal adjustment of
        arXiv 2509.18658). outward: the nearest levels around it, for labels that are means of raters. An interval that
        holds no level is replaced by the level nearest to the prediction, which can only add coverage.
        """
        scale = np.unique(vector(levels, "levels"))
        centre = vector(predicted, "predicted")
        low, high = self.interval(centre, spread)
        slack = 1e-9 * max(1.0, float(np.abs(scale).max()))
        if snap == "outward":
            first = np.searchsorted(scale, low + slack, side="right") - 1
            last = np.searchsorted(scale, high - slack, side="left")
        else:
            first = np.searchsorted(scale, low - slack, side="left")
            last = np.searchsorted(scale, high + slack, side="right") - 1
        nearest = np.abs(scale - centre[:, None]).argmin(axis=1)
        empty = first > last
        first, last = np.where(empty, nearest, first), np.where(empty, nearest, last)
        top = scale.size - 1
        return scale[np.clip(first, 0, top)], scale[np.clip(last, 0, top)]


def split_conformal(
    predicted: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    spread: ArrayLike | None = None,
    level: float = 0.9,
) -> Conformal | Unfitted:
    """Return the half-width from calibration items that no model was trained on (cross-fitted predictions will do).

    predicted, labels: (n,). spread: (n,) an optional positive scale of each item (say, the standard deviation of a
    judge's samples): intervals are then wide where the judge wavers.
    Without groups the ceil((n + 1) level)-th smallest residual (Vovk et al. 2005). With groups a new item of a new
    group is promised: every group counts as one draw, its items share its mass (hierarchical conformal prediction, Lee,
    Barber & Willett 2023), so 95 % needs 19 groups, whatever the number of items.
    """
    f, y = paired(predicted, labels)
    residuals = np.abs(y - f) / _spreads(spread, f)
    codes, count = group_codes(groups, y.size)
    needed = calibration_groups_needed(level)
    if count < needed:
        return Unfitted(f"{level:.0%} needs at least {needed} calibration groups, got {count}", y.size)
    mass = 1.0 / ((count + 1) * group_sums(np.ones_like(y), codes, count)[codes])
    order = np.argsort(residuals, kind="stable")
    # Masses are sums of 1/(G+1): without slack, rounding would push the quantile one residual too far.
    place = int(np.searchsorted(np.cumsum(mass[order]), level - 1e-12))
    quantile = float(residuals[order[min(place, y.size - 1)]])
    return Conformal(quantile, level, y.size, count)


def calibration_groups_needed(level: float) -> int:
    """Return the least number of exchangeable calibration units: ceil((n + 1) level) <= n.

    >>> calibration_groups_needed(0.95), calibration_groups_needed(0.9)
    (19, 9)
    """
    return math.ceil(level / (1.0 - level) - 1e-9)


def held_out_coverage(
    predicted: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.9,
    confidence: float = 0.95,
    folds: int = 10,
    seed: int = 0,
) -> Estimate:
    """Return the share of labels (n,) within half-widths that the other folds of groups gave, with its interval.

    predicted: (n,) cross-fitted. The half-width of :func:`split_conformal` holds its level on the items that it was
    made from by construction; these here were not made from the item's group. Undefined where a fold leaves too few
    groups for a half-width. The interval is Wilson's, clustered.
    """
    f, y = paired(predicted, labels)
    codes, count = group_codes(groups, y.size)
    fold = assign_folds(codes, y.size, folds=folds, seed=seed)
    if isinstance(fold, Unfitted):
        return undefined(fold.reason, n=y.size, groups=count, level=confidence)
    inside: FloatArray = np.zeros(y.size)
    for held in (fold == number for number in np.unique(fold)):
        ranges = split_conformal(f[~held], y[~held], codes[~held], level=level)
        if isinstance(ranges, Unfitted):
            return undefined(ranges.reason, n=y.size, groups=count, level=confidence)
        inside[held] = np.abs(y[held] - f[held]) <= ranges.quantile + 1e-12
    return wilson_clustered(inside, codes, confidence)


def _spreads(spread: ArrayLike | None, like: FloatArray) -> FloatArray:
    if spread is None:
        return np.ones_like(like)
    scale, _ = paired(spread, like)
    if scale.size and not scale.min() > 0.0:
        raise ValueError("spreads must be positive")
    return scale
