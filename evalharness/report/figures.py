"""How figures are written for people: three significant digits, true minus signs, intervals in brackets."""

from __future__ import annotations

from evalharness.stats.estimate import Estimate

_MINUS = "\u2212"
NOTHING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with about ``digits`` significant digits and no exponent; a dash for nothing."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 10 ** (digits - 1):
        text = f"{value:,.0f}" if size >= 10**digits else f"{value:.{max(0, digits - len(str(int(size))))}f}"
    else:
        text = f"{value:.{digits - 1}f}" if size >= 1 or size == 0 else f"{value:.{digits}f}"
    return text.replace("-", _MINUS)


def interval(estimate: Estimate) -> str:
    """``3.80 [3.62, 3.98]``; a dash where the value is undefined, no bracket where there is no interval."""
    if estimate.value is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def percent(share: float | None) -> str:
    """``71 %``; one decimal below 10 and above 90 unless it is exactly 0 or 100."""
    if share is None:
        return NOTHING
    value = 100 * share
    if value in (0.0, 100.0) or 10 <= value <= 90:
        return f"{value:.0f} %"
    return f"{value:.1f} %"
