"""How many scenarios a tolerated drop needs, before anything is compared.

A paired difference of group means has variance 2 s^2 (1 - r): s the scatter of group means within one run, r the
correlation of both runs over groups, which one run can't tell. The plan shows r = 0, the worst case, and r = 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evalharness.core.policy import Amount, Policy
from evalharness.core.snapshot import Series, Snapshot
from evalharness.stats.power import Noise, Wanted, groups_needed
from evalharness.stats.variance_components import variance_components

CORRELATIONS = (0.0, 0.5)
SAMPLES = (1, 3, 5)
_SCATTERS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


@dataclass(frozen=True, slots=True)
class Need:
    """Groups needed at a correlation and a number of judge samples per item, and the cost of judging both runs."""

    correlation: float
    samples: int
    groups: int | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one criterion needs. ``scatter`` is the standard deviation of group means, ``margin`` the tolerated drop."""

    criterion: str
    scatter: float
    margin: float
    needs: tuple[Need, ...]


def plans_of(
    snapshot: Snapshot | None, policy: Policy, max_drop: Amount | None, cost_per_group: float | None
) -> tuple[Plan, ...]:
    """Return a plan per gating criterion of a run; without one, for scatters of 5 to 30 % of the scale."""
    wanted = Wanted(alpha=policy.alpha, power=0.8, sides=1)
    if snapshot is None:
        margin = (max_drop or policy.max_drop).value
        return tuple(
            Plan(
                f"any, scatter {share:.0%} of the scale", share, margin, _needs(share**2, 0.0, margin, wanted)
            )
            for share in _SCATTERS
        )
    found = [_plan(series, snapshot, policy, max_drop, cost_per_group, wanted) for series in snapshot.series]
    return tuple(plan for plan in found if plan is not None)


def _plan(
    series: Series,
    snapshot: Snapshot,
    policy: Policy,
    max_drop: Amount | None,
    cost: float | None,
    wanted: Wanted,
) -> Plan | None:
    if policy.why_not_gating(series.column) is not None:
        return None
    margin = policy.margin(series.column) if max_drop is None else max_drop.on(series.column)
    steady, repeat = _scatter(series, snapshot, policy)
    if margin is None or steady is None:
        return None
    needs = _needs(steady, repeat, margin, wanted, cost if series.column.judged else 0.0)
    return Plan(series.column.criterion, math.sqrt(steady + repeat), margin, needs)


def _needs(
    steady: float, repeat: float, margin: float, wanted: Wanted, cost: float | None = None
) -> tuple[Need, ...]:
    """Needs by correlation and samples; more samples only where their variance is known."""
    found = []
    for correlation in CORRELATIONS:
        for samples in SAMPLES if repeat > 0.0 else (1,):
            per_group = 2.0 * steady * (1.0 - correlation) + 2.0 * repeat / samples
            groups = groups_needed(Noise(group=per_group), margin, wanted=wanted) if margin > 0.0 else None
            price = None if cost is None or groups is None else 2.0 * groups * samples * cost
            found.append(Need(correlation, samples, groups, price))
    return tuple(found)


def _scatter(series: Series, snapshot: Snapshot, policy: Policy) -> tuple[float | None, float]:
    """Variance of true group means, and what one judgement per item adds to it (0, and in it, if none is repeated)."""
    values: list[float] = []
    items: list[int] = []
    groups: list[str] = []
    for number, mark in enumerate(series.marks):
        if mark.value is None:
            continue
        subject = snapshot.subjects[mark.subject]
        for sample in mark.samples or (mark.value,):
            values.append(sample)
            items.append(number)
            groups.append(subject.key(policy.pair_by) or subject.id)
    parts = variance_components(values, items, groups)
    if parts is None or parts.groups < 2:
        return None, 0.0
    repeat = 0.0 if parts.repeat is None else parts.repeat / (parts.items / parts.groups)
    return max(0.0, _of_group_means(values, groups) - repeat * parts.items / parts.n), repeat


def _of_group_means(values: list[float], groups: list[str]) -> float:
    _, codes = np.unique(np.array(groups), return_inverse=True)
    means = np.bincount(codes, weights=np.array(values)) / np.bincount(codes)
    return float(means.var(ddof=1))
