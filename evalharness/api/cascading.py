"""`cascade plan`: thresholds for a cheap judge from labels, and what the cascade would have cost; nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant, contests
from evalharness.analysis.agreement.joining import WHOLE, ItemKey, JoinOptions
from evalharness.analysis.agreement.table import ratings_of
from evalharness.analysis.cascading import CascadePlan, CriterionData, plan_thresholds, policies_of
from evalharness.api.agreeing import joined_scores
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import open_run
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import PassRule
from evalharness.core.scores import OVERALL, Column, Score, Skip, SkipReason
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, UsageError
from evalharness.judges.confidence import confidence_of
from evalharness.report.cascading import plan_json
from evalharness.stats.arrays import FloatArray

DISTANCE, PASS = "distance", "pass"
LOSSES = (DISTANCE, PASS)


@dataclass(frozen=True, slots=True)
class PlanJob:
    """Everything that `cascade plan` can be told.

    ``cheap`` and ``dear`` are the names of judges of the run. ``risk``: the mean loss to stay below, None for the dear
    judge's own. ``loss``: ``distance`` from the mean rating as a share of the scale (of labels the share of raters who
    say otherwise), or ``pass``: 1 where judge and mean rating fall on different sides of the pass rule. ``prices``: USD
    per item by judge, where the run does not tell them.
    """

    run: Path
    labels: tuple[str, ...]
    cheap: str
    dear: str
    risk: float | None = None
    loss: str = DISTANCE
    prices: Mapping[str, float] = field(default_factory=dict)
    label_options: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The plans, one per rubric, and the file that holds them."""

    plans: tuple[CascadePlan, ...]
    written: Path


def run_plan(job: PlanJob, stdin: BinaryIO | None = None) -> PlanResult:
    """Plan a cascade for every rubric that both judges answered and labels speak about."""
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    with open_run(job.run) as (folder, ledger):
        joined, table = joined_scores(ledger, found, job.join)
        held = contests(table, ratings_of(joined.labels, joined.dialogues), joined.dialogues, job.options)
        seen = _Verdicts(ledger, job.cheap, job.dear)
        plans = tuple(
            plan for rubric in seen.rubrics if (plan := _plan(job, ledger, seen, held, rubric)) is not None
        )
    if not plans:
        raise InputError("no label speaks about a criterion that both judges answered")
    path = folder.path / "cascade.json"
    write_text(path, plan_json(plans))
    return PlanResult(plans, path)


class _Verdicts:
    """The cheap judge's confidences on all items of the run, by rubric and criterion."""

    def __init__(self, ledger: Ledger, cheap: str, dear: str) -> None:
        columns = planned_columns(ledger)
        judges = list(dict.fromkeys(group[0].scorer for group in columns.values() if group[0].judged))
        for name in (cheap, dear):
            if name not in judges:
                raise unknown_name("judge in this run", name, judges or ["none"])
        if cheap == dear:
            raise UsageError("the cheap and the dear judge are the same", fix="Name two judges of the run.")
        own = {
            group[0].rubric: (number, group) for number, group in columns.items() if group[0].scorer == cheap
        }
        others = {group[0].rubric: number for number, group in columns.items() if group[0].scorer == dear}
        self.rubrics = [rubric for rubric in own if rubric in others]
        if not self.rubrics:
            raise InputError(f"{cheap} and {dear} answered no rubric in common")
        self.numbers = {rubric: (own[rubric][0], others[rubric]) for rubric in self.rubrics}
        self.columns = {rubric: {c.criterion: c for c in own[rubric][1]} for rubric in self.rubrics}
        self._known: dict[str, dict[str, dict[ItemKey, float]]] = {
            rubric: {c.criterion: {} for c in own[rubric][1] if c.criterion != OVERALL}
            for rubric in self.rubrics
        }
        by_number = {self.numbers[rubric][0]: rubric for rubric in self.rubrics}
        for row in ledger.outcomes(by_number):
            rubric = by_number[row.scorer]
            key = ItemKey(row.dialogue, WHOLE if row.turn is None else row.turn)
            for column, result in zip(own[rubric][1], row.results, strict=True):
                if column.criterion != OVERALL:
                    self._known[rubric][column.criterion][key] = _confidence(column, result)

    def on(self, rubric: str, criterion: str, items: Sequence[ItemKey]) -> FloatArray:
        """The confidences (len(items),) on some items, NaN where there is none."""
        known = self._known[rubric][criterion]
        return np.array([known.get(item, np.nan) for item in items])

    def all(self, rubric: str) -> dict[str, FloatArray]:
        """The confidences on all items that the judge has seen, by criterion, in one order."""
        known = self._known[rubric]
        items = sorted({item for by_item in known.values() for item in by_item})
        return {criterion: self.on(rubric, criterion, items) for criterion in known}


