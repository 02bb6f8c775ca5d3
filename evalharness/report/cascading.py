"""A planned cascade: cascade.json, the table for the terminal, and the lines for the settings.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from evalharness.analysis.cascading import CascadePlan, CriterionPlan, Policy
from evalharness.core.canonical import Json
from evalharness.core.text import log_safe, one_line
from evalharness.report.document import estimate_json
from evalharness.report.figures import NOTHING, number, percent

SCHEMA_VERSION = 1


def plan_json(plans: Sequence[CascadePlan]) -> str:
    """The text of cascade.json; equal runs and labels give equal bytes."""
    document: dict[str, Json] = {"schema_version": SCHEMA_VERSION, "plans": [_plan(plan) for plan in plans]}
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _plan(plan: CascadePlan) -> Json:
    return {
        "rubric": plan.rubric,
        "cheap": plan.cheap,
        "dear": plan.dear,
        "usable": plan.usable,
        "accept": dict(plan.accept),
        "near": plan.near or None,
        "criteria": [_criterion(one) for one in plan.criteria],
        "policies": [
            {
                "name": p.name,
                "items": p.items,
                "escalated": p.escalated,
                "cost_per_item": p.cost,
                "pass_marks_compared": p.compared,
                "pass_marks_turned": p.turned,
            }
            for p in plan.policies
        ],
    }


def _criterion(plan: CriterionPlan) -> Json:
    curve = plan.curve
    return {
        "criterion": plan.criterion,
        "labelled_items": plan.n,
        "groups": plan.groups,
        "target": plan.target,
        "threshold": plan.value,
        "reason": plan.reason or None,
        "coverage": plan.chosen.coverage,
        "risk": plan.chosen.risk,
        "upper": plan.chosen.upper,
        "out_of_bag": {
            "risk": plan.guard.risk,
            "low": plan.guard.low,
            "high": plan.guard.high,
            "kept": plan.guard.kept,
            "coverage": plan.guard.coverage,
            "draws": plan.guard.draws,
            "unusable": plan.guard.unusable,
        },
        "aurc": None if curve is None else curve.area,
        "excess_aurc": None if curve is None else curve.excess,
        "curve": None
        if curve is None
        else [
            [float(t), float(c), float(r)]
            for t, c, r in zip(curve.threshold, curve.coverage, curve.risk, strict=True)
        ],
        "loss_cheap": estimate_json(plan.cheap),
        "loss_dear": estimate_json(plan.dear),
        "loss_cascade": estimate_json(plan.policy),
    }


def plan_text(plan: CascadePlan) -> str:
    """The plan of one rubric for a terminal of 80 columns."""
    return "\n".join(line.rstrip() for line in _lines(plan))


def _lines(plan: CascadePlan) -> Iterator[str]:
    yield log_safe(f"{one_line(plan.cheap, 30)} → {one_line(plan.dear, 30)} on {one_line(plan.rubric, 30)}")
    for one in plan.criteria:
        yield from _criterion_lines(one)
    yield ""
    marks = any(policy.compared for policy in plan.policies)
    turned = "marks unlike it" if marks else ""
    yield f"  {'policy':<14}{'judged by the dear one':>24}{'USD per 1,000':>15}{turned:>19}"
    for policy in plan.policies:
        yield f"  {policy.name:<14}{_seen(policy):>24}{_price(policy):>15}{_turned(policy):>19}"
    if marks:
        yield "  marks unlike it: items whose pass mark is not the dear judge's"
    yield ""
    if plan.usable or plan.near:
        yield from _settings(plan)
    if plan.criteria and not plan.usable:
        yield "  by confidence no cascade is proposed: every item would go on to the dear judge"


def _criterion_lines(plan: CriterionPlan) -> Iterator[str]:
    yield log_safe(f"  {one_line(plan.criterion, 40)} · {plan.n:,} labelled items in {plan.groups:,} groups")
    losses = {"cheap": plan.cheap, "dear": plan.dear, "cascade": plan.policy}
    yield f"    loss: {', '.join(f'{name} {number(loss.value)}' for name, loss in losses.items())}"
    if plan.chosen.value is None:
        yield f"    no threshold: {plan.reason} (target {number(plan.target)})"
        return
    found, guard = plan.chosen, plan.guard
    told = "" if plan.value is not None else f" — refused: {plan.reason}"
    yield (
        f"    accept from {number(found.value)}: {percent(found.coverage)} of them, risk {number(found.risk)},"
        f" at most {number(found.upper)} (target {number(plan.target)}){told}"
    )
    if guard.risk is not None:
        yield (
            f"    out of bag: risk {number(guard.risk)} [{number(guard.low)}, {number(guard.high)}],"
            f" not above the target in {percent(guard.kept)} of {guard.draws - guard.unusable} draws"
        )


def _settings(plan: CascadePlan) -> Iterator[str]:
    judges = plan.specs or (plan.cheap, plan.dear)
    options = [f"cascade: [{', '.join(map(json.dumps, judges))}]"]
    if plan.usable:
        accept = ", ".join(f"{name}: {value:.4g}" for name, value in _rounded_up(plan).items())
        options.append(f"accept: {{{accept}}}")
    if plan.near:
        options.append(f"near: {plan.near}")
    asked = f", to be asked as here with {plan.options}" if plan.options else ""
    yield f"  for evalharness.yaml{asked}:"
    yield "  judges:"
    yield f"    cascaded: {{{', '.join(options)}}}"


def _rounded_up(plan: CascadePlan) -> dict[str, float]:
    """Thresholds with four digits, never below what was found: below it items would be accepted that were not tried."""
    return {name: min(1.0, -(-value * 10_000 // 1) / 10_000) for name, value in plan.accept.items()}


def _seen(policy: Policy) -> str:
    return f"{policy.escalated:,} of {policy.items:,} ({percent(policy.share)})"


def _turned(policy: Policy) -> str:
    return f"{policy.turned:,} of {policy.compared:,}" if policy.compared else ""


def _price(policy: Policy) -> str:
    return NOTHING if policy.cost is None else number(1000 * policy.cost)
