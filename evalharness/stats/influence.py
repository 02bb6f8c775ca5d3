"""A statistic with its influence values: what makes a clustered interval one line for every statistic.

The influence value psi_i of unit i says how much the estimate moves with that unit: estimate - truth is about
the mean of psi (infinitesimal jackknife; Jaeckel 1972, Efron 1982 ch. 6). Sums and differences of statistics
on the same units have the sums and differences of their influence values, so that a comparison of two judges
on the same items keeps their covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, group_codes
from evalharness.stats.clustered import Scale, clustered_interval, interval_from_error
from evalharness.stats.estimate import Estimate
from evalharness.stats.undefined import Undefined

NO_VARIATION = "none: no variation between groups"
_ROUNDING = 1e-12  # coefficients are free of units: a smaller error is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Linearized:
    """A value, and how it depends on each unit.

    value: the point estimate.
    influence: (n,) influence values over all units given, zero for the unused.
    used: (n,) which units the value rests on; all where absent.
    scale: where the interval is made symmetric.
    bounds: the parameter space, to which an interval is cut.
    """

    value: float
    influence: FloatArray
    used: BoolArray | None = None
    scale: Scale = Scale.IDENTITY
    bounds: tuple[float, float] | None = None

    @property
    def n(self) -> int:
        """Number of units that the value rests on."""
        return int(self.influence.size if self.used is None else self.used.sum())

    def estimate(self, groups: ArrayLike | None = None, *, level: float = 0.95) -> Estimate:
        """Return the CR1 + t(G-1) estimate, clustered by `groups` (n,), one code per unit given.

        Where the influence of all groups is alike (perfect agreement, say) there is no interval: a width of
        zero would be a claim that the data can't support.
        """
        psi, codes = self._restricted(groups)
        found = clustered_interval(psi, codes, value=self.value, level=level, scale=self.scale)
        if found.se is not None and found.se < _ROUNDING:
            return replace(found, se=0.0, low=None, high=None, method=NO_VARIATION)
        return found if self.bounds is None else found.clipped(*self.bounds)

    def _restricted(self, groups: ArrayLike | None) -> tuple[FloatArray, np.ndarray]:
        codes, _ = group_codes(groups, self.influence.size)
        if self.used is None:
            return self.influence, codes
        share = self.n / self.influence.size
        return self.influence[self.used] * share, codes[self.used]

    def embedded(self, where: BoolArray) -> Linearized:
        """Return the same statistic seen from all units, its own being those of the mask `where`."""
        n = where.size
        influence = np.zeros(n)
        influence[where] = self.influence * (n / max(1, self.influence.size))
        used = where.copy()
        if self.used is not None:
            used[where] = self.used
        return replace(self, influence=influence, used=used)


Statistic = Linearized | Undefined


def weighted_sum(
    parts: Sequence[Linearized],
    weights: Sequence[float],
    *,
    scale: Scale = Scale.IDENTITY,
    bounds: tuple[float, float] | None = None,
) -> Linearized:
    """Return sum_k w_k * part_k of statistics on the same units, covariances included."""
    value = sum(w * part.value for w, part in zip(weights, parts, strict=True))
    influence = np.sum([w * part.influence for w, part in zip(weights, parts, strict=True)], axis=0)
    masks = [part.used for part in parts]
    present = [mask for mask in masks if mask is not None]
    used = None if len(present) < len(masks) else np.logical_or.reduce(present)
    return Linearized(value, influence, used, scale, bounds)


def mean_of(parts: Sequence[Linearized]) -> Linearized:
    """Return the plain mean of statistics on the same units."""
    first = parts[0]
    return weighted_sum(parts, [1.0 / len(parts)] * len(parts), scale=first.scale, bounds=first.bounds)


def difference(first: Linearized, second: Linearized) -> Linearized:
    """Return first - second on the same units: the paired comparison of two judges."""
    return weighted_sum([first, second], [1.0, -1.0])


def interval_on_scale(found: Estimate, scale: Scale) -> Estimate:
    """Return `found` with its interval made symmetric on another scale."""
    if found.value is None or found.se is None:
        return found
    if found.se == 0.0:
        return replace(found, low=None, high=None, method=NO_VARIATION)
    return interval_from_error(
        found.value, found.se, n=found.n, groups=found.groups, level=found.level, scale=scale
    )
