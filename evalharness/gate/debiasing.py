"""The difference of two runs on the scale of human labels: the judge, less what it gets wrong.

Where the labelled items of both runs belong together, prediction-powered inference works on the differences of pairs;
else each run's mean is debiased by its own labels, and the two are compared. Either way the judge's scores only make
the labels go further, so it does not matter whether both runs had the same judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.gate.differences import nothing
from evalharness.gate.pairing import Unit
from evalharness.gate.types import Difference
from evalharness.stats.debias import DebiasedMean, ppi_mean
from evalharness.stats.differences import MeanDifference, welch_df
from evalharness.stats.labelled_sample import LabelledSample
from evalharness.stats.noninferiority import one_sided

ItemLabels = Mapping[tuple[str, int | None], float]
"""Mean labels by dialogue and turn."""


@dataclass(frozen=True, slots=True)
class RunLabels:
    """The labels of one criterion on the items of both runs."""

    baseline: ItemLabels
    run: ItemLabels


@dataclass(frozen=True, slots=True)
class Side:
    """One run's column and the name under which its items are clustered."""

    snapshot: Snapshot
    series: Series
    pair_by: str


def debiased(
    units: Sequence[Unit], old: Side, new: Side, labels: RunLabels, confidence: float
) -> tuple[Difference, tuple[str, ...]]:
    """Return the debiased difference, positive where the run is better, and what makes it doubtful."""
    column = new.series.column
    sign = -1.0 if column.higher_is_better is False else 1.0
    known = (_count(old, labels.baseline), _count(new, labels.run))
    if min(known) == 0:
        reason = f"labels on {known[0]} items of the baseline and {known[1]} of the run: both need some"
        return nothing(reason), ()
    both = [unit for unit in units if _label(unit.baseline_marks, old, labels.baseline) is not None
            and _label(unit.run_marks, new, labels.run) is not None]  # fmt: skip
    if 2 * len(both) >= min(known) and len({unit.group for unit in both}) > 1:
        return _paired(units, old, new, labels, sign, confidence)
    return _separate(old, new, labels, sign, confidence)


def out_of_scale(column: Column, labels: ItemLabels) -> float | None:
    """Return a label that lies outside the column's scale, None where there is none."""
    if column.low is None or column.high is None:
        return None
    low, high = column.low, column.high
    return next((value for value in labels.values() if not low <= value <= high), None)


def _paired(
    units: Sequence[Unit], old: Side, new: Side, labels: RunLabels, sign: float, confidence: float
) -> tuple[Difference, tuple[str, ...]]:
    known: list[tuple[float, float, str]] = []
    rest: list[tuple[float, str]] = []
    for unit in units:
        assert unit.run is not None
        assert unit.baseline is not None
        judged = sign * (unit.run - unit.baseline)
        before, after = (
            _label(unit.baseline_marks, old, labels.baseline),
            _label(unit.run_marks, new, labels.run),
        )
        if before is None or after is None:
            rest.append((judged, unit.group))
        else:
            known.append((sign * (after - before), judged, unit.group))
    found = ppi_mean(_sample(known, rest))
    se, groups = found.estimate.se, len({group for *_, group in known})
    mean = MeanDifference(_value(found), se, None if se is None else float(groups - 1), len(units), groups)
    method = f"debiased by labels on {len(known)} pairs, {found.estimate.method.split(',')[0]}"
    return _difference(mean, method, confidence, paired=True), _doubts(found)


def _separate(
    old: Side, new: Side, labels: RunLabels, sign: float, confidence: float
) -> tuple[Difference, tuple[str, ...]]:
    sides = [_mean_of(old, labels.baseline), _mean_of(new, labels.run)]
    (first, first_groups), (second, second_groups) = sides
    value = sign * (_value(second) - _value(first))
    errors = first.estimate.se, second.estimate.se
    n = first.labels + first.unlabelled + second.labels + second.unlabelled
    se = df = None
    if errors[0] is not None and errors[1] is not None and min(first_groups, second_groups) > 1:
        se = math.hypot(errors[0], errors[1])
        df = welch_df(errors[0], first_groups, errors[1], second_groups)
    mean = MeanDifference(value, se, df, n, min(first_groups, second_groups))
    method = f"debiased by {first.labels} and {second.labels} labels, each run by its own, PPI++"
    texts = dict.fromkeys([*_doubts(first), *_doubts(second)])
    return _difference(mean, method, confidence, paired=False), tuple(texts)


def _mean_of(side: Side, labels: ItemLabels) -> tuple[DebiasedMean, int]:
    """The debiased mean of one run, and how many groups have a label."""
    known: list[tuple[float, float, str]] = []
    rest: list[tuple[float, str]] = []
    for mark in side.series.marks:
        if mark.value is None:
            continue
        subject = side.snapshot.subjects[mark.subject]
        group = subject.key(side.pair_by) or subject.id
        label = labels.get((subject.id, mark.turn))
        if label is None:
            rest.append((mark.value, group))
        else:
            known.append((label, mark.value, group))
    return ppi_mean(_sample(known, rest)), len({group for *_, group in known})


def _sample(known: Sequence[tuple[float, float, str]], rest: Sequence[tuple[float, str]]) -> LabelledSample:
    return LabelledSample.of(
        np.array([label for label, _, _ in known]),
        np.array([judged for _, judged, _ in known]),
        np.array([judged for judged, _ in rest], dtype=np.float64),
        groups=np.array([group for *_, group in known]),
        rest_groups=np.array([group for _, group in rest], dtype=np.str_),
    )


def _label(marks: Sequence[Mark], side: Side, labels: ItemLabels) -> float | None:
    """The mean label of a unit's scored marks, None unless all of them have one."""
    found = [
        labels.get((side.snapshot.subjects[mark.subject].id, mark.turn))
        for mark in marks
        if mark.value is not None
    ]
    known = [label for label in found if label is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(found) else None


def _count(side: Side, labels: ItemLabels) -> int:
    """How many scored items have a label."""
    subjects = side.snapshot.subjects
    return sum(
        mark.value is not None and (subjects[mark.subject].id, mark.turn) in labels
        for mark in side.series.marks
    )


def _value(found: DebiasedMean) -> float:
    return found.estimate.require()


def _doubts(found: DebiasedMean) -> tuple[str, ...]:
    return tuple(caution.text for caution in found.cautions)


def _difference(mean: MeanDifference, method: str, confidence: float, *, paired: bool) -> Difference:
    test = one_sided(mean, margin=0.0, confidence=confidence)
    lower, upper, p = test.lower, test.upper, test.drop.p
    if not mean.se:
        lower = upper = p = None
    df = "no error can be estimated" if mean.df is None else f"t({mean.df:.4g})"
    return Difference(
        mean.value, mean.se, lower, upper, p, f"{method}, {df}", mean.n, mean.groups, paired=paired
    )
