"""Items that fail their criterion's pass rule: new failures, and dialogues that may not fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.core.snapshot import Series, Snapshot
from evalharness.gate.confirming import (
    Again,
    failing,
    fails,
    failure_limit,
    named_subjects,
    newly_failing,
    pass_rule,
    verdicts_text,
)
from evalharness.gate.pairing import Unit
from evalharness.gate.types import Demand, Failing, Standing, Verdict


def new_failures(
    units: Iterable[Unit], series: Series, run: Snapshot, policy: Policy, again: Again
) -> tuple[Failing, ...]:
    """Return items of the run that fail where nothing of the baseline's counterpart failed, and something passed."""
    rule = pass_rule(series.column)
    if rule is None:
        return ()
    return tuple(failing(mark, series, run, policy, again) for mark in newly_failing(units, rule))


def judged_failures(
    items: Sequence[Failing], column: Column, policy: Policy, again: Again
) -> tuple[Verdict, str] | None:
    """Return what follows from new failures under their limit; None where there is no limit."""
    limit = failure_limit(column, policy)
    if limit is None:
        return None
    sure, unsure = _count(items, Standing.CONFIRMED), _count(items, Standing.OPEN)
    refuted = _count(items, Standing.REFUTED)
    told = f"; {_refuted(refuted)}" if refuted else ""
    if sure > limit:
        return Verdict.FAIL, f"{_failures(sure)}, more than {limit}{told}"
    if sure + unsure > limit:
        why = verdicts_text(items, again)
        return Verdict.INCONCLUSIVE, f"{_failures(sure + unsure)}, {sure} of them confirmed ({why}){told}"
    return Verdict.PASS, _refuted(refuted) if refuted else ""


def must_pass(policy: Policy, run: Snapshot, gating: Sequence[Series], again: Again) -> Iterator[Demand]:
    """One demand for every name in ``must_pass``: a dialogue id, or a scenario with all its dialogues."""
    for name in policy.must_pass:
        wanted = named_subjects(run, name, policy)
        yield _must_pass(f"must pass: {name}", wanted, policy, run, gating, again)


def _must_pass(
    title: str, wanted: set[int], policy: Policy, run: Snapshot, gating: Sequence[Series], again: Again
) -> Demand:
    if not wanted:
        return Demand(title, Verdict.INCONCLUSIVE, "the run has no such dialogue")
    found: list[Failing] = []
    judged = without = 0
    for series in gating:
        rule = pass_rule(series.column)
        if rule is None:
            continue
        marks = [mark for mark in series.marks if mark.subject in wanted]
        judged += sum(mark.status == "scored" for mark in marks)
        without += sum(mark.status == "failed" for mark in marks)
        found += [failing(mark, series, run, policy, again) for mark in fails(marks, rule)]
    return _demand(title, found, judged, without, again)


def _demand(title: str, found: list[Failing], judged: int, without: int, again: Again) -> Demand:
    sure, unsure = (
        tuple(item for item in found if item.standing is standing)
        for standing in (Standing.CONFIRMED, Standing.OPEN)
    )
    refuted = len(found) - len(sure) - len(unsure)
    told = f"; {_refuted(refuted)}" if refuted else ""
    if sure:
        return Demand(title, Verdict.FAIL, f"fails on {_counts(len(sure))}{told}", sure)
    if unsure:
        reason = f"fails, and that is not confirmed: {verdicts_text(unsure, again)}{told}"
        return Demand(title, Verdict.INCONCLUSIVE, reason, unsure)
    if without:
        return Demand(title, Verdict.INCONCLUSIVE, f"{without} of its items have no verdict")
    if not judged:
        return Demand(title, Verdict.INCONCLUSIVE, "no criterion with a pass mark judged it")
    return Demand(title, Verdict.PASS, f"passes on {_counts(judged)}{told}")


def _counts(number: int) -> str:
    return "1 count" if number == 1 else f"{number} counts"


def _failures(number: int) -> str:
    return "1 new failure" if number == 1 else f"{number} new failures"


def _refuted(count: int) -> str:
    which = "1 failure was" if count == 1 else f"{count} failures were"
    return f"{which} refuted by fresh verdicts"


def _count(items: Iterable[Failing], standing: Standing) -> int:
    return sum(item.standing is standing for item in items)
