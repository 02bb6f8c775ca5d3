"""How figures are written for people: three significant digits, true minus signs, intervals in brackets."""

from __future__ import annotations

from evalharness.analysis.retest import Retest
from evalharness.stats.estimate import Estimate

_MINUS = "\u2212"
NOTHING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with about ``digits`` significant digits and no exponent; a dash for nothing."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    size = abs(value)
    decimals = max(0, digits - len(str(int(size)))) if size >= 1 else digits
    text = f"{value:,.{decimals}f}"
    return text.replace("-", _MINUS)


def interval(estimate: Estimate) -> str:
    """``3.80 [3.62, 3.98]``; a dash where the value is undefined, no bracket where there is no interval."""
    if estimate.value is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def with_margin(estimate: Estimate) -> str:
    """``3.80 ±0.18``, the half-width of the interval where there is one: the narrow form."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} ±{number((estimate.high - estimate.low) / 2)}"


def percent(share: float | None) -> str:
    """``71 %``; one decimal below 10 and above 90 unless it is exactly 0 or 100."""
    if share is None:
        return NOTHING
    value = 100 * share
    if value in (0.0, 100.0) or 10 <= value <= 90:
        return f"{value:.0f} %"
    return f"{value:.1f} %"


def retest_text(found: Retest) -> str:
    """How alike several samples of an item are."""
    spread = "" if found.sd is None else f", standard deviation within an item {number(found.sd)}"
    return f"two samples of an item are the same in {percent(found.same)}{spread} ({found.items:,} items)"
