"""Why a question of an audit stayed open, and how many more items would settle it."""

from __future__ import annotations

import math

from evalharness.audit.types import Finding, Open
from evalharness.stats.clustered import t_quantile
from evalharness.stats.estimate import Estimate
from evalharness.stats.power import paired_n, whole

FEWEST_GROUPS = 8
"""Below this an interval is too rough to rest a finding on, above all where all differences happen to be equal."""
_TOO_MANY = 100_000
"""More items than this are no advice: the value lies on the margin as far as anybody can tell."""


def open_bias(finding: Finding, estimate: Estimate, margin: float, neutral: float = 0.0) -> Open | None:
    """What stayed open about an effect that should not be there; None where it is settled."""
    if finding is not Finding.UNCLEAR:
        return None
    distance = math.inf if estimate.value is None else abs(estimate.value - neutral)
    return _open(estimate, margin, distance if distance > margin else margin - distance)


def open_fall(finding: Finding, estimate: Estimate, margin: float) -> Open | None:
    """What stayed open about a degradation (``estimate`` positive: scores get better); None where it is settled."""
    if finding is not Finding.UNCLEAR:
        return None
    value = math.inf if estimate.value is None else estimate.value
    return _open(estimate, margin, -value if value < -margin else value + margin)


def _open(estimate: Estimate, margin: float, room: float) -> Open:
    """``room`` is how far the value lies from the nearest bound that its interval has to stay clear of."""
    width = None if estimate.low is None or estimate.high is None else estimate.high - estimate.low
    return Open(estimate.n, estimate.groups, width, margin, _more(estimate, width, room))


def _more(estimate: Estimate, width: float | None, room: float) -> int | None:
    """Further items that settle the question with a power of 80 %, were the effect as measured; None: no number does.

    The error of a mean falls with the root of the number of groups (``stats.power.paired_n`` at their level); items
    grow with them. With no interval yet it is what the fewest groups take that decide anything.
    """
    if estimate.value is None or not estimate.groups:
        return None
    needed: float = FEWEST_GROUPS
    if width is not None and width > 0.0:
        if room <= 0.0:
            return None
        error = width / 2 / t_quantile(0.5 + estimate.level / 2, estimate.groups - 1)
        needed = max(needed, paired_n(error * math.sqrt(estimate.groups), room))
    more = (needed - estimate.groups) * estimate.n / estimate.groups
    return max(1, whole(more)) if more <= _TOO_MANY else None
