"""Failures that count only once they are confirmed: which items must be judged again, and what the verdicts say.

A single verdict is noisy, and among many items some fail by chance alone. So an item that fails is judged again by
the same judge (or by the policy's ``confirm_by``), as often as ``confirm`` says; it counts when most of the fresh
verdicts fail. The verdict that picked the item is not among them: it was chosen because it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from evalharness.core.policy import Policy
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.gate.pairing import Unit, pair
from evalharness.gate.types import Failing, Fresh, Standing

SeriesKey: TypeAlias = tuple[str, str, str]
"""Scorer, rubric and criterion of a column."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An item whose failure needs fresh verdicts before it counts."""

    key: SeriesKey
    dialogue: str
    turn: int | None
    confirm: int


@dataclass(frozen=True, slots=True)
class Again:
    """What was judged again: fresh verdicts by column, dialogue and turn; ``missing`` says why there are no others."""

    verdicts: Mapping[tuple[SeriesKey, str, int | None], Fresh] = field(default_factory=dict)
    missing: str = ""


def doubts(baseline: Snapshot, run: Snapshot, policy: Policy) -> tuple[Doubt, ...]:
    """Return the failing items of the run on which a verdict depends and whose criterion wants confirmation."""
    found: dict[Doubt, None] = {}
    for series in run.series:
        column = series.column
        rule, confirm = pass_rule(column), policy.confirm_of(column)
        if rule is None or not policy.asks_again(column) or policy.why_not_gating(column) is not None:
            continue
        marks = _must_fail(run, series, rule, policy)
        first = baseline.find(series.key)
        if first is not None and failure_limit(column, policy) is not None:
            pairing = pair(baseline, first, run, series, policy.pair_by)
            marks += list(newly_failing(pairing.units, rule))
        for mark in marks:
            found[Doubt(series.key, run.subjects[mark.subject].id, mark.turn, confirm)] = None
    return tuple(found)


def failure_limit(column: Column, policy: Policy) -> int | None:
    """Return how many new failures are tolerated: the policy's number, or none where the rubric says ``must``."""
    stated = policy.of(column).max_new_failures
    return stated if stated is not None else (0 if column.must else None)


def pass_rule(column: Column) -> PassRule | None:
    """Return the column's pass rule, if it has one."""
    return None if column.passes is None else PassRule.parse(column.passes)


def fails(marks: Iterable[Mark], rule: PassRule) -> list[Mark]:
    """Return the scored marks that miss the pass mark."""
    return [mark for mark in marks if mark.value is not None and not rule(mark.value)]


def newly_failing(units: Iterable[Unit], rule: PassRule) -> Iterable[Mark]:
    """Return marks of the run that fail where the baseline's counterpart was scored and nothing of it failed."""
    for unit in units:
        if unit.baseline is not None and not fails(unit.baseline_marks, rule):
            yield from fails(unit.run_marks, rule)


def named_subjects(run: Snapshot, name: str, policy: Policy) -> set[int]:
    """Return the dialogues that an entry of ``must_pass`` names: by id, or by what they are paired by."""
    return {i for i, subject in enumerate(run.subjects) if name in (subject.id, subject.key(policy.pair_by))}


def failing(mark: Mark, series: Series, run: Snapshot, policy: Policy, again: Again) -> Failing:
    """Return a failing mark with the verdicts behind it and whether it counts."""
    rule = pass_rule(series.column)
    assert rule is not None
    assert mark.value is not None
    subject = run.subjects[mark.subject]
    verdicts = mark.samples or (mark.value,)
    own = (sum(not rule(value) for value in verdicts), len(verdicts))
    fresh = again.verdicts.get((series.key, subject.id, mark.turn))
    column = series.column
    if policy.confirm_by is not None and policy.asks_again(column):
        standing = Standing.OPEN if fresh is None else _majority(fresh.failing, fresh.passing, fresh.asked)
    else:
        standing = standing_of(own, fresh, policy.confirm_of(column))
    return Failing(subject.id, mark.turn, mark.value, own, subject.source, subject.line, standing, fresh)


def standing_of(own: tuple[int, int], fresh: Fresh | None, confirm: int) -> Standing:
    """Return whether a failure counts.

    Fresh verdicts decide by majority of those asked for. Without them, at least ``confirm`` verdicts in the run itself
    do (a recording can't be asked again); fewer leave it open.
    """
    if fresh is not None and confirm > 1:
        return _majority(fresh.failing, fresh.passing, fresh.asked)
    bad, asked = own
    if confirm > 1:
        return _majority(bad, asked - bad, asked) if asked >= confirm else Standing.OPEN
    return Standing.CONFIRMED if 2 * bad > asked else Standing.OPEN


def verdicts_text(items: Sequence[Failing], again: Again) -> str:
    """Return why the open ones among failing items are open, in words."""
    waiting = [item for item in items if item.standing is Standing.OPEN]
    if any(item.again is not None for item in waiting):
        return "the fresh verdicts have no majority"
    return again.missing or "too few verdicts confirm it"


def _majority(failed: int, passed: int, asked: int) -> Standing:
    if 2 * failed > asked:
        return Standing.CONFIRMED
    return Standing.REFUTED if 2 * passed > asked else Standing.OPEN


def _must_fail(run: Snapshot, series: Series, rule: PassRule, policy: Policy) -> list[Mark]:
    wanted = {place for name in policy.must_pass for place in named_subjects(run, name, policy)}
    return fails((mark for mark in series.marks if mark.subject in wanted), rule) if wanted else []
