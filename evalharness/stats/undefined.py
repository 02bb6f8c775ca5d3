"""Statistics that do not exist for given data: a value with a cause, never 0, 1 or NaN."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalharness.stats.estimate import Estimate
from evalharness.stats.estimate import undefined as undefined_estimate


class Cause(StrEnum):
    """Why a statistic has no value; ``first`` and ``second`` are the two sides compared."""

    EMPTY = "empty"
    TOO_FEW = "too_few"
    FIRST_CONSTANT = "first_constant"
    SECOND_CONSTANT = "second_constant"
    BOTH_CONSTANT = "both_constant"
    ONE_CATEGORY = "one_category"
    NO_PAIRS = "no_pairs"
    NO_VARIATION = "no_variation"
    ONE_RATER = "one_rater"
    NO_DEFINED_GROUP = "no_defined_group"


_SENTENCES = {
    Cause.EMPTY: "no items",
    Cause.TOO_FEW: "too few items",
    Cause.FIRST_CONSTANT: "the first side gives every item the same value",
    Cause.SECOND_CONSTANT: "the second side gives every item the same value",
    Cause.BOTH_CONSTANT: "both sides give every item the same value",
    Cause.ONE_CATEGORY: "a single category is used throughout, so agreement by chance is certain",
    Cause.NO_PAIRS: "no item has two ratings",
    Cause.NO_VARIATION: "the values do not vary",
    Cause.ONE_RATER: "a single rater",
    Cause.NO_DEFINED_GROUP: "undefined in every group",
}


@dataclass(frozen=True, slots=True)
class Undefined:
    """A statistic without value: the cause, a detail for people, and the number of observations seen."""

    cause: Cause
    n: int = 0
    detail: str = ""

    @property
    def reason(self) -> str:
        """The cause as a sentence, with the detail."""
        sentence = _SENTENCES[self.cause]
        return f"{sentence} ({self.detail})" if self.detail else sentence

    @property
    def value(self) -> None:
        """Always ``None``."""
        return None

    def estimate(self, groups: object = None, *, level: float = 0.95) -> Estimate:  # noqa: ARG002
        """Return the undefined estimate; takes what ``Linearized.estimate`` takes."""
        return undefined_estimate(self.reason, n=self.n, level=level)


def constant_cause(first_constant: bool, second_constant: bool) -> Cause | None:
    """Return which side is constant, if any."""
    if first_constant and second_constant:
        return Cause.BOTH_CONSTANT
    if first_constant:
        return Cause.FIRST_CONSTANT
    return Cause.SECOND_CONSTANT if second_constant else None
