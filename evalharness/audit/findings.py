"""When an effect is flagged: its interval excludes the neutral value, and it exceeds the margin."""

from __future__ import annotations

from evalharness.audit.settling import FEWEST_GROUPS, open_bias
from evalharness.audit.types import Finding, Measure
from evalharness.stats.estimate import Estimate


def bias_finding(estimate: Estimate, margin: float, neutral: float = 0.0) -> Finding:
    """What an effect means that should not be there; ``margin`` in its own units, around ``neutral``."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None or estimate.groups < FEWEST_GROUPS:
        return Finding.UNCLEAR
    if (low > neutral or high < neutral) and abs(value - neutral) > margin:
        return Finding.FLAGGED
    if neutral - margin <= low and high <= neutral + margin:
        return Finding.OK
    return Finding.UNCLEAR


def measure_of(
    name: str,
    criterion: str,
    estimate: Estimate,
    *,
    margin: float,
    unit: str,
    up: str,
    down: str,
    neutral: float = 0.0,
    judge: float | None = None,
    beside: float | None = None,
    beside_what: str = "people",
) -> Measure:
    """A measure with its finding; ``up`` and ``down`` say what an effect in that direction is."""
    finding = bias_finding(estimate, margin, neutral)
    if estimate.value is None:
        words = estimate.undefined or "no value"
    elif estimate.groups < FEWEST_GROUPS or estimate.low is None:
        words = "too few groups to say"
    elif finding is Finding.FLAGGED:
        words = up if estimate.value > neutral else down
    else:
        words = "no effect beyond the margin" if finding is Finding.OK else "an effect is not ruled out"
    question = open_bias(finding, estimate, margin, neutral)
    return Measure(
        name, criterion, estimate, neutral, margin, unit, finding, words, judge, beside, beside_what, question
    )
