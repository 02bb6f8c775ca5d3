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
    """A way to judge all items of the run: how many the dear judge sees, and the cost per item (USD, None unknown).

    ``turned`` of the ``compared`` items, which both judges scored against a pass rule, end with another pass mark than
    the dear judge's.
    """

    name: str
    items: int
    escalated: int
    cost: float | None
    compared: int = 0
    turned: int = 0

    @property
    def share(self) -> float:
        """The share of items that the dear judge sees."""
        return self.escalated / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class CascadePlan:
    """What was found for one rubric: thresholds by criterion, and what the policies do on all items of the run.

    ``near`` is how near to the pass threshold a value goes on, as the settings say it; empty where nothing does.
    ``specs`` are how the run named the two judges behind --judge, and ``options`` how it asked them beside that.
    """

    rubric: str
    cheap: str
    dear: str
    criteria: tuple[CriterionPlan, ...]
    policies: tuple[Policy, ...]
    near: str = ""
    specs: tuple[str, str] | None = None
    options: str = ""

    @property
    def accept(self) -> Mapping[str, float]:
        """The proposed thresholds."""
        return {plan.criterion: plan.value for plan in self.criteria if plan.value is not None}

    @property
    def usable(self) -> bool:
        """Whether every criterion has a threshold: without one every item would go on."""
        return bool(self.criteria) and len(self.accept) == len(self.criteria)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The items of a run (items,): ``near``: so near to a pass threshold that they go on, None where no band was
    given; ``unread``: without a verdict of the cheap judge; ``compared``: both have a pass mark; ``turned``: they
    differ."""

    near: BoolArray | None
    unread: BoolArray
    compared: BoolArray
    turned: BoolArray


def plan_thresholds(
    data: Sequence[CriterionData], risk: float | None, near: frozenset[tuple[str, int]] = frozenset()
) -> tuple[CriterionPlan, ...]:
    """The thresholds by criterion; ``risk`` is the loss to stay below, None for the dear judge's own mean loss.

    ``near`` are items that go on whatever the confidence.
    """
    chosen = [_threshold(one, risk) for one in data]
    accepted = {item: stays and item not in near for item, stays in _accepted_items(data, chosen).items()}
    return tuple(_with_policy(one, plan, accepted) for one, plan in zip(data, chosen, strict=True))


def policies_of(
    confidences: Mapping[str, FloatArray],
    accept: Mapping[str, float],
    marks: Marks,
    costs: tuple[float | None, float | None],
) -> tuple[Policy, ...]:
    """The cheap judge alone, the cascade, and the dear judge alone, on all items of the run; where values near the pass
    threshold go on, that alone as well.

    ``confidences``: by criterion (items,), NaN where unknown, infinite where there is nothing to assess; none where no
    label chose a threshold. ``costs``: USD per item of the cheap and the dear judge.
    """
    nobody = np.zeros(marks.unread.size, dtype=bool)
    near = nobody if marks.near is None else marks.near | marks.unread
    unsure = nobody.copy()
    for criterion, threshold in accept.items():
        unsure |= np.nan_to_num(confidences[criterion], nan=-1.0) < threshold
    if len(accept) < len(confidences):
        unsure = ~nobody
    ways = [("cheap alone", nobody)]
    ways += [] if marks.near is None else [("near the gate", near)]
    ways += [("cascade", unsure | near)] if confidences else []
    return tuple(_policy(name, goes_on, marks, costs) for name, goes_on in (*ways, ("dear alone", ~nobody)))


def _policy(name: str, goes_on: BoolArray, marks: Marks, costs: tuple[float | None, float | None]) -> Policy:
    """What a way of judging costs when these items go on; the dear judge alone does not pay the cheap one."""
    cheap, dear = costs
    items, escalated = int(goes_on.size), int(goes_on.sum())
    cost = cheap if not escalated else dear if name == "dear alone" else None
    if cost is None and cheap is not None and dear is not None and items:
        cost = cheap + dear * escalated / items
    turned = int((marks.turned & ~goes_on).sum())
    return Policy(name, items, escalated, cost, int(marks.compared.sum()), turned)


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
