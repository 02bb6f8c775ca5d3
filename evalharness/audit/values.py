"""What of a result is a number."""

from __future__ import annotations

from evalharness.core.scores import Result, Score


def number_of(result: Result) -> float | None:
    """The value of a score as a number; None for failures, skips and named levels."""
    if not isinstance(result, Score) or isinstance(result.value, str):
        return None
    return float(result.value)
