"""Mean differences between two runs, paired or not, with clustered errors and their degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from evalharness.stats.arrays import paired, vector
from evalharness.stats.clustered import cr1_standard_error, t_quantile
from evalharness.stats.estimate import Estimate, point, undefined


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """A difference of means, first minus second, with what a Student interval or test of it needs.

    se, df: standard error and degrees of freedom, both ``None`` where a sample is one single group.
    """

    value: float
    se: float | None
    df: float | None
    n: int
    groups: int

    def interval(self, level: float = 0.95) -> Estimate:
        """Return the Student interval at ``level``."""
        if self.se is None or self.df is None:
            return point(self.value, n=self.n, groups=self.groups, level=level, method="none: a single group")
        half = t_quantile(0.5 + level / 2, self.df) * self.se
        low, high = self.value - half, self.value + half
        return Estimate(
            self.value, self.se, low, high, level, f"CR1+t({self.df:.4g})", self.n, self.groups, None
        )


def paired_difference(
    first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None
) -> MeanDifference | None:
    """Return mean(first - second) over paired items (n,): CR1 with G - 1 degrees of freedom; ``None`` without items.

    Miller (2024), arXiv 2411.00640, eq. 7 and 8.
    """
    a, b = paired(first, second)
    if a.size == 0:
        return None
    se, count = cr1_standard_error(a - b, groups)
    df = None if se is None else float(count - 1)
    return MeanDifference(float((a - b).mean()), se, df, a.size, count)


def unpaired_difference(
    first: ArrayLike,
    second: ArrayLike,
    groups_first: ArrayLike | None = None,
    groups_second: ArrayLike | None = None,
) -> MeanDifference | None:
    """Return mean(first) - mean(second) of independent samples; ``None`` if one is empty.

    CR1 errors with G - 1 degrees of freedom each, joined by Welch and Satterthwaite; Welch's t without groups.
    """
    a, b = vector(first, "first"), vector(second, "second")
    if a.size == 0 or b.size == 0:
        return None
    value, n = float(a.mean() - b.mean()), a.size + b.size
    se_a, count_a = cr1_standard_error(a, groups_first)
    se_b, count_b = cr1_standard_error(b, groups_second)
    if se_a is None or se_b is None:
        return MeanDifference(value, None, None, n, count_a + count_b)
    df = welch_df(se_a, count_a, se_b, count_b)
    return MeanDifference(value, math.hypot(se_a, se_b), df, n, count_a + count_b)


def difference_interval(difference: MeanDifference | None, level: float = 0.95) -> Estimate:
    """Return the interval of a difference that may not exist."""
    if difference is None:
        return undefined("nothing to compare", level=level, method="CR1+t")
    return difference.interval(level)


def welch_df(se_first: float, groups_first: int, se_second: float, groups_second: int) -> float:
    """Return Welch-Satterthwaite degrees of freedom; the smaller sample's where nothing varies."""
    top = (se_first**2 + se_second**2) ** 2
    base = se_first**4 / (groups_first - 1) + se_second**4 / (groups_second - 1)
    return top / base if base > 0.0 else float(min(groups_first, groups_second) - 1)
