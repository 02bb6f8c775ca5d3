"""Whether two runs were measured with the same instrument: scores of different rubrics or judges are not compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from evalharness.core.policy import Policy
from evalharness.core.snapshot import Series, Snapshot
from evalharness.errors import Problem, RunConflictError
from evalharness.gate.confirming import SeriesKey


def check_same_instrument(
    baseline: Snapshot, run: Snapshot, policy: Policy, bridged: Collection[SeriesKey] = ()
) -> None:
    """Raise :class:`RunConflictError` naming every gating column that the runs don't share with one signature.

    Columns in ``bridged`` may differ: anchors or labels join their scales.
    """
    problems = list(_differences(baseline, run, policy, bridged))
    if problems:
        head = Problem(f"{run.name} was not measured as the baseline {baseline.name} was")
        tail = Problem(
            "these scores can't be compared",
            fix="Score both with the same rubric, judge and metrics, bridge them with anchors or labels, or set "
            "`gate: false` for these criteria.",
        )
        raise RunConflictError([head, *problems, tail])


def with_judges_of(baseline: Snapshot, run: Snapshot) -> Snapshot:
    """The baseline with a judge that the run has no more named like the one that took its place, where that is clear.

    It is clear where both runs have one judge each for a criterion of a rubric. The signature stays, so the change of
    the judge is seen, refused or bridged.
    """
    return replace(baseline, series=tuple(_renamed(series, baseline, run) for series in baseline.series))


def _renamed(series: Series, baseline: Snapshot, run: Snapshot) -> Series:
    if run.find(series.key) is not None or not series.column.judged:
        return series
    old, new = ([s for s in snapshot.series if s.key[1:] == series.key[1:]] for snapshot in (baseline, run))
    if len(old) != 1 or len(new) != 1:
        return series
    return replace(series, column=replace(series.column, scorer=new[0].column.scorer))


def changed_columns(baseline: Snapshot, run: Snapshot, policy: Policy) -> dict[SeriesKey, str]:
    """The gating columns that both runs have with different signatures, and how these differ."""
    found = {}
    for series in baseline.series:
        other = run.find(series.key)
        if other is None or policy.why_not_gating(other.column) is not None:
            continue
        changed = changed_parts(series.column.signature, other.column.signature)
        if changed:
            found[series.key] = changed
    return found


def _differences(
    baseline: Snapshot, run: Snapshot, policy: Policy, bridged: Collection[SeriesKey]
) -> Iterator[Problem]:
    for series in baseline.series:
        if policy.why_not_gating(series.column) is not None or series.key in bridged:
            continue
        other = run.find(series.key)
        if other is None:
            yield Problem(f"  {title(series)}: in the baseline, not in the run")
        elif other.column.signature != series.column.signature:
            changed = changed_parts(series.column.signature, other.column.signature)
            yield Problem(f"  {title(series)}: {changed}")


def title(series: Series) -> str:
    """A column's name in messages."""
    column = series.column
    return (
        f"{column.criterion} ({column.scorer} on {column.rubric})"
        if column.rubric
        else f"metric {column.criterion}"
    )


def changed_parts(before: str, now: str) -> str:
    """Which parts of a signature differ, each with both values; empty where none does."""
    old, new = _parts(before), _parts(now)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name} was {old.get(name, 'absent')}, is {new.get(name, 'absent')}" for name in names)


def _parts(signature: str) -> dict[str, str]:
    return {part.partition(":")[0]: part.partition(":")[2] for part in signature.split("|")}
