"""What may stand beside the scores of a small run: a gate that failed, and labels."""

from __future__ import annotations

from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.types import (
    LEAVE_ONE_OUT,
    LENGTH,
    Agreement,
    ConfusionTable,
    CriterionReport,
    Disagreement,
    Kind,
    Row,
    Verdict,
)
from evalharness.core.dialogue import Unit
from evalharness.report.html.standing import GateCriterion, GateSummary, Standing
from evalharness.stats.estimate import Estimate


def standing(
    *,
    judge: str = "gpt-5-mini",
    rubric: str = "support-reply",
    criterion: str = "helpfulness",
    text: str = "the label is stricter",
    item: tuple[str, int | None] = ("parcel-v2", 5),
) -> Standing:
    """A gate that found a drop, and labels that a judge agrees with; ``text`` stands wherever people or files write."""
    gate = GateSummary(
        verdict="fail",
        baseline=text,
        created="2026-11-01T00:00:00Z",
        confidence=0.95,
        criteria=(
            GateCriterion(judge, rubric, criterion, "fail", -0.31, -0.48, -0.14, 0.2, (text,), (item,)),
            GateCriterion(judge, rubric, "_overall", "pass", 0.02, -0.01, 0.05, 0.05),
        ),
        demands=((text, text),),
    )
    rows = tuple(
        Row(scorer, own, criterion, "cohen_kappa_quadratic", "pooled", estimate(value), kind=kind)
        for scorer, own, value, kind in (
            (LEAVE_ONE_OUT, "", 0.70, Kind.HUMAN),
            (judge, rubric, 0.64, Kind.JUDGE),
            (LENGTH, "", 0.30, Kind.BASELINE),
        )
    )
    report = CriterionReport(
        criterion=criterion,
        label=text,
        unit=Unit.TURN,
        scale=Scale(names=("1", "2")),
        raters=2,
        labels=120,
        labelled=60,
        unscored=0,
        unlabelled=3,
        shown=("cohen_kappa_quadratic",),
        scorers=(),
        verdicts=(Verdict(judge, rubric, ("above_length", "like_human"), (text,)),),
        ceiling_note=text,
        confusions=(ConfusionTable(judge, rubric, (text, "2"), ((20, 4), (1, 35))),),
        notes=(text,),
    )
    agreement = Agreement(
        summary=text,
        criteria=(report,),
        rows=rows,
        disagreements=(Disagreement(judge, rubric, criterion, *item, 1.5, 4.5, -3.0, text, (text,)),),
        unchecked=(),
        notes=(text,),
    )
    return Standing(gate, agreement)


def estimate(value: float) -> Estimate:
    """A figure with an interval."""
    return Estimate(value, 0.05, value - 0.1, value + 0.1, 0.95, "CR1+t(49)", 60, 50, None)
