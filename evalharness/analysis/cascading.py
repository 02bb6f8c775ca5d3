"""What a cascade of two judges would do, from a run that both have judged and labels of a part of it.

Thresholds come from the risk-coverage curve of the cheap judge on the labelled items and are proposed only if they hold
out of bag. Nothing is asked: the policy is replayed on the verdicts of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.risk_coverage import (
    OutOfBag,
    RiskCoverage,
    Threshold,
    out_of_bag_risk,
    risk_coverage,
    threshold_for_risk,
)

MIN_ACCEPTED = 20
"""Groups that must be accepted before a threshold is tried."""


@dataclass(frozen=True, slots=True, eq=False)
class CriterionData:
    """One criterion on its labelled items (n,): the cheap judge's confidence (NaN where it is unknown) and both judges'
    losses (NaN without a verdict) and the group of each item; ``items`` names them."""

    criterion: str
    items: tuple[tuple[str, int], ...]
    confidence: FloatArray
    cheap: FloatArray
    dear: FloatArray
    groups: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CriterionPlan:
    """The threshold of one criterion.

    ``value`` is proposed, None with the ``reason`` why not. ``target`` is the risk to keep; ``chosen`` what the rule
    found, ``guard`` what it delivers on groups that it has not seen. ``cheap`` and ``dear`` are the mean losses of the
    judges on the items that both judged, ``policy`` that of the cascade there.
    """

    criterion: str
    n: int
    groups: int
    target: float
    value: float | None
    reason: str
    chosen: Threshold
    guard: OutOfBag
    curve: RiskCoverage | None
    cheap: Estimate
    dear: Estimate
    policy: Estimate


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to judge all items of the run: how many the dear judge sees, and the cost per item (USD, None unknown)."""

    name: str
    items: int
    escalated: int
    cost: float | None

    @property
    def share(self) -> float:
        """The share of items that the dear judge sees."""
        return self.escalated / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class CascadePlan:
    """What was found for one rubric: thresholds by criterion, and what the policies do on all items of the run."""

    rubric: str
    cheap: str
    dear: str
    criteria: tuple[CriterionPlan, ...]
    policies: tuple[Policy, ...]

    @property
    def accept(self) -> Mapping[str, float]:
        """The proposed thresholds."""
        return {plan.criterion: plan.value for plan in self.criteria if plan.value is not None}

    @property
    def usable(self) -> bool:
        """Whether every criterion has a threshold: without one every item would go on."""
        return len(self.accept) == len(self.criteria)


def plan_thresholds(data: Sequence[CriterionData], risk: float | None) -> tuple[CriterionPlan, ...]:
    """The thresholds by criterion; ``risk`` is the loss to stay below, None for the dear judge's own mean loss."""
    chosen = [_threshold(one, risk) for one in data]
    accepted = _accepted_items(data, chosen)
    return tuple(_with_policy(one, plan, accepted) for one, plan in zip(data, chosen, strict=True))


def policies_of(
    confidences: Mapping[str, FloatArray],
    accept: Mapping[str, float],
    items: int,
    cheap_cost: float | None,
    dear_cost: float | None,
) -> tuple[Policy, ...]:
    """The cheap judge alone, the dear one alone, and the cascade, on all items of the run.

    ``confidences``: by criterion (items,), NaN where unknown, infinite where there is nothing to assess.
    """
    sure = np.ones(items, dtype=bool)
    for criterion, threshold in accept.items():
        sure &= np.nan_to_num(confidences[criterion], nan=-1.0) >= threshold
    escalated = int((~sure).sum()) if len(accept) == len(confidences) else items
    both = None
    if cheap_cost is not None and dear_cost is not None and items:
        both = cheap_cost + dear_cost * escalated / items
    return (
        Policy("cheap alone", items, 0, cheap_cost),
        Policy("cascade", items, escalated, both),
        Policy("dear alone", items, items, dear_cost),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    target: float
    value: float | None
    reason: str
    threshold: Threshold
    guard: OutOfBag
    curve: RiskCoverage | None
    known: BoolArray


def _threshold(data: CriterionData, risk: float | None) -> _Chosen:
    known = ~np.isnan(data.confidence) & ~np.isnan(data.cheap)
    both = ~np.isnan(data.dear)
    target = risk if risk is not None else float(data.dear[both].mean()) if both.any() else 0.0
    confidence, loss, groups = data.confidence[known], data.cheap[known], data.groups[known]
    found = threshold_for_risk(confidence, loss, target, groups, min_accepted=MIN_ACCEPTED)
    guard = out_of_bag_risk(confidence, loss, target, groups, min_accepted=MIN_ACCEPTED)
    curve = risk_coverage(confidence, loss)
    reason = found.reason or ""
    if not known.any():
        reason = "the cheap judge has no verdict with a confidence"
    elif found.value is not None and (guard.risk is None or guard.risk > target):
        told = "none is accepted" if guard.risk is None else f"the risk is {guard.risk:.3f}"
        reason = f"it does not hold out of bag: {told}"
    return _Chosen(target, None if reason else found.value, reason, found, guard, curve, known)


def _accepted_items(
    data: Sequence[CriterionData], chosen: Sequence[_Chosen]
) -> Mapping[tuple[str, int], bool]:
    """For each labelled item whether all criteria that are known of it accept it."""
    accepted: dict[tuple[str, int], bool] = {}
    for one, plan in zip(data, chosen, strict=True):
        for item, sure, known in zip(one.items, one.confidence, plan.known, strict=True):
            own = plan.value is not None and bool(known) and float(sure) >= plan.value
            accepted[item] = accepted.get(item, True) and own
    return accepted


def _with_policy(
    data: CriterionData, chosen: _Chosen, accepted: Mapping[tuple[str, int], bool]
) -> CriterionPlan:
    both = ~np.isnan(data.cheap) & ~np.isnan(data.dear)
    stays = np.array([accepted[item] for item in data.items], dtype=bool)
    mixed = np.where(stays, data.cheap, data.dear)
    return CriterionPlan(
        data.criterion,
        int(both.sum()),
        int(np.unique(data.groups[both]).size),
        chosen.target,
        chosen.value,
        chosen.reason,
        chosen.threshold,
        chosen.guard,
        chosen.curve,
        *(_mean(losses, both, data.groups) for losses in (data.cheap, data.dear, mixed)),
    )


def _mean(losses: FloatArray, used: BoolArray, groups: IntArray) -> Estimate:
    if not used.any():
        return undefined("no item has labels and a verdict of both judges")
    return mean_interval(losses[used], groups[used])
