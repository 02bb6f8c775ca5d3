"""Anchors made from a run and labels, and judged afresh by the judge of another run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.api.folder import open_run
from evalharness.api.human_scale import check_known
from evalharness.api.labelled import ItemName, label_means, of_criterion
from evalharness.api.rejudging import Asked, Terms, Wanted, ask_again, only_turns
from evalharness.api.snapshots import load_snapshot
from evalharness.core.anchors import Anchor, Anchors
from evalharness.core.dialogue import Dialogue
from evalharness.core.policy import Policy
from evalharness.core.scores import OVERALL, Column, Score
from evalharness.core.snapshot import Mark, Series, Snapshot
from evalharness.data.anchor_facts import AnchorFact
from evalharness.data.anchors import write_anchors
from evalharness.data.item_sampling import draw_at_random
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import read_labels
from evalharness.errors import InputError, UsageError
from evalharness.gate.confirming import SeriesKey
from evalharness.gate.rulers import Reading, ruler_of
from evalharness.gate.same import changed_parts
from evalharness.gate.types import Ruler

PURPOSE = "anchors"


@dataclass(frozen=True, slots=True)
class AnchorJob:
    """Everything that `evalharness baseline anchors` can be told. Without labels, ``size`` items are drawn."""

    run: Path
    out: Path
    labels: tuple[str, ...] = ()
    label_options: LabelOptions = field(default_factory=LabelOptions)
    size: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """The rulers by column, what the fresh verdicts cost (USD), why anchors stayed unread, and an interruption."""

    rulers: Mapping[SeriesKey, Ruler] = field(default_factory=dict)
    cost: float | None = 0.0
    unread: str = ""
    signal: int | None = None
    digest: str = ""


def make_anchors(job: AnchorJob) -> Anchors:
    """Freeze items of a run with the verdicts of its judges and the mean labels, and write them.

    Labelled items are taken where there are labels, else ``size`` (50) are drawn. Raises ``UsageError`` for a run
    without a judge, ``InputError`` for labels that are about nothing in it.
    """
    snapshot = load_snapshot(job.run)
    columns = [
        s
        for s in snapshot.series
        if s.column.judged and not s.column.nominal and s.column.criterion != OVERALL
    ]
    if not columns:
        raise UsageError(f"{job.run} has no judged scores", fix="Anchors watch judges: score with one first.")
    found = read_labels(job.labels, job.label_options) if job.labels else None
    with open_run(job.run) as (_, ledger):
        means = {}
        if found is not None:
            check_known(found, [snapshot])
            means = label_means(ledger, found)
        chosen = _chosen(snapshot, columns, means, job)
        dialogues = {name: ledger.dialogue_named(name) for name, _ in chosen}
        items = tuple(
            Anchor(stored.load(), turn, verdicts, labels)
            for (name, turn), (verdicts, labels) in chosen.items()
            if (stored := dialogues[name]) is not None
        )
    anchors = Anchors(snapshot.name, snapshot.created, tuple(series.column for series in columns), items)
    write_anchors(job.out, anchors)
    return anchors


def judge_anchors(path: Path, run: Snapshot, anchors: Anchors, policy: Policy, terms: Terms) -> Judged:
    """Let the run's judges judge the anchors afresh, and compare with what was recorded."""
    pairs = _pairs(run, anchors, policy)
    if not pairs:
        return Judged(unread="no judge of the run answers a criterion that the anchors have")
    if not path.is_dir():
        return Judged(unread=f"{path} does not say how its judge was asked: name the run folder")
    rulers: dict[SeriesKey, Ruler] = {}
    unread: dict[str, None] = {}
    cost: float | None = 0.0
    for scorer, rubric in dict.fromkeys((c.scorer, c.rubric) for c, _ in pairs):
        own = [(c, place) for c, place in pairs if (c.scorer, c.rubric) == (scorer, rubric)]
        asked = ask_again(
            path, Wanted(PURPOSE, scorer, rubric, _dialogues(anchors, [p for _, p in own])), terms
        )
        cost = None if cost is None or asked.cost is None else cost + asked.cost
        if asked.missing:
            unread[asked.missing] = None
        if asked.signal is not None:
            return Judged({}, cost, "interrupted", asked.signal)
        for column, place in own:
            ruler = _ruler(column, place, anchors, asked, policy, len(pairs))
            if ruler is not None:
                rulers[column.scorer, column.rubric, column.criterion] = ruler
            elif not asked.missing:
                unread[f"{scorer} gave no verdict on {column.criterion} of any anchor"] = None
    return Judged(rulers, cost, "; ".join(unread), digest=anchors.digest)


def facts_of(rulers: Mapping[SeriesKey, Ruler]) -> tuple[AnchorFact, ...]:
    """What is kept of the rulers with the run, for trends."""
    return tuple(_fact(key, ruler) for key, ruler in sorted(rulers.items()))


