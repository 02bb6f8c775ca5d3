"""Whether a judge was of two minds about a verdict."""

from __future__ import annotations

from collections import Counter

from evalharness.core.scores import Cause, Result, Score

SURE = 0.7
"""The share of the probability, or of the usable samples, that one answer must have for a verdict to be sure."""


def uncertain(result: Result) -> bool:
    """Whether no answer has 70 % of the probability or of the samples; False where neither is known."""
    if not isinstance(result, Score):
        return False
    if result.probabilities:
        return max(result.probabilities.values()) < SURE
    if not result.samples:
        return False
    values = Counter(sample for sample in result.samples if not isinstance(sample, Cause))
    return values.total() > 1 and max(values.values()) < SURE * values.total()
