"""The verdict: every criterion, every demand, then all of them together.

A criterion passes when its lower bound clears the tolerated drop (uncorrected: all must pass, an intersection-union
test). It fails when the drop is real (upper bound below 0 and significant after Holm over the gating criteria)
and the estimate is at or beyond the tolerated drop, when a floor is missed with confidence, or on too many new
failures. It is inconclusive otherwise: "not significant" never passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from evalharness.core.policy import Policy
from evalharness.core.snapshot import Series, Snapshot
from evalharness.gate.compare import Measured, measure, unordered
from evalharness.gate.confirming import SeriesKey
from evalharness.gate.evidence import NOTHING, Evidence
from evalharness.gate.failing import judged_failures, must_pass
from evalharness.gate.pairing import identical
from evalharness.gate.rulers import corrected, moved_text, ruler_notes
from evalharness.gate.types import Comparison, Demand, Difference, GateResult, SliceRow, Verdict
from evalharness.stats.multiple import benjamini_hochberg, holm

_FEW = 15


def gate(baseline: Snapshot, run: Snapshot, policy: Policy, evidence: Evidence = NOTHING) -> GateResult:
    """Return the verdict on a run; both runs must have the same signatures (see :mod:`evalharness.gate.same`).

    ``evidence`` is what was judged besides the two runs: failures asked about again.
    """
    same = identical(baseline, run)
    measured = [_measured(baseline, run, series, policy, same, evidence) for series in run.series]
    found = [row for row in measured if row is not None]
    gating = [row for row in found if policy.why_not_gating(row.column) is None]
    adjusted = dict(
        zip((id(row) for row in gating), holm([row.difference.p_drop for row in gating]), strict=True)
    )
    slices = _adjusted_slices(gating, policy)
    rows = tuple(
        _comparison(row, policy, adjusted.get(id(row)), slices.get(id(row), ()), evidence) for row in found
    )
    demands = tuple(_demands(run, gating, policy, evidence))
    verdict = _together(
        [row.verdict for row in rows if row.verdict is not None], [demand.verdict for demand in demands]
    )
    if any(evidence.moved(_key(row)) for row in gating):
        verdict = Verdict.INCONCLUSIVE  # a ruler that moved has measured nothing, in either direction
    return GateResult(
        verdict=verdict,
        run=run.name,
        baseline=baseline.name,
        baseline_created=baseline.created,
        policy=policy,
        comparisons=rows,
        demands=demands,
        notes=(*_notes(baseline, run, rows), *_ruler_notes(rows, policy), *_label_notes(rows, evidence)),
        identical=same,
    )


def _measured(
    baseline: Snapshot, run: Snapshot, series: Series, policy: Policy, same: bool, evidence: Evidence
) -> Measured | None:
    first = baseline.find(series.key)
    if first is None:
        return None
    if series.column.nominal or series.column.higher_is_better is None:
        return unordered(series.column, series)
    same = same and series.key not in evidence.changed
    return measure(baseline, first, run, series, policy, same=same, evidence=evidence)


def _comparison(
    row: Measured, policy: Policy, p_holm: float | None, slices: Sequence[SliceRow], evidence: Evidence
) -> Comparison:
    stated = policy.of(row.column)
    why_not = policy.why_not_gating(row.column)
    difference = row.difference
    real = (
        p_holm is not None
        and p_holm <= policy.alpha
        and difference.upper is not None
        and difference.upper < 0.0
    )
    verdict, reasons = (None, ()) if why_not else _decided(row, policy, real, evidence)
    return Comparison(
        column=row.column,
        verdict=verdict,
        reasons=reasons,
        not_gating=why_not,
        margin=policy.margin(row.column),
        baseline_mean=row.baseline_mean,
        run_mean=row.run_mean,
        difference=difference,
        p_holm=p_holm,
        real_drop=real,
        unpaired=row.pairing.unpaired,
        by_means=row.pairing.by_means,
        reach=row.reach,
        pass_rate=row.pass_rate,
        min_pass_rate=stated.min_pass_rate,
        new_failures=row.new_failures,
        without_verdict=row.without_verdict,
        worst=row.worst,
        slices=tuple(slices) or row.slices,
        policy_line=stated.line,
        ruler=evidence.rulers.get(_key(row)),
        corrected=_corrected(row, policy, evidence),
        judge_difference=row.judge_difference,
        doubts=row.doubts,
    )


def _decided(
    row: Measured, policy: Policy, real: bool, evidence: Evidence
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a criterion with its reasons: those of the worst verdict that was reached."""
    unbridged = evidence.unbridged.get(_key(row))
    if unbridged is not None:
        return Verdict.INCONCLUSIVE, (
            f"measured otherwise than the baseline ({unbridged}), and nothing bridges it",
        )
    moved = evidence.moved(_key(row))
    if moved is not None:
        return Verdict.INCONCLUSIVE, (moved_text(moved, _corrected(row, policy, evidence)),)
    found = [_drop(row, policy, real), *_coverage(row, policy)]
    failures = judged_failures(row.new_failures, row.column, policy, evidence.again)
    if failures is not None and row.new_failures and _key(row) in evidence.changed:
        failures = Verdict.INCONCLUSIVE, "new failures can't be told from those of the changed instrument"
    for extra in (_floor(row, policy), failures):
        if extra is not None:
            found.append(extra)
    verdict = _together([each for each, _ in found])
    return verdict, tuple(reason for each, reason in found if each is verdict and reason)


def _corrected(row: Measured, policy: Policy, evidence: Evidence) -> Difference | None:
    moved = evidence.moved(_key(row))
    return None if moved is None else corrected(row.difference, moved, policy.confidence)


