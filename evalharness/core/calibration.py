"""A judge's calibration as plain data: a rising function, bound to what made the scores that it was fitted on."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """Knots (score, value), linear in between and constant outside; ``signature`` is that of the judge's column.

    The signature names model, rubric hash, prompt and protocol: a curve is of no use to scores made otherwise.
    """

    scorer: str
    rubric: str
    criterion: str
    signature: str
    knots: tuple[tuple[float, float], ...]
    half_width: float | None = None

    def __call__(self, score: float) -> float:
        """The calibrated value of a score."""
        knots = self.knots
        if score <= knots[0][0]:
            return knots[0][1]
        if score >= knots[-1][0]:
            return knots[-1][1]
        place = bisect_right([x for x, _ in knots], score)
        (x0, y0), (x1, y1) = knots[place - 1], knots[place]
        return y0 + (y1 - y0) * (score - x0) / (x1 - x0)

    def outside(self, score: float) -> bool:
        """Whether the score lies outside the range of labelled items: its value is a guess."""
        return not self.knots[0][0] <= score <= self.knots[-1][0]
