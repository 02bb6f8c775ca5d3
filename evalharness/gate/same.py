"""Whether two runs were measured with the same instrument: scores of different rubrics or judges are not compared."""

from __future__ import annotations

from collections.abc import Iterator

from evalharness.core.policy import Policy
from evalharness.core.snapshot import Series, Snapshot
from evalharness.errors import Problem, RunConflictError


def check_same_instrument(baseline: Snapshot, run: Snapshot, policy: Policy) -> None:
    """Raise :class:`RunConflictError` naming every gating column that the runs don't share with one signature."""
    problems = list(_differences(baseline, run, policy))
    if problems:
        head = Problem(f"{run.name} was not measured as the baseline {baseline.name} was")
        tail = Problem(
            "these scores can't be compared",
            fix="Score both with the same rubric, judge and metrics, or set `gate: false` for these criteria.",
        )
        raise RunConflictError([head, *problems, tail])


def _differences(baseline: Snapshot, run: Snapshot, policy: Policy) -> Iterator[Problem]:
    for series in baseline.series:
        if policy.why_not_gating(series.column) is not None:
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
