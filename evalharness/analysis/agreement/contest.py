"""Who is compared on a criterion: judges, metrics and baselines beside the raters of the same items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalharness.analysis.agreement.drawing import Drawing
from evalharness.analysis.agreement.intervals import Interval
from evalharness.analysis.agreement.joining import WHOLE, DialogueFacts, ItemKey
from evalharness.analysis.agreement.scales import Placing, Scale, ScaleOptions, scale_of, undeclared_scale
from evalharness.analysis.agreement.sides import Sides
from evalharness.analysis.agreement.table import (
    Aggregate,
    Ratings,
    ScoreColumn,
    ScoreTable,
    codes_of,
    column_on,
    samples_on,
)
from evalharness.analysis.agreement.types import CONSTANT, LENGTH, Kind
from evalharness.core.dialogue import Unit
from evalharness.core.scores import OVERALL, Value
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem, UsageError
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import Grouping
from evalharness.stats.ceiling import majority, rater_mean

_MOST_CELLS = 20_000_000
_MOST_RATERS = 60


@dataclass(frozen=True, slots=True)
class AgreeOptions:
    """How scores and labels are compared.

    ``map`` names the label criterion of a rubric's criterion; ``statistics`` (full names) and ``groupings`` replace
    those that fit the scale; ``everything`` asks for all; ``slices`` are metadata names; ``epsilon`` is the cost
    benefit of the alternative annotator test; ``judges`` are raters of pair labels to be taken as judges; ``weigh``
    whether items drawn with unequal probabilities are weighted by them; ``interval`` how intervals of pooled figures
    are made; ``slice_statistics`` are wanted in slices beside the leading one.
    """

    map: Mapping[str, str] = field(default_factory=dict)
    scales: ScaleOptions = field(default_factory=ScaleOptions)
    aggregate: Aggregate | None = None
    statistics: tuple[str, ...] = ()
    groupings: tuple[Grouping, ...] = (Grouping.POOLED,)
    everything: bool = False
    slices: tuple[str, ...] = ()
    epsilon: float = 0.2
    level: float = 0.95
    judges: tuple[str, ...] = ()
    weigh: bool = True
    interval: Interval = Interval.CR1
    slice_statistics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """One scorer on the labelled items: ``values`` (n,) beside ``ratings`` (n, r) on its own scale."""

    scorer: str
    rubric: str
    kind: Kind
    values: FloatArray
    ratings: FloatArray
    scale: Scale
    samples: FloatArray | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """One criterion of the labels with everybody who can be compared on it.

    ``ratings`` (n, r) stand on ``scale``, that of the first judge asked about the criterion. ``copies`` (n,) say how
    often each item counts, None where all count alike.
    """

    criterion: str
    labels: Ratings
    ratings: FloatArray
    scale: Scale
    groups: IntArray
    systems: IntArray | None
    system_names: tuple[str, ...]
    slices: Mapping[str, tuple[str, ...]]
    entrants: tuple[Entrant, ...]
    unlabelled: int
    unscored: int
    drawing: Drawing
    copies: IntArray | None
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[ItemKey, ...]:
        """The labelled items."""
        return self.labels.items

    @property
    def judges(self) -> tuple[Entrant, ...]:
        """The judges among the entrants."""
        return tuple(entrant for entrant in self.entrants if entrant.kind is Kind.JUDGE)

    def sides(self, entrant: Entrant) -> Sides:
        """An entrant beside the raters."""
        return self.beside(entrant, entrant.values, entrant.ratings)

    def beside(self, entrant: Entrant, values: FloatArray, ratings: FloatArray) -> Sides:
        """Other values or ratings of an entrant's on the same items."""
        return Sides(values, ratings, self.groups, self.systems, entrant.scale, self.copies)


def contests(
    table: ScoreTable,
    labels: Sequence[Ratings],
    facts: Mapping[str, DialogueFacts],
    options: AgreeOptions,
) -> tuple[Contest, ...]:
    """One contest for each criterion and unit of the labels.

    Raises :class:`InputError` for labels off their scale, ``UsageError`` for a declared scale that nothing has.
    """
    judged = [(c.column.criterion, scale_of(c.column)) for c in table.columns if c.column.judged]
    options.scales.check_used(judged, [ratings.criterion for ratings in labels])
    problems: list[Problem] = []
    found = tuple(_contest(table, ratings, facts, options, problems) for ratings in labels)
    if problems:
        raise InputError(problems[:50])
    return found


