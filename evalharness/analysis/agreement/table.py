"""Scores and labels as arrays: one row an item, one column a scorer or a rater."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evalharness.analysis.agreement.joining import WHOLE, DialogueFacts, ItemKey, PlacedLabel
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column, Failure, Result, Score, Value
from evalharness.data.ledger.store import OutcomeRow
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray


class Aggregate(StrEnum):
    """How the scores of a dialogue's turns become one that can meet a label of the whole dialogue."""

    MEAN = "mean"
    MIN = "min"
    LAST = "last"


@dataclass(frozen=True, slots=True, eq=False)
class ScoreColumn:
    """The values of one column: ``values`` (items,) with NaN where there is no score.

    ``samples`` (items, most samples) are the single verdicts behind the values, NaN where one was unusable or not
    asked; None where no item has several. Values of nominal columns are indices of their levels.
    """

    column: Column
    values: FloatArray
    failed: int
    skipped: int
    samples: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """All items of a run that a scorer has seen, sorted by cluster, dialogue and turn, with every column.

    ``numbers`` are the ledger's running numbers of the dialogues.
    """

    items: tuple[ItemKey, ...]
    columns: tuple[ScoreColumn, ...]
    index: Mapping[ItemKey, int]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, outcomes: Iterable[OutcomeRow], scorers: Mapping[int, Sequence[Column]]) -> ScoreTable:
        """The table of outcomes that come sorted as the ledger hands them out."""
        building = {number: [_Filling(column) for column in columns] for number, columns in scorers.items()}
        index: dict[ItemKey, int] = {}
        numbers: dict[str, int] = {}
        for row in outcomes:
            numbers[row.dialogue] = row.seq
            key = ItemKey(row.dialogue, WHOLE if row.turn is None else row.turn)
            place = index.setdefault(key, len(index))
            for filling, result in zip(building[row.scorer], row.results, strict=True):
                filling.add(place, result)
        columns = tuple(f.column(len(index)) for group in building.values() for f in group)
        return cls(tuple(index), columns, index, numbers)


