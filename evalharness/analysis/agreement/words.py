"""What the figures mean, in sentences: the part of the report that everybody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant
from evalharness.analysis.agreement.extras import rates_of
from evalharness.analysis.agreement.humans import leave_one_out_of
from evalharness.analysis.agreement.measuring import measure
from evalharness.analysis.agreement.names import ON_MAJORITY
from evalharness.analysis.agreement.rows import compared, leading
from evalharness.analysis.agreement.types import LENGTH, CriterionReport, Kind, Verdict
from evalharness.core.scores import criterion_title
from evalharness.stats.averaging import Grouping
from evalharness.stats.estimate import Estimate

FEW_ITEMS = 50
_CHANCE = "its agreement with the raters may be chance"
_PREVALENT = 0.8


def verdict_of(contest: Contest, judge: Entrant, options: AgreeOptions) -> Verdict:
    """What is to be said about a judge on a criterion."""
    found = [*_said(contest, judge, options)]
    return Verdict(
        judge.scorer, judge.rubric, tuple(code for code, _ in found), tuple(text for _, text in found)
    )


def _said(contest: Contest, judge: Entrant, options: AgreeOptions) -> Iterator[tuple[str, str]]:
    name = leading(contest, options)[0]
    figure = measure(name, contest.sides(judge), Grouping.POOLED, options.level).estimate
    if figure.value is None:
        yield "undefined", f"{name} is undefined: {figure.undefined}."
        return
    if figure.n < FEW_ITEMS:
        yield "few_items", f"only {figure.n} items have both a score and a label: every figure is rough."
    yield from _polarity(name, figure)
    if judge.scale.classes:
        yield from _prevalence(contest, judge, options)
    if not judge.scale.nominal:
        yield from _against_length(contest, judge, options)
    yield from _against_humans(contest, judge, name, options)


def _polarity(name: str, figure: Estimate) -> Iterator[tuple[str, str]]:
    if figure.value is None:
        return
    low = figure.value if figure.low is None else figure.low
    if (figure.value if figure.high is None else figure.high) < 0:
        yield (
            "inverted",
            f"polarity looks inverted: {name} is {figure.value:.2f}. Check what a high value means on both sides.",
        )
    elif low <= 0 and (name in ON_MAJORITY or name not in ("pairwise_accuracy", "tie_calibrated_accuracy")):
        yield "chance", f"{_CHANCE}: the interval of {name} includes 0."


def _prevalence(contest: Contest, judge: Entrant, options: AgreeOptions) -> Iterator[tuple[str, str]]:
    found = rates_of(contest.sides(judge), options.level)
    if found is None or found.accuracy.value is None or found.modal_share is None:
        return
    kappa = measure("cohen_kappa", contest.sides(judge), Grouping.POOLED, options.level).estimate.value
    if found.accuracy.value >= _PREVALENT and not found.beats_modal and (kappa is None or kappa < 0.6):
        yield (
            "prevalence",
            f"accuracy is high ({found.accuracy.value:.0%}) because of prevalence: always giving the commonest answer "
            f"is right in {found.modal_share:.0%}.",
        )


def _against_length(contest: Contest, judge: Entrant, options: AgreeOptions) -> Iterator[tuple[str, str]]:
    length = next((e for e in contest.entrants if e.scorer == LENGTH), None)
    if length is None:
        return
    gap = compared(contest, judge, length, "spearman", Grouping.POOLED, options.level)
    if gap.value is None:
        return
    if gap.value <= 0:
        yield "not_above_length", "does not beat reply length."
    elif gap.low is None or gap.low <= 0:
        yield (
            "length_unclear",
            "is not shown to beat reply length: the interval of the difference includes 0.",
        )
    else:
        yield "above_length", "beats reply length."


def _against_humans(
    contest: Contest, judge: Entrant, name: str, options: AgreeOptions
) -> Iterator[tuple[str, str]]:
    if contest.ratings.shape[1] < 2:
        return
    found = leave_one_out_of(contest, judge, name, options.level)
    if found is None or found.difference.value is None or found.difference.low is None:
        return
    assert found.difference.high is not None
    if found.difference.high < 0:
        yield (
            "below_human",
            f"agrees with the other raters less than a single rater does ({_gap(found.difference)}).",
        )
    elif found.difference.low > 0:
        yield (
            "above_human",
            f"agrees with the other raters more than a single rater does ({_gap(found.difference)}).",
        )
    else:
        yield "like_human", "can't be told from a single rater by its agreement with the others."


def _gap(difference: Estimate) -> str:
    return f"{difference.value:+.2f}"


def summary(criteria: Sequence[CriterionReport], unchecked: Sequence[tuple[str, str, str]]) -> str:
    """One paragraph: what the figures mean and what to do next."""
    verdicts = [(report, verdict) for report in criteria for verdict in report.verdicts]
    if not criteria:
        return "There are no labels of items of this run: nothing could be checked."
    parts = [_counts(criteria)]
    scored = {criterion.casefold() for _, _, criterion in unchecked}
    if not verdicts and any(report.label.casefold() in scored for report in criteria):
        parts.append(
            "Labels and scores are about different things, whole dialogues and turns of them, so no judge is compared; "
            "--aggregate mean (or min, last) brings scores of turns together with labels of dialogues."
        )
    elif not verdicts:
        parts.append(
            "No judge of this run was asked about a criterion of the labels; only metrics and baselines are compared. "
            "Score with a rubric whose criteria have the labels' names, or name them with --map RUBRIC=LABEL."
        )
    parts += [*_sorted_out(verdicts)]
    if unchecked:
        names = sorted({f"{criterion} ({scorer})" for scorer, _, criterion in unchecked})
        more = " …" if names[5:] else ""
        parts.append(f"Unchecked, for want of labels: {', '.join(names[:5])}{more}.")
    return " ".join(parts)


def _counts(criteria: Sequence[CriterionReport]) -> str:
    items = max(report.labelled for report in criteria)
    raters = max(report.raters for report in criteria)
    names = "criterion" if len(criteria) == 1 else "criteria"
    people = "1 rater" if raters == 1 else f"up to {raters} raters"
    return f"Labels on {len(criteria)} {names}, up to {items:,} items, by {people}."


_ADVICE = (
    ("inverted", "{} look inverted: mend the polarity before anything else."),
    ("undefined", "{} could not be measured (see the reasons)."),
    ("not_above_length", "{} do not beat reply length: don't decide anything by them."),
    ("chance", "{} may agree by chance."),
    ("prevalence", "{} look accurate only because one answer is common."),
    (
        "below_human",
        "{} agree with raters less than one rater does: use calibrated or debiased means, not single scores.",
    ),
    ("like_human", "{} can't be told from one rater."),
    ("above_human", "{} agree with the raters' consensus more than one rater does."),
)


def _sorted_out(verdicts: Sequence[tuple[CriterionReport, Verdict]]) -> Iterator[str]:
    """Each judge once, under the gravest that is said about it."""
    left = list(verdicts)
    for code, text in _ADVICE:
        here = [pair for pair in left if code in pair[1].codes]
        left = [pair for pair in left if code not in pair[1].codes]
        if here:
            names = [f"{verdict.scorer} on {criterion_title(report.criterion)}" for report, verdict in here]
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            yield text.replace("{}", ", ".join(names[:4]) + more)
    if any("few_items" in verdict.codes for _, verdict in verdicts):
        yield "Label more items before relying on these figures (--plan says how many)."


def kind_title(kind: Kind) -> str:
    """What a kind of row is called in tables."""
    return {Kind.HUMAN: "humans", Kind.JUDGE: "judge", Kind.METRIC: "metric", Kind.BASELINE: "baseline"}[kind]
