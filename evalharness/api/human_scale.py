"""Two runs on the scale of human labels: by labels on both, or by a calibration of their judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalharness.api.folder import open_run
from evalharness.api.labelled import ItemName, label_means, label_means_by_names, of_criterion
from evalharness.core.calibration import CalibrationCurve
from evalharness.core.policy import Policy
from evalharness.core.snapshot import Snapshot
from evalharness.data.labels.read import LabelSet, read_labels
from evalharness.errors import InputError, Problem
from evalharness.gate.calibrated import calibrated
from evalharness.gate.confirming import SeriesKey
from evalharness.gate.debiasing import RunLabels, out_of_scale


def labels_of_runs(
    files: Sequence[str], baseline: tuple[Path, Snapshot], run: tuple[Path, Snapshot], policy: Policy
) -> dict[SeriesKey, RunLabels]:
    """The labels of every gating judged column on the items of both runs.

    ``InputError`` for labels about no dialogue of either run, off the criterion's scale, or of no criterion that gates.
    """
    found = read_labels(files)
    check_known(found, [baseline[1], run[1]])
    old, new = _means(*baseline, found), _means(*run, found)
    rows: dict[SeriesKey, RunLabels] = {}
    for series in run[1].series:
        column = series.column
        if not column.judged or policy.why_not_gating(column) is not None:
            continue
        labels = RunLabels(of_criterion(old, column.criterion), of_criterion(new, column.criterion))
        if not labels.baseline and not labels.run:
            continue
        both = (labels.baseline, labels.run)
        off = next((value for each in both if (value := out_of_scale(column, each)) is not None), None)
        if off is not None:
            raise InputError(
                f"a label on {column.criterion} is {off:g}, outside its scale of {column.low:g} to {column.high:g}",
                fix="Labels for a gate must be on the rubric's scale.",
            )
        rows[series.key] = labels
    if not rows:
        names = ", ".join(sorted({*old, *new})) or "none"
        raise InputError(f"no gating criterion has labels (labelled: {names})")
    return rows


def calibrated_runs(
    baseline: Snapshot, run: Snapshot, curves: Sequence[CalibrationCurve]
) -> tuple[Snapshot, Snapshot, dict[SeriesKey, str]]:
    """Both runs with calibrated scores where both have a curve of their instrument, and what is to be said of it."""
    old, old_outside = calibrated(baseline, curves)
    new, new_outside = calibrated(run, curves)
    both = old_outside.keys() & new_outside.keys()
    if not both:
        raise InputError(
            "the calibrations belong to no column that both runs have",
            fix="A calibration fits the judge, rubric and prompt that it was made with.",
        )
    told = {}
    for key in sorted(both):
        told[key] = "scores are calibrated; the calibration's own error is not in the bounds"
        outside = old_outside[key] + new_outside[key]
        if outside:
            told[key] += f"; {outside:,} scores lie outside the range that labels covered"
    return _only(baseline, old, both), _only(run, new, both), told


def _only(plain: Snapshot, changed: Snapshot, keys: set[SeriesKey]) -> Snapshot:
    series = tuple(c if c.key in keys else p for p, c in zip(plain.series, changed.series, strict=True))
    return replace(plain, series=series)


def _means(path: Path, snapshot: Snapshot, labels: LabelSet) -> Mapping[str, dict[ItemName, float]]:
    if path.is_dir():
        with open_run(path) as (_, ledger):
            return label_means(ledger, labels)
    return label_means_by_names(snapshot, labels)


def check_known(labels: LabelSet, runs: Sequence[Snapshot]) -> None:
    """Raise ``InputError`` for labels of a dialogue that none of the runs has."""
    known = {subject.id for run in runs for subject in run.subjects}
    unknown = [label for label in labels.labels if label.dialogue not in known]
    if unknown:
        first = unknown[0]
        message = (
            f"{len(unknown)} labels are about dialogues that no run has, the first about {first.dialogue!r}"
        )
        raise InputError(Problem(message, first.source, first.line))