def _key(row: Measured) -> SeriesKey:
    return (row.column.scorer, row.column.rubric, row.column.criterion)


def _drop(row: Measured, policy: Policy, real: bool) -> tuple[Verdict, str]:
    difference, margin = row.difference, policy.margin(row.column)
    assert margin is not None
    if difference.value is None:
        return Verdict.INCONCLUSIVE, difference.undefined or "no difference can be computed"
    if real and difference.value <= -margin:
        return Verdict.FAIL, "a real drop, at or beyond the tolerated one"
    if difference.lower is None:
        return Verdict.INCONCLUSIVE, "a single group: its error can't be estimated"
    # A run that changed nothing has bounds at 0 and must clear a tolerated drop of 0 too.
    if difference.lower > -margin or difference.lower == difference.upper == 0.0:
        return Verdict.PASS, "a real drop, within the tolerated one" if real else ""
    if real:
        return Verdict.INCONCLUSIVE, "a real drop; it can't be told whether it is within the tolerated one"
    if difference.upper is not None and difference.upper < 0.0:
        return (
            Verdict.INCONCLUSIVE,
            "a drop by itself, but not certain enough for one of so many criteria (Holm)",
        )
    return Verdict.INCONCLUSIVE, "too little evidence to rule out a drop of the tolerated size"


def _coverage(row: Measured, policy: Policy) -> Iterator[tuple[Verdict, str]]:
    without, items = row.without_verdict
    if items and without / items > policy.max_failed:
        yield (
            Verdict.INCONCLUSIVE,
            f"{without} of {items} items have no verdict, more than {100 * policy.max_failed:g} %",
        )
    lost = row.pairing.baseline_lost
    if row.pairing.units and lost > policy.max_unpaired:
        yield (
            Verdict.INCONCLUSIVE,
            f"{100 * lost:.0f} % of the baseline have no counterpart, more than {100 * policy.max_unpaired:g} %",
        )


def _floor(row: Measured, policy: Policy) -> tuple[Verdict, str] | None:
    floor, rate = policy.of(row.column).min_pass_rate, row.pass_rate
    if floor is None:
        return None
    if rate is None or rate.value is None:
        return Verdict.INCONCLUSIVE, "the pass rate is not known"
    wanted = f"{100 * floor:g} %"
    if rate.high is not None and rate.high < floor:
        return Verdict.FAIL, f"the pass rate is below {wanted}"
    if rate.value < floor:
        return Verdict.INCONCLUSIVE, f"the pass rate may be below {wanted}"
    return Verdict.PASS, ""


def _demands(
    run: Snapshot, gating: Sequence[Measured], policy: Policy, evidence: Evidence
) -> Iterator[Demand]:
    if not gating:
        yield Demand("criteria", Verdict.INCONCLUSIVE, "no criterion gates, so nothing was decided")
    if evidence.unread:
        yield Demand("anchors", Verdict.INCONCLUSIVE, f"not judged afresh: {evidence.unread}")
    if run.partial:
        yield Demand("complete run", Verdict.INCONCLUSIVE, f"the run is partial: {run.partial}")
    keys = {_key(row) for row in gating}
    gated = [series for series in run.series if series.key in keys]
    yield from must_pass(policy, run, gated, evidence.again)


def _together(*verdicts: Sequence[Verdict]) -> Verdict:
    found = {verdict for part in verdicts for verdict in part}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in found:
            return verdict
    return Verdict.PASS


def _adjusted_slices(gating: Sequence[Measured], policy: Policy) -> dict[int, tuple[SliceRow, ...]]:
    flat = [(id(row), part) for row in gating for part in row.slices]
    adjusted = benjamini_hochberg([part.difference.p_drop for _, part in flat])
    found: dict[int, tuple[SliceRow, ...]] = {}
    for (key, part), p in zip(flat, adjusted, strict=True):
        dropped = p is not None and p <= policy.alpha and (part.difference.value or 0.0) < 0.0
        found[key] = (*found.get(key, ()), replace(part, p_adjusted=p, dropped=dropped))
    return found


def _ruler_notes(rows: Sequence[Comparison], policy: Policy) -> Iterator[str]:
    for row in rows:
        if row.verdict is not None and row.ruler is not None:
            yield from ruler_notes(row.ruler, policy.confidence)


def _label_notes(rows: Sequence[Comparison], evidence: Evidence) -> Iterator[str]:
    for row in rows:
        column = row.column
        name = f"{column.criterion} ({column.scorer})"
        if row.verdict is not None and row.doubts:
            yield f"{name}: {'; '.join(row.doubts)}"
        told = evidence.calibrated.get((column.scorer, column.rubric, column.criterion))
        if row.verdict is not None and told:
            yield f"{name}: {told}"


def _notes(baseline: Snapshot, run: Snapshot, rows: Sequence[Comparison]) -> Iterator[str]:
    if baseline.partial:
        yield f"the baseline is partial: {baseline.partial}"
    for judge in sorted({*run.toy_judges, *baseline.toy_judges}):
        yield f"{judge} is a toy judge for trying things out: don't base decisions on its scores"
    new = [series.column.criterion for series in run.series if baseline.find(series.key) is None]
    if new:
        yield f"not in the baseline, so not compared: {', '.join(new)}"
    gating = [row for row in rows if row.verdict is not None]
    if any(not row.difference.paired for row in gating):
        yield "nothing could be paired: the runs were compared as independent samples (see pair_by)"
    groups = [row.difference.groups for row in gating if row.difference.groups]
    if groups and min(groups) < _FEW:
        yield f"only {min(groups)} groups: with fewer than {_FEW}, intervals lean on the shape of the differences"
