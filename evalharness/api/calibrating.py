"""Calibrating the judges of a run with labels, and applying a calibration to the scores of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evalharness.analysis.agreement.calibrating import Calibrated, calibrate
from evalharness.analysis.agreement.contest import AgreeOptions, Contest, contests
from evalharness.analysis.agreement.joining import JoinOptions
from evalharness.analysis.agreement.table import ratings_of
from evalharness.api.agreeing import check_names, joined_scores
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import open_run
from evalharness.core.calibration import CalibrationCurve
from evalharness.core.canonical import Json
from evalharness.core.scores import OVERALL, Column, Score
from evalharness.data.calibrations import FORMAT, curves_for
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, Problem, UsageError
from evalharness.report.document import estimate_json
from evalharness.stats.arrays import FloatArray
from evalharness.stats.debias import DebiasedMean
from evalharness.stats.estimate import Estimate
from evalharness.stats.unfitted import Unfitted


@dataclass(frozen=True, slots=True)
class CalibrateJob:
    """Everything that `evalharness calibrate` can be told; ``probability`` is the metadata name of the chance with
    which a dialogue was drawn for labelling, for labels that don't state it themselves."""

    run: Path
    labels: tuple[str, ...]
    out: Path
    label_options: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)
    probability: str | None = None


@dataclass(frozen=True, slots=True)
class CalibrateResult:
    """The calibrations, those that could not be made with the reason, and the file."""

    calibrated: tuple[Calibrated, ...]
    unfitted: tuple[tuple[str, str], ...]
    path: Path


def run_calibrate(job: CalibrateJob, stdin: BinaryIO | None = None) -> CalibrateResult:
    """Calibrate every judge that has labels, and write the curves as JSON."""
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    slices = () if job.probability is None else (job.probability,)
    join = JoinOptions(job.join.key, job.join.raters, slices)
    with open_run(job.run) as (_, ledger):
        joined, table = joined_scores(ledger, found, join)
    check_names(table, joined, job.options)
    held = contests(table, ratings_of(joined.labels, joined.dialogues), joined.dialogues, job.options)
    by_name = {(c.column.scorer, c.column.rubric, c.column.criterion): c for c in table.columns}
    clusters = {name: facts.cluster for name, facts in joined.dialogues.items()}
    done: list[Calibrated] = []
    unfitted: list[tuple[str, str]] = []
    for contest in held:
        chance = _probabilities(contest, job.probability, joined.dialogues)
        for judge in contest.judges:
            column = by_name.get((judge.scorer, judge.rubric, contest.criterion))
            if column is None or column.column.criterion == OVERALL:
                continue
            result = calibrate(contest, judge, table, column, clusters, chance)
            if isinstance(result, Unfitted):
                unfitted.append((f"{judge.scorer} on {contest.criterion}", result.reason))
            else:
                done.append(result)
    if not done:
        reasons = "; ".join(f"{name}: {why}" for name, why in unfitted) or "no judge has labels"
        raise InputError(Problem(f"nothing could be calibrated ({reasons})"))
    write_text(job.out, calibration_json(done))
    return CalibrateResult(tuple(done), tuple(unfitted), job.out)


def _probabilities(contest: Contest, name: str | None, facts: Mapping[str, object]) -> FloatArray | None:
    """With which probability each labelled item had been drawn; None where all had the same."""
    if name is None:
        return contest.drawing.chances if contest.drawing.weighs else None
    found = []
    for item in contest.items:
        text = getattr(facts[item.dialogue], "slices", {}).get(name, "")
        try:
            chance = float(text)
        except ValueError:
            chance = 0.0
        if not 0.0 < chance <= 1.0:
            raise UsageError(
                f"metadata.{name} of {item.dialogue!r} is {text!r}, no probability above 0 and at most 1"
            )
        found.append(chance)
    return np.array(found)


def calibration_json(rows: list[Calibrated]) -> str:
    """The text of a calibration file."""
    document = {"format": FORMAT, "calibrations": [_json(row) for row in rows]}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _json(row: Calibrated) -> dict[str, Json]:
    return {
        "scorer": row.scorer,
        "rubric": row.rubric,
        "criterion": row.criterion,
        "signature": row.signature,
        "labelled_items": row.n,
        "low": row.low,
        "high": row.high,
        "knots": [list(knot) for knot in row.curve],
        "half_width": row.half_width,
        "ece_raw": estimate_json(row.raw.ece),
        "ece_noise_floor": row.raw.noise_floor,
        "bias_raw": estimate_json(row.raw.bias),
        "ece_calibrated": None if row.calibrated is None else estimate_json(row.calibrated.ece),
        "reliability": [
            {
                "low": b.low,
                "high": b.high,
                "predicted": b.predicted,
                "observed": estimate_json(b.observed),
                "n": b.n,
            }
            for b in row.reliability
        ],
        "brier": _maybe(row.brier),
        "murphy": None if row.murphy is None else asdict(row.murphy),
        "ranked_probability_score": _maybe(row.rps),
        "conformal_coverage_out_of_fold": _maybe(row.coverage),
        "mean": _debiased(row.mean),
        "mean_post_stratified": None if row.by_strata is None else _debiased(row.by_strata),
        "rate_rogan_gladen": _maybe(row.corrected_rate),
        "notes": list(row.notes),
    }


def _maybe(estimate: Estimate | None) -> Json:
    return None if estimate is None else estimate_json(estimate)


def _debiased(found: DebiasedMean) -> dict[str, Json]:
    return {
        "debiased": estimate_json(found.estimate),
        "human_only": estimate_json(found.human_only),
        "judge_only": found.judge_only,
        "weight": found.weight,
        "correlation": found.correlation,
        "effective_labels": found.effective_labels,
        "labels": found.labels,
        "unlabelled": found.unlabelled,
        "cautions": [caution.text for caution in found.cautions],
    }


def apply_calibration(run: Path, file: Path, out: Path | None = None) -> Path:
    """Write raw and calibrated values of a run as JSON Lines; a judge made otherwise is a :class:`UsageError`."""
    with open_run(run) as (folder, ledger):
        columns = planned_columns(ledger)
        chosen = curves_for(file, [column for group in columns.values() for column in group])
        path = out or folder.path / "calibrated.jsonl"
        write_text(path, _lines(ledger, columns, chosen))
    return path


def _lines(
    ledger: Ledger, columns: Mapping[int, tuple[Column, ...]], chosen: Mapping[Column, CalibrationCurve]
) -> Iterator[str]:
    numbers = [number for number, group in columns.items() if any(column in chosen for column in group)]
    for row in ledger.outcomes(numbers):
        for column, result in zip(columns[row.scorer], row.results, strict=True):
            curve = chosen.get(column)
            if curve is None or not isinstance(result, Score) or isinstance(result.value, str):
                continue
            yield (
                json.dumps(
                    {
                        "dialogue": row.dialogue,
                        "turn": row.turn,
                        "scorer": column.scorer,
                        "rubric": column.rubric,
                        "criterion": column.criterion,
                        "raw": result.value,
                        "calibrated": curve(result.value),
                        "half_width": curve.half_width,
                        "outside_labelled_range": curve.outside(result.value),
                    }
                )
                + "\n"
            )