def _fact(key: SeriesKey, ruler: Ruler) -> AnchorFact:
    scorer, rubric, criterion = key
    shift = ruler.drift.shift
    return AnchorFact(
        scorer=scorer,
        rubric=rubric,
        criterion=criterion,
        signature=ruler.column.signature,
        changed=ruler.changed,
        items=ruler.items,
        missing=ruler.missing,
        groups=shift.groups,
        tolerance=ruler.tolerance,
        shift=shift.value,
        se=shift.se,
        low=shift.low,
        high=shift.high,
    )


def recorded_signatures(run: Snapshot, anchors: Anchors, policy: Policy) -> dict[SeriesKey, str]:
    """The signature under which the anchors hold verdicts on each gating column of the run that they have."""
    return {
        (c.scorer, c.rubric, c.criterion): anchors.columns[place].signature
        for c, place in _pairs(run, anchors, policy)
    }


def _pairs(run: Snapshot, anchors: Anchors, policy: Policy) -> list[tuple[Column, int]]:
    """The gating columns of the run's judges with the place of the anchors' column that each continues."""
    wanted = [s.column for s in run.series if s.column.judged and policy.why_not_gating(s.column) is None]
    return [(c, place) for c in wanted for place in [_recorded_as(c, anchors)] if place is not None]


def _chosen(
    snapshot: Snapshot,
    columns: Sequence[Series],
    means: Mapping[str, dict[ItemName, float]],
    job: AnchorJob,
) -> dict[ItemName, tuple[dict[int, float], dict[str, float]]]:
    """Verdicts and labels of the items to freeze, in the order of the run."""
    rows: dict[ItemName, tuple[dict[int, float], dict[str, float]]] = {}
    for place, series in enumerate(columns):
        labels = of_criterion(means, series.column.criterion)
        for mark in series.marks:
            name = _name(snapshot, mark)
            if mark.value is None or (means and name not in labels):
                continue
            verdicts, own = rows.setdefault(name, ({}, {}))
            verdicts[place] = mark.value
            if name in labels:
                own[series.column.criterion] = labels[name]
    if not rows:
        raise InputError("no item has both a verdict and a label of the same criterion")
    size = job.size if job.size is not None else (len(rows) if means else 50)
    names = {f"{dialogue}\n{turn}": (dialogue, turn) for dialogue, turn in rows}
    kept = {names[drawn] for drawn in draw_at_random(sorted(names), min(size, len(names)), job.seed)}
    return {name: row for name, row in rows.items() if name in kept}


def _name(snapshot: Snapshot, mark: Mark) -> ItemName:
    return snapshot.subjects[mark.subject].id, mark.turn


def _recorded_as(column: Column, anchors: Anchors) -> int | None:
    """Which column of the anchors one of the run continues: that of its judge, else the only one of its criterion."""
    same = [
        place
        for place, c in enumerate(anchors.columns)
        if (c.rubric, c.criterion) == (column.rubric, column.criterion)
    ]
    named = [place for place in same if anchors.columns[place].scorer == column.scorer]
    fitting = named or (same if len(same) == 1 else [])
    return next((p for p in fitting if anchors.columns[p].unit is column.unit), None)


def _dialogues(anchors: Anchors, places: Sequence[int]) -> tuple[Dialogue, ...]:
    """The dialogues of the anchors that have a verdict in one of the columns, cut to the turns judged."""
    turns: dict[str, list[int]] = defaultdict(list)
    found: dict[str, Dialogue] = {}
    for anchor in anchors.items:
        if any(place in anchor.verdicts for place in places):
            found.setdefault(anchor.dialogue.id, anchor.dialogue)
            turns[anchor.dialogue.id] += [] if anchor.turn is None else [anchor.turn]
    return tuple(only_turns(d, turns[name]) if turns[name] else d for name, d in sorted(found.items()))


def _ruler(
    column: Column, place: int, anchors: Anchors, asked: Asked, policy: Policy, tests: int
) -> Ruler | None:
    position = next((i for i, c in enumerate(asked.columns) if c.criterion == column.criterion), None)
    readings = []
    missing = 0
    for anchor in anchors.items:
        if place not in anchor.verdicts:
            continue
        results = asked.results.get((anchor.dialogue.id, anchor.turn))
        result = None if results is None or position is None else results[position]
        if not isinstance(result, Score) or isinstance(result.value, str):
            missing += 1
            continue
        label = anchor.labels.get(column.criterion)
        readings.append(Reading(anchor.dialogue.cluster, anchor.verdicts[place], float(result.value), label))
    changed = changed_parts(anchors.columns[place].signature, column.signature)
    return ruler_of(column, readings, missing, changed, policy, tests)
