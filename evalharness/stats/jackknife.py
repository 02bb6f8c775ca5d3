"""The jackknife by group: an interval for a statistic that has no influence values in closed form.

With theta_g the statistic without group g, se^2 = (G - 1) / G * sum_g (theta_g - mean theta)^2 (Efron 1982, ch. 3), and
Student's t with G - 1 degrees of freedom. It errs on the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, group_codes
from evalharness.stats.clustered import t_quantile
from evalharness.stats.estimate import Estimate, point, undefined


def group_jackknife(
    statistic: Callable[[BoolArray], float | None], groups: ArrayLike, *, level: float = 0.95, reason: str
) -> Estimate:
    """Return the statistic of all units with its interval.

    statistic: its value on the units (n,) of a mask, ``None`` where it has none. groups: (n,) group codes. reason: why
    there is no value, where there is none. A statistic that one group alone makes possible has no interval.
    """
    codes = np.asarray(groups)
    codes, count = group_codes(codes, codes.size)
    whole = statistic(np.ones(codes.size, dtype=bool)) if codes.size else None
    if whole is None:
        return undefined(reason, n=codes.size, groups=count, level=level)
    without = [statistic(np.asarray(codes != group)) for group in range(count)] if count > 1 else []
    known = [value for value in without if value is not None]
    if not known or len(known) < count:
        method = "none: not defined without one of the groups"
        return point(whole, n=codes.size, groups=count, level=level, method=method)
    left = np.array(known)
    se = math.sqrt((count - 1) / count * float(np.square(left - left.mean()).sum()))
    half = t_quantile(0.5 + level / 2, count - 1) * se
    method = f"jackknife by group, t({count - 1})"
    return Estimate(whole, se, whole - half, whole + half, level, method, codes.size, count, None)
