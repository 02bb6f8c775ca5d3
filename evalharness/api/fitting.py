"""Fitting a judge to labels: features of the labelled items of a run, one model a criterion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions
from evalharness.analysis.agreement.joining import WHOLE, DialogueFacts, ItemKey, JoinOptions, join_labels
from evalharness.analysis.agreement.learning import Learned, learn
from evalharness.analysis.agreement.scales import Placing, Scale, undeclared_scale
from evalharness.analysis.agreement.table import Ratings, codes_of, ratings_of
from evalharness.api.folder import open_run
from evalharness.core.canonical import Json
from evalharness.core.dialogue import Item, Unit
from evalharness.core.features import FEATURES, item_features
from evalharness.core.fitted import FittedModel
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, Problem
from evalharness.stats.ceiling import rater_mean
from evalharness.stats.estimate import Estimate
from evalharness.stats.unfitted import Unfitted

_BLOCK = 500


@dataclass(frozen=True, slots=True)
class FitJob:
    """Everything that `evalharness fit` can be told; ``unit`` None: turns where they have labels, else dialogues."""

    run: Path
    labels: tuple[str, ...]
    out: Path
    label_options: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)
    unit: Unit | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FitResult:
    """The learned criteria, those that could not be learned with the reason, and the file."""

    learned: tuple[Learned, ...]
    unfitted: tuple[tuple[str, str], ...]
    unit: Unit
    path: Path


def run_fit(job: FitJob, stdin: BinaryIO | None = None) -> FitResult:
    """Fit, and write the judge as JSON. :class:`InputError` where nothing can be learned."""
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    with open_run(job.run) as (_, ledger):
        dialogues = (stored.load() for block in ledger.dialogue_blocks(_BLOCK) for stored in block)
        joined = join_labels(dialogues, found.labels, (), job.join)
        every = ratings_of(joined.labels, joined.dialogues)
        unit = job.unit or (Unit.TURN if any(r.unit is Unit.TURN for r in every) else Unit.DIALOGUE)
        chosen = [ratings for ratings in every if ratings.unit is unit]
        features = _features(ledger, {item for ratings in chosen for item in ratings.items})
    learned, unfitted = _learned(chosen, joined.dialogues, features, job)
    if not learned:
        reasons = "; ".join(f"{name}: {why}" for name, why in unfitted) or f"no labels of {unit.value}s"
        raise InputError(Problem(f"nothing could be learned ({reasons})"))
    write_text(job.out, _text(learned, unfitted, unit))
    return FitResult(tuple(learned), tuple(unfitted), unit, job.out)


def _learned(
    chosen: Sequence[Ratings],
    facts: Mapping[str, DialogueFacts],
    features: dict[ItemKey, tuple[float, ...]],
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
        result = _one(name, ratings, scale, facts, features, job)
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
    features: dict[ItemKey, tuple[float, ...]],
    job: FitJob,
) -> Learned | Unfitted:
    place = Placing(scale)
    human = rater_mean(ratings.matrix(lambda value: float(place.place(value))))
    kept = [i for i, item in enumerate(ratings.items) if item in features and not np.isnan(human[i])]
    items = [ratings.items[i] for i in kept]
    if not items:
        return Unfitted("no labelled item is a reply")
    systems = [facts[item.dialogue].system for item in items]
    return learn(
        name,
        FEATURES,
        np.array([features[item] for item in items]),
        human[kept],
        codes_of([facts[item.dialogue].cluster for item in items]),
        codes_of(systems) if len(set(systems)) > 1 else None,
        np.array([facts[item.dialogue].length(item.turn) for item in items]),
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


def _text(learned: Sequence[Learned], unfitted: Sequence[tuple[str, str]], unit: Unit) -> str:
    model = FittedModel(FEATURES, {row.criterion: row.model for row in learned}, unit.value)
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
    }


def _estimate(estimate: Estimate) -> dict[str, Json]:
    from evalharness.report.document import estimate_json

    return estimate_json(estimate)
