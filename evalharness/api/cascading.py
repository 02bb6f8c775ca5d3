"""`cascade plan`: thresholds for a cheap judge from labels, and what the cascade would have cost; nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant, contests
from evalharness.analysis.agreement.joining import WHOLE, ItemKey, JoinOptions
from evalharness.analysis.agreement.table import ratings_of
from evalharness.analysis.cascading import CascadePlan, CriterionData, Marks, plan_thresholds, policies_of
from evalharness.api.agreeing import check_names, joined_scores
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import open_run
from evalharness.api.recipe import Recipe, recorded_recipe
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import PassRule
from evalharness.core.scores import OVERALL, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, UsageError
from evalharness.judges.bands import Bands, is_near, width_of
from evalharness.judges.confidence import confidence_of
from evalharness.judges.options import JudgeOptions
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
    per item by judge, where the run does not tell them. ``near``: values so near to their pass threshold go on; with it
    labels may be missing, and no threshold is chosen.
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
    near: Bands | None = None


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The plans, one per rubric, and the file that holds them."""

    plans: tuple[CascadePlan, ...]
    written: Path


def run_plan(job: PlanJob, stdin: BinaryIO | None = None) -> PlanResult:
    """Plan a cascade for every rubric that both judges answered and labels speak about (all without labels)."""
    with open_run(job.run) as (folder, ledger):
        held = _held(job, ledger, stdin)
        seen = _Verdicts(ledger, job.cheap, job.dear)
        _check_near(job.near, seen)
        known = recorded_recipe(ledger)
        found = (_plan(job, ledger, seen, held, rubric) for rubric in seen.rubrics)
        plans = tuple(_with_specs(plan, known) for plan in found if plan is not None)
    if not plans:
        raise InputError("no label speaks about a criterion that both judges answered")
    path = folder.path / "cascade.json"
    write_text(path, plan_json(plans))
    return PlanResult(plans, path)


def _with_specs(plan: CascadePlan, known: Recipe | None) -> CascadePlan:
    """The plan with its judges as the settings can name them: a run's aliases mean nothing outside of it."""
    if known is None:
        return plan
    specs = known.judges.get(plan.cheap, plan.cheap), known.judges.get(plan.dear, plan.dear)
    return replace(plan, specs=specs, options=" ".join(_asked_with(known.options)))


def _asked_with(options: JudgeOptions) -> Iterator[str]:
    """The options of `score` that a run's judges were asked with, where they are not the usual ones."""
    if options.samples > 1:
        yield f"--samples {options.samples}"
    if options.per_criterion:
        yield "--per-criterion"
    if options.max_tokens is not None:
        yield f"--max-tokens {options.max_tokens}"
    if options.sampling.temperature is not None:
        yield f"--temperature {options.sampling.temperature:g}"
    if options.sampling.effort is not None:
        yield f"--effort {options.sampling.effort}"


def _held(job: PlanJob, ledger: Ledger, stdin: BinaryIO | None) -> Sequence[Contest]:
    """The judges beside the labels, where there are any."""
    if not job.labels:
        return ()
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    joined, table = joined_scores(ledger, found, job.join)
    check_names(table, joined, job.options)
    return contests(table, ratings_of(joined.labels, joined.dialogues), joined.dialogues, job.options)


