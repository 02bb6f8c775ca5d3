"""Fitting a judge to labels: features of the labelled items of a run, one model a criterion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, check_map
from evalharness.analysis.agreement.drawing import Drawing
from evalharness.analysis.agreement.joining import WHOLE, DialogueFacts, ItemKey, JoinOptions
from evalharness.analysis.agreement.learning import Learned, learn
from evalharness.analysis.agreement.scales import Placing, Scale, undeclared_scale
from evalharness.analysis.agreement.table import Ratings, ScoreTable, codes_of, column_on, ratings_of
from evalharness.api.agreeing import joined_scores
from evalharness.api.folder import open_run
from evalharness.core.canonical import Json
from evalharness.core.dialogue import Item, Unit
from evalharness.core.features import FEATURES, item_features
from evalharness.core.fitted import FittedModel, ScoreInput
from evalharness.core.scores import OVERALL
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, Problem, UsageError
from evalharness.stats.ceiling import rater_mean
from evalharness.stats.estimate import Estimate
from evalharness.stats.unfitted import Unfitted

_BLOCK = 500


@dataclass(frozen=True, slots=True)
class FitJob:
    """Everything that `evalharness fit` can be told; ``unit`` None: turns where they have labels, else dialogues.

    ``stacked`` are globs of the run's scorers whose values are features, too; ``select`` lets the fit choose among its
    features.
    """

    run: Path
    labels: tuple[str, ...]
    out: Path
    label_options: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)
    unit: Unit | None = None
    seed: int = 0
    stacked: tuple[str, ...] = ()
    select: bool = False


@dataclass(frozen=True, slots=True)
class FitResult:
    """The learned criteria, those that could not be learned with the reason, and the file.

    ``notes`` say what else there is to know, for example that there are judges to stack on.
    """

    learned: tuple[Learned, ...]
    unfitted: tuple[tuple[str, str], ...]
    unit: Unit
    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """The features of labelled items: own ones, then the values of other scorers."""

    scores: tuple[ScoreInput, ...]
    features: Mapping[ItemKey, tuple[float, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return (*FEATURES, *(score.name for score in self.scores))


def run_fit(job: FitJob, stdin: BinaryIO | None = None) -> FitResult:
    """Fit, and write the judge as JSON. :class:`InputError` where nothing can be learned."""
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    with open_run(job.run) as (_, ledger):
        joined, table = joined_scores(ledger, replace(found, pairs=()), job.join)
        every = ratings_of(joined.labels, joined.dialogues)
        check_map(job.options.map, job.options.map, [ratings.criterion for ratings in every])
        unit = job.unit or (Unit.TURN if any(r.unit is Unit.TURN for r in every) else Unit.DIALOGUE)
        chosen = [ratings for ratings in every if ratings.unit is unit]
        features = _features(ledger, {item for ratings in chosen for item in ratings.items})
    inputs = _with_scores(table, features, job.stacked, unit)
    learned, unfitted = _learned(chosen, joined.dialogues, inputs, job)
    if not learned:
        reasons = "; ".join(f"{name}: {why}" for name, why in unfitted) or f"no labels of {unit.value}s"
        raise InputError(Problem(f"nothing could be learned ({reasons})"))
    write_text(job.out, _text(learned, unfitted, unit, inputs.scores))
    notes = tuple(_notes(table, chosen, inputs, unit))
    return FitResult(tuple(learned), tuple(unfitted), unit, job.out, notes)


def _with_scores(
    table: ScoreTable, features: Mapping[ItemKey, tuple[float, ...]], globs: Sequence[str], unit: Unit
) -> _Inputs:
    """The features with the values of the scorers that are stacked on, on the items where all have one."""
    columns = [c for c in table.columns if any(fnmatchcase(c.column.scorer, glob) for glob in globs)]
    usable = [c for c in columns if not c.column.nominal and c.column.unit is unit]
    usable = [c for c in usable if c.column.criterion != OVERALL and bool((~np.isnan(c.values)).any())]
    if globs and not usable:
        names = sorted({c.column.scorer for c in table.columns})
        raise UsageError(
            f"--with {', '.join(globs)} names no scorer with values on {unit.value}s",
            fix=f"Scorers of the run: {', '.join(names[:12])}.",
        )
    items = list(features)
    values = (
        np.stack([column_on(table, c, items) for c in usable], axis=1)
        if usable
        else np.zeros((len(items), 0))
    )
    complete = np.asarray(~np.isnan(values).any(axis=1))
    found = {
        item: (*features[item], *row)
        for item, row, has in zip(items, values.tolist(), complete.tolist(), strict=True)
        if has
    }
    scores = tuple(
        ScoreInput(c.column.scorer, c.column.rubric, c.column.criterion, c.column.signature) for c in usable
    )
    return _Inputs(scores, found)


def _notes(table: ScoreTable, chosen: Sequence[Ratings], inputs: _Inputs, unit: Unit) -> Iterator[str]:
    judges = sorted({c.column.scorer for c in table.columns if c.column.judged and c.column.unit is unit})
    if judges and not inputs.scores:
        yield f"the run has verdicts of {', '.join(judges[:4])}: --with {judges[0]} would build on them"
    labelled = {item for ratings in chosen for item in ratings.items}
    lacking = len(labelled) - len(labelled & set(inputs.features))
    if inputs.scores and lacking:
        yield f"{lacking:,} labelled items lack a value of a scorer that is built on and are left out"
    if any(Drawing(ratings.chances).unequal for ratings in chosen):
        yield (
            "the labelled items were not drawn at random: the fit does not weight them, and its figures are of the "
            "labelled items"
        )


def _learned(
    chosen: Sequence[Ratings],
    facts: Mapping[str, DialogueFacts],
    inputs: _Inputs,
    job: FitJob,
) -> tuple[list[Learned], list[tuple[str, str]]]:
    learned: list[Learned] = []
    unfitted: list[tuple[str, str]] = []
    names = {label.casefold(): rubric for rubric, label in job.options.map.items()}
    for ratings in chosen:
        name = names.get(ratings.criterion.casefold(), ratings.criterion)
        scale = undeclared_scale(ratings.values, None)
        if scale.nominal:
            unfitted.append((name, "its values are words without an order"))
            continue
        result = _one(name, ratings, scale, facts, inputs, job)
        if isinstance(result, Unfitted):
            unfitted.append((name, result.reason))
        else:
            learned.append(result)
    return learned, unfitted


def _one(
    name: str,
    ratings: Ratings,
    scale: Scale,
    facts: Mapping[str, DialogueFacts],
    inputs: _Inputs,
    job: FitJob,
) -> Learned | Unfitted:
    place = Placing(scale)
    human = rater_mean(ratings.matrix(lambda value: float(place.place(value))))
    kept = [i for i, item in enumerate(ratings.items) if item in inputs.features and not np.isnan(human[i])]
    items = [ratings.items[i] for i in kept]
    if not items:
        return Unfitted("no labelled item is a reply")
    systems = [facts[item.dialogue].system for item in items]
    return learn(
        name,
        inputs.names,
        np.array([inputs.features[item] for item in items]),
        human[kept],
        codes_of([facts[item.dialogue].cluster for item in items]),
        codes_of(systems) if len(set(systems)) > 1 else None,
        np.array([facts[item.dialogue].length(item.turn) for item in items]),
        scores=len(inputs.scores),
        select=job.select,
        seed=job.seed,
    )


def _features(ledger: Ledger, wanted: set[ItemKey]) -> dict[ItemKey, tuple[float, ...]]:
    dialogues = {item.dialogue for item in wanted}
    found = {}
    for block in ledger.dialogue_blocks(_BLOCK):
        for stored in block:
            dialogue = stored.load()
            for item in _items(dialogue.id, len(dialogue.messages)) if dialogue.id in dialogues else ():
                if item in wanted:
                    found[item] = item_features(Item(dialogue, None if item.turn == WHOLE else item.turn))
    return found


def _items(dialogue: str, messages: int) -> Iterator[ItemKey]:
    return (ItemKey(dialogue, turn) for turn in range(WHOLE, messages))


def _text(
    learned: Sequence[Learned],
    unfitted: Sequence[tuple[str, str]],
    unit: Unit,
    scores: tuple[ScoreInput, ...],
) -> str:
    models = {row.criterion: row.model for row in learned}
    model = FittedModel(FEATURES, models, unit.value, scores).without_idle()
    facts: dict[str, Json] = {row.criterion: learned_json(row) for row in learned}
    document = {**model.to_json(), "fit": facts, "not_fitted": dict(unfitted)}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def learned_json(row: Learned) -> dict[str, Json]:
    """What is known of a fitted criterion."""
    return {
        "labelled_items": row.model.n,
        "spearman_by_held_out_group": _estimate(row.by_group),
        "spearman_by_held_out_system": _estimate(row.by_system),
        "spearman_of_length": _estimate(row.length),
        "share_outside_training": row.outside,
        "learning_curve": [{"labels": point.labels, "spearman": point.spearman} for point in row.curve],
        "weights": dict(row.weights),
        "features_chosen_within_the_fit": row.selected,
        "spearman_of_scorers_alone": {name: _estimate(estimate) for name, estimate in row.alone},
    }


def _estimate(estimate: Estimate) -> dict[str, Json]:
    from evalharness.report.document import estimate_json

    return estimate_json(estimate)
