"""What a fit returns when the data can't determine the model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unfitted:
    """A model that could not be fitted: why, and the number of observations seen."""

    reason: str
    n: int = 0