class _Filling:
    """One column while it is read."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._places: list[int] = []
        self._values: list[float] = []
        self._samples: dict[int, tuple[float, ...]] = {}
        self._failed = self._skipped = 0
        self._levels = {name: float(i) for i, name in enumerate(column.levels)} if column.nominal else {}

    def add(self, place: int, result: Result) -> None:
        if not isinstance(result, Score):
            self._failed += isinstance(result, Failure)
            self._skipped += not isinstance(result, Failure)
            return
        self._places.append(place)
        self._values.append(self._number(result.value))
        if len(result.samples) > 1:
            self._samples[place] = tuple(self._number(sample) for sample in result.samples)

    def _number(self, value: object) -> float:
        if isinstance(value, str):
            return self._levels.get(value, np.nan)
        return float(value) if isinstance(value, int | float) else np.nan

    def column(self, items: int) -> ScoreColumn:
        values = np.full(items, np.nan)
        values[self._places] = self._values
        return ScoreColumn(self._column, values, self._failed, self._skipped, self._sample_matrix(items))

    def _sample_matrix(self, items: int) -> FloatArray | None:
        if not self._samples:
            return None
        width = max(map(len, self._samples.values()))
        matrix = np.full((items, width), np.nan)
        for place, samples in self._samples.items():
            matrix[place, : len(samples)] = samples
        return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """All labels of one criterion on items of one unit.

    ``codes`` (items, raters) index ``values``, the distinct values as written; -1 where a rater gave none. Second looks
    stand apart: ``looks`` holds (item, rater, code of the first look, code of the later one). ``chances`` (items,) are
    the probabilities with which the items had been drawn for labelling, NaN where the labels don't say.
    """

    criterion: str
    unit: Unit
    items: tuple[ItemKey, ...]
    raters: tuple[str, ...]
    values: tuple[Value, ...]
    codes: IntArray
    looks: tuple[tuple[int, int, int, int], ...]
    where: Mapping[Value, tuple[str, int]]
    chances: FloatArray

    @property
    def count(self) -> int:
        """How many first looks there are."""
        return int((self.codes >= 0).sum())

    def matrix(self, place: Callable[[Value], float]) -> FloatArray:
        """The ratings (items, raters) as numbers, NaN where missing."""
        numbers = np.array([*(place(value) for value in self.values), np.nan])
        return np.asarray(numbers[self.codes])


def ratings_of(labels: Iterable[PlacedLabel], facts: Mapping[str, DialogueFacts]) -> tuple[Ratings, ...]:
    """The labels by criterion (upper and lower case alike) and unit, items sorted by cluster, dialogue and turn."""
    groups: dict[tuple[str, Unit], list[PlacedLabel]] = defaultdict(list)
    for entry in labels:
        unit = Unit.DIALOGUE if entry.item.turn == WHOLE else Unit.TURN
        groups[entry.label.criterion.casefold(), unit].append(entry)
    return tuple(_ratings(groups[key], key[1], facts) for key in sorted(groups))


def _ratings(entries: Sequence[PlacedLabel], unit: Unit, facts: Mapping[str, DialogueFacts]) -> Ratings:
    items = sorted({e.item for e in entries}, key=lambda item: (facts[item.dialogue].cluster, item))
    raters = sorted({e.label.rater for e in entries})
    values = sorted({e.label.value for e in entries}, key=lambda value: (isinstance(value, str), value))
    rows, columns = _positions(items), _positions(raters)
    numbers = _positions(values)
    codes = np.full((len(items), len(raters)), -1, dtype=np.intp)
    chances = np.full(len(items), np.nan)
    later = []
    where: dict[Value, tuple[str, int]] = {}
    for entry in entries:
        label = entry.label
        where.setdefault(label.value, (label.source, label.line))
        place = rows[entry.item], columns[label.rater]
        if label.probability is not None:
            chances[place[0]] = label.probability
        if label.repeat == 0:
            codes[place] = numbers[label.value]
        else:
            later.append((*place, numbers[label.value]))
    looks = tuple((i, j, int(codes[i, j]), code) for i, j, code in sorted(later) if codes[i, j] >= 0)
    name = min(e.label.criterion for e in entries)
    return Ratings(name, unit, tuple(items), tuple(raters), tuple(values), codes, looks, where, chances)


def _positions(things: Sequence[object]) -> dict[object, int]:
    return {thing: position for position, thing in enumerate(things)}


def column_on(
    table: ScoreTable, column: ScoreColumn, items: Sequence[ItemKey], aggregate: Aggregate | None = None
) -> FloatArray:
    """The column's values (len(items),) on the given items, NaN where it has none.

    With ``aggregate``, scores of turns become one for each whole dialogue; a turn without a score makes it NaN.
    """
    if aggregate is not None:
        by_dialogue = _aggregated(table, column, aggregate)
        return np.array([by_dialogue.get(item.dialogue, np.nan) for item in items])
    places = np.array([table.index.get(item, -1) for item in items], dtype=np.intp)
    if column.values.size == 0:
        return np.full(len(items), np.nan)
    found: FloatArray = np.where(places >= 0, column.values[places], np.nan)
    return found


def samples_on(table: ScoreTable, column: ScoreColumn, items: Sequence[ItemKey]) -> FloatArray | None:
    """The single verdicts (len(items), samples) behind the values; None where there are none."""
    if column.samples is None:
        return None
    places = np.array([table.index.get(item, -1) for item in items], dtype=np.intp)
    return np.where((places >= 0)[:, None], column.samples[places], np.nan)


def _aggregated(table: ScoreTable, column: ScoreColumn, aggregate: Aggregate) -> dict[str, float]:
    turns: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for item, value in zip(table.items, column.values, strict=True):
        if item.turn != WHOLE:
            turns[item.dialogue].append((item.turn, float(value)))
    return {dialogue: _one(sorted(values), aggregate) for dialogue, values in turns.items()}


def _one(turns: Sequence[tuple[int, float]], aggregate: Aggregate) -> float:
    values = np.array([value for _, value in turns])
    match aggregate:
        case Aggregate.MEAN:
            return float(values.mean())
        case Aggregate.MIN:
            return float(values.min())
        case Aggregate.LAST:
            return float(values[-1])


def codes_of(names: Sequence[str]) -> IntArray:
    """Codes 0..K-1 of names in sorted order."""
    return np.asarray(np.unique(np.asarray(names, dtype=object), return_inverse=True)[1], dtype=np.intp)


def defined(values: FloatArray) -> BoolArray:
    """Where there is a value."""
    return np.asarray(~np.isnan(values))
