"""A judge's calibration as plain data: a rising function, bound to what made the scores that it was fitted on."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evalharness.core.canonical import Json
from evalharness.core.scores import Column
from evalharness.core.signature import signature_difference


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """Knots (score, value), linear in between and constant outside; ``signature`` is that of the judge's column.

    The signature names model, rubric hash, prompt and protocol: a curve is of no use to scores made otherwise.
    ``half_width`` holds 90 % of new ratings; ``labels`` are the labelled items that it was fitted on.
    """

    scorer: str
    rubric: str
    criterion: str
    signature: str
    knots: tuple[tuple[float, float], ...]
    half_width: float | None = None
    labels: int = 0

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

    def to_json(self) -> dict[str, Json]:
        """What :func:`curve_from_json` reads."""
        return {
            "scorer": self.scorer,
            "rubric": self.rubric,
            "criterion": self.criterion,
            "signature": self.signature,
            "labelled_items": self.labels,
            "knots": [list(knot) for knot in self.knots],
            "half_width": self.half_width,
        }


def curve_from_json(row: Json) -> CalibrationCurve:
    """The curve of a calibration file or ledger; a ``ValueError`` says what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("a calibration is no object")
    knots = row.get("knots")
    if not isinstance(knots, list) or not knots:
        raise ValueError("a curve has no knots")
    points = tuple(_knot(knot) for knot in knots)
    if any(not a[0] < b[0] or a[1] > b[1] for a, b in pairwise(points)):
        raise ValueError("the knots of a curve don't rise")
    names = [row.get(name) for name in ("scorer", "rubric", "criterion", "signature")]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a calibration does not name scorer, rubric, criterion and signature")
    scorer, rubric, criterion, signature = map(str, names)
    half, labels = row.get("half_width"), row.get("labelled_items")
    return CalibrationCurve(
        scorer, rubric, criterion, signature, points,
        None if half is None else _number(half), labels if isinstance(labels, int) else 0,
    )  # fmt: skip


def _knot(knot: Json) -> tuple[float, float]:
    if not isinstance(knot, list) or len(knot) != 2:
        raise ValueError("a knot is no pair of numbers")
    return _number(knot[0]), _number(knot[1])


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a knot or half-width is no number")
    return float(value)


@dataclass(frozen=True, slots=True)
class Matched:
    """The curve of each column, and what differs where only the names agree."""

    curves: Mapping[Column, CalibrationCurve]
    differing: tuple[str, ...]


def match_curves(curves: Sequence[CalibrationCurve], columns: Iterable[Column]) -> Matched:
    """The curves of columns by scorer, rubric, criterion and signature."""
    found: dict[Column, CalibrationCurve] = {}
    differing = []
    for column in columns:
        name = (column.scorer, column.rubric, column.criterion)
        for curve in curves:
            if (curve.scorer, curve.rubric, curve.criterion) != name:
                continue
            if curve.signature == column.signature:
                found[column] = curve
            else:
                differing.append(
                    f"{column.scorer} on {column.criterion}: {signature_difference(curve.signature, column.signature)}"
                )
    return Matched(found, tuple(differing))
