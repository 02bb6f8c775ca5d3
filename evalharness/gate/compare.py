"""One column of a run against the baseline's: difference, floors, failures; everything before the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.gate.confirming import pass_rule
from evalharness.gate.debiasing import Side, debiased
from evalharness.gate.differences import bounded, independent_samples, nothing, paired_units, reach
from evalharness.gate.evidence import NOTHING, Evidence
from evalharness.gate.failing import new_failures
from evalharness.gate.pairing import Pairing, Unit, pair
from evalharness.gate.rulers import corrected
from evalharness.gate.types import Difference, Failing, Reach, SliceRow, Unpaired, Worst
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rates import wilson_clustered

_WORST = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """A column measured in both runs."""

    column: Column
    pairing: Pairing
    difference: Difference
    reach: Reach
    baseline_mean: Estimate
    run_mean: Estimate
    pass_rate: Estimate | None
    new_failures: tuple[Failing, ...]
    without_verdict: tuple[int, int]
    worst: tuple[Worst, ...]
    slices: tuple[SliceRow, ...]
    judge_difference: Difference | None = None
    doubts: tuple[str, ...] = ()


def measure(
    baseline: Snapshot,
    first: Series,
    run: Snapshot,
    second: Series,
    policy: Policy,
    *,
    same: bool,
    evidence: Evidence = NOTHING,
) -> Measured:
    """Return everything about one ordered column that both runs have."""
    column = second.column
    sign = -1.0 if column.higher_is_better is False else 1.0
    scale = None if column.low is None or column.high is None else (column.low, column.high)
    span = None if scale is None else scale[1] - scale[0]
    pairing = pair(baseline, first, run, second, policy.pair_by)
    difference = paired_units(pairing.units, sign, span, policy.confidence, same=same)
    if not pairing.units:
        difference = independent_samples(
            _scored(baseline, first, policy), _scored(run, second, policy), sign, policy.confidence
        )
    labels, bridge = evidence.labels.get(second.key), evidence.bridge(second.key)
    judged: Difference | None = None
    doubts: tuple[str, ...] = ()
    if labels is not None and not same:
        judged = difference
        sides = (Side(baseline, first, policy.pair_by), Side(run, second, policy.pair_by))
        difference, doubts = debiased(pairing.units, *sides, labels, policy.confidence)
    elif bridge is not None:
        difference = corrected(difference, bridge, policy.confidence)
    difference = _with_bounds(difference, bounded(difference, pairing.loose, sign, scale))
    return Measured(
        column=column,
        pairing=pairing,
        difference=difference,
        reach=reach(
            difference, () if judged is not None else pairing.units, policy.margin(column), policy.confidence
        ),
        baseline_mean=_mean(baseline, first, policy),
        run_mean=_mean(run, second, policy),
        pass_rate=_pass_rate(run, second, policy),
        new_failures=new_failures(pairing.units, second, run, policy, evidence.again),
        without_verdict=(second.without_verdict, second.items),
        worst=_worst(pairing.units, sign, run),
        slices=tuple(_slices(run, pairing.units, policy, sign, span)),
        judge_difference=judged,
        doubts=doubts,
    )


def unordered(column: Column, second: Series) -> Measured:
    """Return a column that can't be compared: nothing but its counts."""
    reason = "not compared"
    empty = undefined(reason)
    without = (second.without_verdict, second.items)
    return Measured(
        column, Pairing((), (), Unpaired(), 0), nothing(reason), Reach(None, None, None), empty, empty, None,
        (), without, (), (),
    )  # fmt: skip


def _with_bounds(difference: Difference, bounds: tuple[float, float] | None) -> Difference:
    return replace(difference, bounds=bounds)


def _scored(snapshot: Snapshot, series: Series, policy: Policy) -> list[tuple[str, float]]:
    found = []
    for mark in series.marks:
        if mark.value is not None:
            subject = snapshot.subjects[mark.subject]
            found.append((subject.key(policy.pair_by) or subject.id, mark.value))
    return found


def _mean(snapshot: Snapshot, series: Series, policy: Policy) -> Estimate:
    scored = _scored(snapshot, series, policy)
    return mean_interval([value for _, value in scored], [group for group, _ in scored])


def _pass_rate(run: Snapshot, series: Series, policy: Policy) -> Estimate | None:
    """Share of passing items with the interval whose ends are one-sided bounds at the policy's confidence."""
    rule = pass_rule(series.column)
    if rule is None:
        return None
    scored = _scored(run, series, policy)
    passed = [float(rule(value)) for _, value in scored]
    return wilson_clustered(passed, [group for group, _ in scored], 2 * policy.confidence - 1)


def _worst(units: Sequence[Unit], sign: float, run: Snapshot) -> tuple[Worst, ...]:
    drops = [
        (sign * (unit.run - unit.baseline), unit.group, unit.reply or 0, unit)
        for unit in units
        if unit.run is not None and unit.baseline is not None
    ]
    drops = sorted((row for row in drops if row[0] < 0.0), key=lambda row: row[:3])[:_WORST]
    return tuple(_worst_row(unit, sign, run) for *_, unit in drops)


def _worst_row(unit: Unit, sign: float, run: Snapshot) -> Worst:
    assert unit.baseline is not None
    assert unit.run is not None
    scored = [mark for mark in unit.run_marks if mark.value is not None]
    mark: Mark = min(scored, key=lambda mark: sign * (mark.value or 0.0))
    subject = run.subjects[mark.subject]
    return Worst(
        subject.id, mark.reply, mark.turn, unit.group, unit.baseline, unit.run, subject.source, subject.line
    )


def _slices(
    run: Snapshot, units: Sequence[Unit], policy: Policy, sign: float, span: float | None
) -> list[SliceRow]:
    rows = []
    for key in policy.slices:
        parts: dict[str, list[Unit]] = {}
        for unit in units:
            subject = run.subjects[unit.run_marks[0].subject]
            parts.setdefault(subject.metadata.get(key, ""), []).append(unit)
        for value in sorted(parts):
            difference = paired_units(parts[value], sign, span, policy.confidence)
            rows.append(SliceRow(key, value, difference, None, dropped=False))
    return rows
