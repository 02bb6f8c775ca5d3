"""Files of calibrations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from evalharness.core.calibration import CalibrationCurve, curve_from_json, match_curves
from evalharness.core.scores import Column
from evalharness.data.reading import RecordError
from evalharness.data.strictjson import loads
from evalharness.errors import InputError, Problem, UsageError

FORMAT = 1


def read_calibration(path: Path) -> tuple[CalibrationCurve, ...]:
    """The curves of a file that `calibrate` wrote; :class:`InputError` for anything else."""
    try:
        document = loads(path.read_bytes())
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"this is no calibration of format {FORMAT}")
        rows = document.get("calibrations")
        if not isinstance(rows, list) or not rows:
            raise ValueError("it holds no calibrations")
        return tuple(curve_from_json(row) for row in rows)
    except (OSError, RecordError, ValueError, json.JSONDecodeError) as error:
        text = error.message if isinstance(error, RecordError) else str(error)
        fix = "Name a file that `evalharness calibrate` wrote."
        raise InputError(Problem(f"no calibration: {text}", str(path), fix=fix)) from error


def curves_for(path: Path, columns: Iterable[Column]) -> Mapping[Column, CalibrationCurve]:
    """The curve of each column that the file speaks about.

    A :class:`UsageError` where the names agree and what made the scores differs, saying what, or where none agrees.
    """
    found = match_curves(read_calibration(path), columns)
    if found.differing:
        head = Problem(f"{path} was made for another judge, rubric or prompt")
        fix = "Calibrate this judge anew with `evalharness calibrate`, or leave the calibration out."
        raise UsageError(
            [head, *map(Problem, found.differing[:10]), Problem("nothing was scored or written", fix=fix)]
        )
    if not found.curves:
        raise UsageError(f"{path} speaks about no judge of this run", fix="Calibrate this run with labels.")
    return found.curves
