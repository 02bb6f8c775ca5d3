"""Items that fail their criterion's pass rule: new failures, and dialogues that may not fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evalharness.core.policy import Policy
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.gate.pairing import Unit
from evalharness.gate.types import Demand, Failing, Verdict


def pass_rule(column: Column) -> PassRule | None:
    """The column's pass rule, if it has one."""
    return None if column.passes is None else PassRule.parse(column.passes)


def new_failures(units: Iterable[Unit], column: Column, run: Snapshot) -> tuple[Failing, ...]:
    """Return items of the run that fail where nothing of the baseline's counterpart failed, and something passed."""
    rule = pass_rule(column)
    if rule is None:
        return ()
    found = []
    for unit in units:
        if unit.baseline is None or _fails(unit.baseline_marks, rule):
            continue
        found += [failing(mark, rule, run) for mark in _fails(unit.run_marks, rule)]
    return tuple(found)


def failing(mark: Mark, rule: PassRule, run: Snapshot) -> Failing:
    """Return a failing mark with the single verdicts behind it."""
    assert mark.value is not None
    subject = run.subjects[mark.subject]
    verdicts = mark.samples or (mark.value,)
    bad = sum(not rule(value) for value in verdicts)
    return Failing(subject.id, mark.turn, mark.value, (bad, len(verdicts)), subject.source, subject.line)


def is_confirmed(item: Failing, confirm: int) -> bool:
    """Whether enough single verdicts were asked, and most of them fail."""
    bad, asked = item.verdicts
    return asked >= confirm and 2 * bad > asked


def must_pass(policy: Policy, run: Snapshot, gating: Sequence[Series]) -> Iterator[Demand]:
    """One demand for every name in ``must_pass``: a dialogue id, or a scenario with all its dialogues."""
    for name in policy.must_pass:
        wanted = {
            index
            for index, subject in enumerate(run.subjects)
            if name in (subject.id, subject.key(policy.pair_by))
        }
        yield _must_pass(name, wanted, policy, run, gating)


def _must_pass(
    name: str, wanted: set[int], policy: Policy, run: Snapshot, gating: Sequence[Series]
) -> Demand:
    title = f"must pass: {name}"
    if not wanted:
        return Demand(title, Verdict.INCONCLUSIVE, "the run has no such dialogue")
    sure: list[Failing] = []
    unsure: list[Failing] = []
    judged = without = 0
    for series in gating:
        rule = pass_rule(series.column)
        if rule is None:
            continue
        confirm = policy.of(series.column).confirm
        marks = [mark for mark in series.marks if mark.subject in wanted]
        judged += sum(mark.status == "scored" for mark in marks)
        without += sum(mark.status == "failed" for mark in marks)
        for mark in _fails(marks, rule):
            item = failing(mark, rule, run)
            (sure if is_confirmed(item, confirm) else unsure).append(item)
    if sure:
        return Demand(title, Verdict.FAIL, f"fails on {len(sure)} counts", tuple(sure))
    if unsure:
        reason = "fails, and too few verdicts confirm it: score again with more --samples"
        return Demand(title, Verdict.INCONCLUSIVE, reason, tuple(unsure))
    if without or not judged:
        reason = (
            f"{without} of its items have no verdict"
            if without
            else "no criterion with a pass mark judged it"
        )
        return Demand(title, Verdict.INCONCLUSIVE, reason)
    return Demand(title, Verdict.PASS, f"passes on {judged} counts")


def _fails(marks: Iterable[Mark], rule: PassRule) -> list[Mark]:
    return [mark for mark in marks if mark.value is not None and not rule(mark.value)]
