"""A figure with what has to be said about it, in the words of judges and humans."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalharness.stats.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with the number of groups that have none, and why."""

    estimate: Estimate
    undefined: int = 0
    reason: str = ""


def in_our_words(estimate: Estimate, swapped: bool) -> Estimate:
    """An undefined figure's reason with the names of the two sides."""
    if estimate.undefined is None:
        return estimate
    first, second = (
        ("the humans give", "the judge gives") if swapped else ("the judge gives", "the humans give")
    )
    text = estimate.undefined.replace("the first side gives", first).replace("the second side gives", second)
    text = text.replace("first_constant", "judge constant").replace("second_constant", "human constant")
    return replace(
        estimate, undefined=text.replace("both_constant", "both constant").replace("too_few", "too few")
    )
