"""Root finding for score intervals: the bound is where a monotone statistic meets its critical value."""

from __future__ import annotations

from collections.abc import Callable

_HALVINGS = 200


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the point of ``[low, high]`` where a decreasing ``function`` changes sign.

    Without a sign change, the end at which the function comes nearest to zero: a score interval that
    reaches the edge of the parameter space ends there.
    """
    if function(high) >= 0.0:
        return high
    if function(low) <= 0.0:
        return low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if function(middle) > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