def check_map(mapped: Mapping[str, str], criteria: Iterable[str], labels: Iterable[str]) -> None:
    """A ``--map`` that names a criterion which the run or the labels don't have is a :class:`UsageError`.

    ``labels`` are the criteria of all labels that were given, those of single items: preferences are not mapped.
    """
    for kind, asked, have in (
        ("judged criterion", mapped.keys(), criteria),
        ("criterion of the labels", mapped.values(), labels),
    ):
        known = {name.casefold(): name for name in have}
        for name in asked:
            if name.casefold() not in known:
                listed = ", ".join(known.values()) or "none"
                raise UsageError(f"--map: there is no {kind} {quoted(name)}", fix=f"There is: {listed}.")


def unchecked_columns(table: ScoreTable, held: Sequence[Contest]) -> tuple[tuple[str, str, str], ...]:
    """Judged columns (scorer, rubric, criterion) that no label speaks about; overalls are left out."""
    met = {(e.scorer, e.rubric, c.criterion) for c in held for e in c.judges}
    rows = [(c.column.scorer, c.column.rubric, c.column.criterion) for c in table.columns if c.column.judged]
    return tuple(row for row in rows if row not in met and row[2] != OVERALL)


def _contest(
    table: ScoreTable,
    labels: Ratings,
    facts: Mapping[str, DialogueFacts],
    options: AgreeOptions,
    problems: list[Problem],
) -> Contest:
    judged = [c for c in table.columns if c.column.judged and _about(c, table, labels, options)]
    criterion = _name(judged, labels)
    aggregate = options.aggregate if labels.unit is Unit.DIALOGUE else None
    entrants = [_judge(table, c, labels, options, problems) for c in judged]
    matrix, scale = _reference(entrants, labels, options, problems)
    others = [] if scale.nominal else [*_metrics(table, labels, matrix, aggregate)]
    clusters = codes_of([facts[item.dialogue].cluster for item in labels.items])
    names = [facts[item.dialogue].system for item in labels.items]
    systems = codes_of(names) if len(set(names)) > 1 else None
    baselines = _baselines(labels, matrix, scale, facts)
    seen = _seen([*entrants, *others], len(labels.items))
    drawing = Drawing(labels.chances, options.weigh)
    return Contest(
        criterion=criterion,
        labels=labels,
        ratings=matrix,
        scale=scale,
        groups=clusters,
        systems=systems,
        system_names=tuple(names) if systems is not None else (),
        slices={
            name: tuple(facts[item.dialogue].slices.get(name, "") for item in labels.items)
            for name in options.slices
        },
        entrants=(*entrants, *others, *baselines),
        unlabelled=_unlabelled(table, judged, labels),
        unscored=int((~seen).sum()),
        drawing=drawing,
        copies=drawing.copies,
        notes=tuple(_notes(judged, labels)),
    )


def _about(column: ScoreColumn, table: ScoreTable, labels: Ratings, options: AgreeOptions) -> bool:
    """Whether a judge's column answers the labels' criterion, by name or by ``map``, on their unit."""
    own = column.column
    if own.unit is not labels.unit and not (
        options.aggregate is not None and own.unit is Unit.TURN and labels.unit is Unit.DIALOGUE
    ):
        return False
    mapped = {key.casefold(): value for key, value in options.map.items()}
    wanted = mapped.get(own.criterion.casefold(), own.criterion).casefold()
    if own.criterion == OVERALL and OVERALL not in mapped and not _has_overall(column, table, mapped):
        return labels.criterion.casefold() in (OVERALL, "overall")
    return wanted == labels.criterion.casefold()


def _has_overall(column: ScoreColumn, table: ScoreTable, mapped: Mapping[str, str]) -> bool:
    """Whether the same rubric has a criterion of its own that labels called overall belong to."""
    own = column.column
    same = [c.column for c in table.columns if (c.column.scorer, c.column.rubric) == (own.scorer, own.rubric)]
    return any(mapped.get(c.criterion.casefold(), c.criterion).casefold() == "overall" for c in same)


def _name(judged: Sequence[ScoreColumn], labels: Ratings) -> str:
    names = {column.column.criterion for column in judged}
    return names.pop() if len(names) == 1 else labels.criterion


def _judge(
    table: ScoreTable,
    column: ScoreColumn,
    labels: Ratings,
    options: AgreeOptions,
    problems: list[Problem],
) -> Entrant:
    own = column.column
    aggregate = options.aggregate if own.unit is not labels.unit else None
    scale = scale_of(own)
    unchecked = options.scales.unchecked and not scale.nominal
    declared = options.scales.labels_of((labels.criterion, own.criterion), scale)
    if own.criterion == OVERALL and declared is None:
        unchecked = True
    placing = Placing(scale, declared, unchecked)
    place = _placer(placing, labels, f"{own.rubric}: {own.criterion}", problems)
    return Entrant(
        own.scorer,
        own.rubric,
        Kind.JUDGE,
        column_on(table, column, labels.items, aggregate),
        labels.matrix(place),
        placing.result,
        samples_on(table, column, labels.items) if aggregate is None else None,
        own.low,
        own.high,
    )


