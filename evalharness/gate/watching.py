"""One pair of versions while dialogues keep arriving: bounds that hold at every look at once.

An ordinary comparison looked at after every new dialogue finds a difference sooner or later, whatever the truth is. A
confidence sequence covers the difference at all times together, so looking is free and the first decision stands. Its
observations must be new and independent, in order of arrival: each scenario counts once, with its first result.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.core.snapshot import Series, Snapshot
from evalharness.gate.pairing import pair
from evalharness.gate.types import Verdict
from evalharness.stats.sequential import (
    ConfidenceSequence,
    asymptotic_sequence,
    betting_sequence,
    two_arm_units,
)


class Arrival(NamedTuple):
    """One scenario: its difference where both versions answered it, else its score and whose it is."""

    group: str
    value: float
    candidate: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """How versions get their dialogues: the chance that the candidate gets one, and the metadata that orders them.

    ``share`` None: both versions answer every scenario (shadow traffic), in the order in which the run got them.
    """

    share: float | None = None
    order: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """One column at the latest look.

    ``value`` is run minus baseline, positive where the run is better; ``lower``, ``upper`` hold at all looks together,
    each with the policy's confidence. ``decided`` is the number of arrivals after which the verdict stood, None until
    then; ``note`` says what keeps a verdict from counting.
    """

    column: Column
    margin: float
    verdict: Verdict
    value: float | None
    lower: float | None
    upper: float | None
    decided: int | None
    method: str
    arrivals: tuple[Arrival, ...]
    waiting: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class WatchResult:
    """All gating columns, and the verdict of all of them."""

    verdict: Verdict
    run: str
    baseline: str
    policy: Policy
    traffic: Traffic
    rows: tuple[Watched, ...]
    new: int


def arrivals_of(
    baseline: Snapshot, first: Series, run: Snapshot, second: Series, policy: Policy, traffic: Traffic
) -> tuple[list[Arrival], int]:
    """Return the scenarios that have arrived, in order, and how many wait for their counterpart or a verdict."""
    sign = -1.0 if second.column.higher_is_better is False else 1.0
    if traffic.share is None:
        return _paired(baseline, first, run, second, policy, sign)
    return _split(((baseline, first, False), (run, second, True)), policy, sign, traffic.order)


def watched(
    column: Column, arrivals: Sequence[Arrival], waiting: int, policy: Policy, traffic: Traffic, tests: int
) -> Watched:
    """Return what the arrivals say of a column; ``tests`` columns may fail, so each fails at a share of the error."""
    margin = policy.margin(column)
    assert margin is not None
    units = _units(arrivals, traffic)
    if not units.size:
        return Watched(
            column, margin, Verdict.INCONCLUSIVE, None, None, None, None, "none", tuple(arrivals), waiting
        )
    passing = _sequence(units, column, traffic, policy.alpha)
    failing = _sequence(units, column, traffic, policy.alpha / max(1, tests))
    verdict, decided = _decision(passing, failing, units, margin)
    lower, upper = float(passing.low[-1]), float(failing.high[-1])
    return Watched(
        column=column,
        margin=margin,
        verdict=verdict,
        value=float(units.mean()),
        lower=lower if math.isfinite(lower) else None,
        upper=upper if math.isfinite(upper) else None,
        decided=decided,
        method=passing.method,
        arrivals=tuple(arrivals),
        waiting=waiting,
    )


def together(rows: Iterable[Watched]) -> Verdict:
    """Return the verdict of all columns: one that fails decides, one that is open keeps it open."""
    found = {row.verdict for row in rows}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in found or not found:
            return Verdict.INCONCLUSIVE if not found else verdict
    return Verdict.PASS


def _decision(
    passing: ConfidenceSequence, failing: ConfidenceSequence, units: np.ndarray, margin: float
) -> tuple[Verdict, int | None]:
    """The first look at which a drop of the margin was ruled out, or a drop was real and at or beyond the margin."""
    means = np.cumsum(units) / np.arange(1, units.size + 1)
    passed = passing.decided_above(-margin)
    dropped = np.flatnonzero((failing.high < 0.0) & (means <= -margin))
    failed = int(dropped[0]) + 1 if dropped.size else None
    if passed is not None and (failed is None or passed <= failed):
        return Verdict.PASS, passed
    return (Verdict.INCONCLUSIVE, None) if failed is None else (Verdict.FAIL, failed)


def _units(arrivals: Sequence[Arrival], traffic: Traffic) -> np.ndarray:
    values = np.array([arrival.value for arrival in arrivals], dtype=np.float64)
    if traffic.share is None or not values.size:
        return values
    return two_arm_units(values, np.array([arrival.candidate for arrival in arrivals]), traffic.share)


def _sequence(units: np.ndarray, column: Column, traffic: Traffic, alpha: float) -> ConfidenceSequence:
    """Two sides of ``alpha`` each: betting where differences are bounded, else the asymptotic sequence, intersected."""
    level = 1.0 - 2.0 * alpha
    if traffic.share is None and column.low is not None and column.high is not None:
        span = column.high - column.low
        return betting_sequence(units, low=-span, high=span, level=level)
    found = asymptotic_sequence(units, level=level)
    low, high = np.maximum.accumulate(found.low), np.minimum.accumulate(found.high)
    return ConfidenceSequence(found.centre, low, high, found.level, found.method, found.first)


def _paired(
    baseline: Snapshot, first: Series, run: Snapshot, second: Series, policy: Policy, sign: float
) -> tuple[list[Arrival], int]:
    pairing = pair(baseline, first, run, second, policy.pair_by)
    values: dict[str, list[float]] = defaultdict(list)
    place: dict[str, int] = {}
    for unit in pairing.units:
        assert unit.run is not None
        assert unit.baseline is not None
        values[unit.group].append(sign * (unit.run - unit.baseline))
        came = max(run.subjects[mark.subject].place for mark in unit.run_marks)
        place[unit.group] = max(place.get(unit.group, 0), came)
    open_groups = {unit.group for unit in pairing.loose}
    order = sorted(values.keys() - open_groups, key=lambda group: (place[group], group))
    arrived = [Arrival(group, math.fsum(values[group]) / len(values[group]), True) for group in order]
    return arrived, len(open_groups)


def _split(
    sides: Iterable[tuple[Snapshot, Series, bool]], policy: Policy, sign: float, order: str
) -> tuple[list[Arrival], int]:
    values: dict[tuple[str, bool], list[float]] = defaultdict(list)
    came: dict[tuple[str, bool], str] = {}
    waiting: set[tuple[str, bool]] = set()
    for snapshot, series, candidate in sides:
        for mark in series.marks:
            subject = snapshot.subjects[mark.subject]
            key = (subject.key(policy.pair_by) or subject.id, candidate)
            if mark.value is None:
                waiting |= {key} if mark.status == "failed" else set()
                continue
            values[key].append(sign * mark.value)
            came[key] = max(came.get(key, ""), subject.metadata.get(order, ""))
    ordered = sorted(values.keys() - waiting, key=lambda key: (came[key], key))
    return [Arrival(g, math.fsum(values[g, c]) / len(values[g, c]), c) for g, c in ordered], len(waiting)