def _confidence(column: Column, result: object) -> float:
    """The confidence as a number: NaN where it is unknown, infinite where there was nothing to assess."""
    if isinstance(result, Skip):
        return np.nan if result.reason is SkipReason.CANNOT_ASSESS else np.inf
    sure = (
        confidence_of(result, nominal=column.nominal, low=column.low, high=column.high)
        if isinstance(result, Score)
        else None
    )
    return np.nan if sure is None else sure


def _plan(
    job: PlanJob, ledger: Ledger, seen: _Verdicts, held: Sequence[Contest], rubric: str
) -> CascadePlan | None:
    data = [one for contest in held if (one := _data(job, seen, contest, rubric)) is not None]
    if not data:
        return None
    criteria = plan_thresholds(data, job.risk)
    accept = {plan.criterion: plan.value for plan in criteria if plan.value is not None}
    everywhere = seen.all(rubric)
    wanted = {plan.criterion: everywhere[plan.criterion] for plan in criteria}
    items = len(next(iter(wanted.values())))
    costs = _costs(ledger, seen.numbers[rubric], job)
    return CascadePlan(rubric, job.cheap, job.dear, criteria, policies_of(wanted, accept, items, *costs))


def _data(job: PlanJob, seen: _Verdicts, contest: Contest, rubric: str) -> CriterionData | None:
    """A criterion's losses and confidences; None where one of the judges did not answer it."""
    pair = [
        next((e for e in contest.judges if e.rubric == rubric and e.scorer == name), None)
        for name in (job.cheap, job.dear)
    ]
    if pair[0] is None or pair[1] is None or contest.criterion not in seen.columns[rubric]:
        return None
    if contest.criterion == OVERALL:
        return None
    column = seen.columns[rubric][contest.criterion]
    losses = [_losses(entrant, column, job.loss) for entrant in pair if entrant is not None]
    return CriterionData(
        contest.criterion,
        tuple((item.dialogue, item.turn) for item in contest.items),
        seen.on(rubric, contest.criterion, contest.items),
        losses[0],
        losses[1],
        contest.groups,
    )


def _losses(entrant: Entrant, column: Column, loss: str) -> FloatArray:
    """How far verdicts are from the ratings (n,), NaN where either is missing."""
    values, ratings = entrant.values, entrant.ratings
    rated = ~np.isnan(ratings).all(axis=1)
    counts = np.maximum((~np.isnan(ratings)).sum(axis=1), 1)
    if column.nominal:
        wrong = np.where(np.isnan(ratings), 0.0, ratings != values[:, None]).sum(axis=1) / counts
        return np.where(rated & ~np.isnan(values), wrong, np.nan)
    human = np.where(rated, np.nan_to_num(ratings).sum(axis=1) / counts, np.nan)
    if loss == PASS:
        if column.passes is None:
            raise UsageError(f"{column.criterion} has no pass rule", fix="Use --loss distance.")
        rule = PassRule.parse(column.passes)
        sides = [
            np.array([float(rule(v)) if not np.isnan(v) else np.nan for v in side])
            for side in (values, human)
        ]
        return np.asarray(np.abs(sides[0] - sides[1]), dtype=np.float64)
    if column.low is None or column.high is None:
        raise UsageError(
            f"{column.criterion} has no ends, so a distance on it has no size", fix="Use --loss pass."
        )
    return np.abs(values - human) / (column.high - column.low)


def _costs(ledger: Ledger, numbers: tuple[int, int], job: PlanJob) -> tuple[float | None, float | None]:
    """USD per item of both judges: as told, else what the run paid where it asked about every item."""
    spent: dict[int, float | None] = {}
    for row in ledger.attempt_totals():
        if row.state == "ok":
            before = spent.get(row.scorer, 0.0)
            spent[row.scorer] = None if row.cost is None or before is None else before + row.cost
    found: list[float | None] = []
    for name, number in zip((job.cheap, job.dear), numbers, strict=True):
        items = ledger.outcome_count(number)
        paid = spent.get(number)
        found.append(job.prices.get(name, None if paid is None or not items else paid / items))
    return found[0], found[1]