def _placer(
    placing: Placing, labels: Ratings, title: str, problems: list[Problem]
) -> Callable[[Value], float]:
    fix = (
        "Declare the labels' own scale with --scale RUBRIC=LABELS, say --scale 1..5=0..2, "
        "or --scale any for rank statistics alone."
    )

    def place(value: Value) -> float:
        found = placing.place(value)
        if isinstance(found, float):
            return found
        source, line = labels.where[value]
        problem = Problem(f"{quoted(title)}: {found}", source, line, fix=fix)
        if problem not in problems:
            problems.append(problem)
        return float("nan")

    return place


def _reference(
    judges: Sequence[Entrant], labels: Ratings, options: AgreeOptions, problems: list[Problem]
) -> tuple[FloatArray, Scale]:
    """The ratings as humans are compared with each other: on the first judge's scale, or on the labels' own."""
    for judge in judges:
        if judge.scale.same:
            return judge.ratings, judge.scale
    if judges:
        return judges[0].ratings, Scale(low=judges[0].scale.low, high=judges[0].scale.high)
    scale = undeclared_scale(labels.values, options.scales.criteria.get(labels.criterion.casefold()))
    place = _placer(Placing(scale), labels, labels.criterion, problems)
    return labels.matrix(place), scale


def _metrics(
    table: ScoreTable, labels: Ratings, matrix: FloatArray, aggregate: Aggregate | None
) -> Iterator[Entrant]:
    for column in table.columns:
        own = column.column
        if own.judged or own.nominal:
            continue
        if own.unit is not labels.unit and not (labels.unit is Unit.DIALOGUE and own.unit is Unit.TURN):
            continue
        how = None if own.unit is labels.unit else (aggregate or Aggregate.MEAN)
        values = column_on(table, column, labels.items, how)
        yield Entrant(own.scorer, own.rubric, Kind.METRIC, values, matrix, Scale(same=False))


def _baselines(
    labels: Ratings, matrix: FloatArray, scale: Scale, facts: Mapping[str, DialogueFacts]
) -> Iterator[Entrant]:
    """Answering always the same, and the length of the reply."""
    yield Entrant(
        CONSTANT, "", Kind.BASELINE, np.full(len(matrix), _most_usual(matrix, scale)), matrix, scale
    )
    if not scale.nominal:
        length = np.array([facts[item.dialogue].length(item.turn) for item in labels.items])
        yield Entrant(LENGTH, "", Kind.BASELINE, length, matrix, Scale(same=False))


def _most_usual(matrix: FloatArray, scale: Scale) -> float:
    """The commonest majority where there are classes, else the mean."""
    if len(scale.levels) >= 2 and np.isin(matrix[~np.isnan(matrix)], scale.levels).all():
        voted = majority(matrix, scale.levels)
        values, counts = np.unique(voted[~np.isnan(voted)], return_counts=True)
        if values.size:
            return float(values[counts.argmax()])
    mean = rater_mean(matrix)
    return float(np.nanmean(mean)) if (~np.isnan(mean)).any() else 0.0


def _seen(entrants: Sequence[Entrant], n: int) -> np.ndarray:
    seen = np.zeros(n, dtype=bool)
    for entrant in entrants:
        seen |= ~np.isnan(entrant.values)
    return seen


def _unlabelled(table: ScoreTable, judged: Sequence[ScoreColumn], labels: Ratings) -> int:
    """Scored items of the unit that have no label."""
    columns = judged or [c for c in table.columns if c.column.unit is labels.unit]
    if not columns or columns[0].column.unit is not labels.unit:
        return 0
    labelled = set(labels.items)
    scored = ~np.isnan(columns[0].values)
    return sum(
        1
        for item, has in zip(table.items, scored.tolist(), strict=True)
        if has and item not in labelled and (item.turn == WHOLE) == (labels.unit is Unit.DIALOGUE)
    )


def _notes(judged: Sequence[ScoreColumn], labels: Ratings) -> Iterator[str]:
    if not judged:
        yield f"no judge was asked about {labels.criterion}"


def interchangeable(matrix: FloatArray) -> FloatArray:
    """Ratings without the raters' names where there are too many: the first, second, … rating of each item."""
    if matrix.shape[1] <= _MOST_RATERS and matrix.size <= _MOST_CELLS:
        return matrix
    present = ~np.isnan(matrix)
    order = np.argsort(~present, axis=1, kind="stable")
    packed = np.take_along_axis(matrix, order, axis=1)
    return np.asarray(packed[:, : int(present.sum(axis=1).max(initial=1))])
