"""Both runs on the scale of human labels by a calibration of the judge that scored them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.core.calibration import CalibrationCurve
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.gate.confirming import SeriesKey


def calibrated(
    snapshot: Snapshot, curves: Sequence[CalibrationCurve]
) -> tuple[Snapshot, dict[SeriesKey, int]]:
    """Return the run with the scores of every column that a curve was fitted on replaced by calibrated ones.

    A curve belongs to a signature, so each judge is calibrated by its own. Beside it stand the columns that were, each
    with how many of its scores lie outside the range that labels covered.
    """
    known: Mapping[tuple[str, str, str], CalibrationCurve] = {
        (curve.rubric, curve.criterion, curve.signature): curve for curve in curves
    }
    outside: dict[SeriesKey, int] = {}
    series = []
    for each in snapshot.series:
        curve = known.get((each.column.rubric, each.column.criterion, each.column.signature))
        if curve is not None:
            outside[each.key] = sum(
                mark.value is not None and curve.outside(mark.value) for mark in each.marks
            )
            each = _through(each, curve)
        series.append(each)
    return replace(snapshot, series=tuple(series)), outside


def _through(series: Series, curve: CalibrationCurve) -> Series:
    return replace(series, marks=tuple(_mark(mark, curve) for mark in series.marks))


def _mark(mark: Mark, curve: CalibrationCurve) -> Mark:
    if mark.value is None:
        return mark
    return mark._replace(value=curve(mark.value), samples=tuple(curve(value) for value in mark.samples))