class _Verdicts:
    """The cheap judge's confidences and both judges' values on all items of the run, by rubric and criterion."""

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
        self._unread: dict[str, set[ItemKey]] = {rubric: set() for rubric in self.rubrics}
        self._values: dict[tuple[str, str], dict[ItemKey, tuple[float, float]]] = {}
        places = {number: rubric for rubric, pair in self.numbers.items() for number in pair}
        for row in ledger.outcomes(places):
            rubric = places[row.scorer]
            is_cheap = row.scorer == self.numbers[rubric][0]
            key = ItemKey(row.dialogue, WHOLE if row.turn is None else row.turn)
            for column, result in zip(own[rubric][1], row.results, strict=True):
                if column.criterion != OVERALL:
                    self._take(rubric, column, key, result, is_cheap=is_cheap)

    def _take(self, rubric: str, column: Column, key: ItemKey, result: Result, *, is_cheap: bool) -> None:
        if is_cheap:
            self._known[rubric][column.criterion][key] = _confidence(column, result)
            if isinstance(result, Failure) or (
                isinstance(result, Skip) and result.reason is SkipReason.CANNOT_ASSESS
            ):
                self._unread[rubric].add(key)
        values = self._values.setdefault((rubric, column.criterion), {})
        cheap, dear = values.get(key, (np.nan, np.nan))
        value = _number(result)
        values[key] = (value, dear) if is_cheap else (cheap, value)

    def items(self, rubric: str) -> list[ItemKey]:
        """All items that the cheap judge has seen, in one order."""
        return sorted({item for by_item in self._known[rubric].values() for item in by_item})

    def marks(self, rubric: str, near: Bands | None) -> Marks:
        """Where the cheap judge's values lie near their pass threshold, and where pass marks differ."""
        items = self.items(rubric)
        close, compared, turned = (np.zeros(len(items), dtype=bool) for _ in range(3))
        for criterion, column in self.columns[rubric].items():
            if column.passes is None or criterion == OVERALL:
                continue
            rule = PassRule.parse(column.passes)
            band = None if near is None else near.of(criterion)
            width = None if band is None else width_of(band, column.low, column.high)
            values = self._values.get((rubric, criterion), {})
            for place, item in enumerate(items):
                cheap, dear = values.get(item, (np.nan, np.nan))
                close[place] |= not np.isnan(cheap) and is_near(rule, cheap, width)
                if not (np.isnan(cheap) or np.isnan(dear)):
                    compared[place] = True
                    turned[place] |= rule(cheap) != rule(dear)
        unread = np.array([item in self._unread[rubric] for item in items], dtype=bool)
        return Marks(None if near is None else close, unread, compared, turned)

    def on(self, rubric: str, criterion: str, items: Sequence[ItemKey]) -> FloatArray:
        """The confidences (len(items),) on some items, NaN where there is none."""
        known = self._known[rubric][criterion]
        return np.array([known.get(item, np.nan) for item in items])

    def all(self, rubric: str) -> dict[str, FloatArray]:
        """The confidences on all items that the judge has seen, by criterion, in one order."""
        items = self.items(rubric)
        return {criterion: self.on(rubric, criterion, items) for criterion in self._known[rubric]}


def _number(result: Result) -> float:
    """A score's value; NaN for labels and for what has none."""
    return result.value if isinstance(result, Score) and not isinstance(result.value, str) else np.nan


def _check_near(near: Bands | None, seen: _Verdicts) -> None:
    """A criterion that is named must have a pass rule, in one of the rubrics."""
    marked = {
        column.criterion for columns in seen.columns.values() for column in columns.values() if column.passes
    } - {OVERALL}
    for name in [] if near is None else near.by_criterion:
        if name not in marked:
            raise unknown_name("criterion with a pass rule", name, sorted(marked) or ["none"])


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
    if not data and (job.labels or job.near is None):
        return None
    marks = seen.marks(rubric, job.near)
    criteria = plan_thresholds(data, job.risk, _near_items(seen.items(rubric), marks))
    accept = {plan.criterion: plan.value for plan in criteria if plan.value is not None}
    everywhere = seen.all(rubric)
    wanted = {plan.criterion: everywhere[plan.criterion] for plan in criteria}
    policies = policies_of(wanted, accept, marks, _costs(ledger, seen.numbers[rubric], job))
    return CascadePlan(rubric, job.cheap, job.dear, criteria, policies, _written(job.near))


def _near_items(items: Sequence[ItemKey], marks: Marks) -> frozenset[tuple[str, int]]:
    """The items that go on because of their values, as labels name them."""
    if marks.near is None:
        return frozenset()
    return frozenset(
        (item.dialogue, item.turn) for item, close in zip(items, marks.near, strict=True) if close
    )


def _written(near: Bands | None) -> str:
    """The band as the settings take it."""
    if near is None:
        return ""
    if near.otherwise is not None:
        return str(near.otherwise)
    return f"{{{', '.join(f'{name}: {amount}' for name, amount in near.by_criterion.items())}}}"


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
