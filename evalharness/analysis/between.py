"""Scorers against each other: how alike the columns of a run order the items that they have both scored.

One pass, bounded memory: of more than :data:`MOST_ITEMS` items a part is kept that their ids alone decide, so that
neither the order of the input nor the number of workers changes a figure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from evalharness.analysis.types import Between, BetweenRow
from evalharness.core.scores import Column, Score
from evalharness.data.ledger.store import OutcomeRow
from evalharness.stats.rank_correlation import spearman

MOST_ITEMS = 2_000
"""Beyond this many items, about this many to twice as many are compared: a rank correlation is then known to ±.04."""
MOST_COLUMNS = 16
LEAST_ITEMS = 3
_HASHES = 1 << 32
_LENGTH = "words"

Item = tuple[str, int | None]


class BetweenSums:
    """Keeps the values of the columns that are compared."""

    def __init__(self, scorers: Mapping[int, Sequence[Column]]) -> None:
        chosen = compared([column for columns in scorers.values() for column in columns])
        self._columns = chosen
        self._places = {
            number: [
                (place, chosen.index(column)) for place, column in enumerate(columns) if column in chosen
            ]
            for number, columns in scorers.items()
        }
        self._limit = _HASHES
        self._hashes: dict[Item, int] = {}
        self._values: dict[Item, dict[int, float]] = {}
        self._clusters: dict[Item, str] = {}

    def add(self, row: OutcomeRow) -> None:
        """Take the scores of a row."""
        places = self._places[row.scorer]
        if len(self._columns) < 2 or not places:
            return
        item = (row.dialogue, row.turn)
        if item not in self._values and not self._admitted(item, row.cluster):
            return
        values = self._values[item]
        for place, column in places:
            result = row.results[place]
            if isinstance(result, Score) and not isinstance(result.value, str):
                values[column] = float(result.value)

    def summary(self) -> Between:
        """Every pair of columns of the same unit."""
        items = sorted(self._values, key=lambda item: (self._clusters[item], item[0], item[1] or -1))
        table = np.array(
            [[self._values[item].get(k, np.nan) for k in range(len(self._columns))] for item in items]
        ).reshape(len(items), len(self._columns))
        clusters = np.array([self._clusters[item] for item in items])
        rows = [
            _row(self._columns[a], self._columns[b], table[:, a], table[:, b], clusters)
            for a, b in combinations(range(len(self._columns)), 2)
            if self._columns[a].unit is self._columns[b].unit
        ]
        return Between(tuple(row for row in rows if row is not None), self._limit < _HASHES)

    def _admitted(self, item: Item, cluster: str) -> bool:
        """Whether the item is among those that are compared; makes room where there are too many."""
        found = zlib.crc32(f"{item[0]}\0{item[1]}".encode("utf-8", "surrogatepass"))
        if found >= self._limit:
            return False
        self._hashes[item], self._clusters[item], self._values[item] = found, cluster, {}
        while len(self._hashes) > 2 * MOST_ITEMS:
            self._limit //= 2
            for other in [other for other, code in self._hashes.items() if code >= self._limit]:
                del self._hashes[other], self._clusters[other], self._values[other]
        return item in self._values


def compared(columns: Iterable[Column]) -> list[Column]:
    """The columns worth comparing: judges' first, then metrics with a good direction, then length."""
    ordered = [column for column in columns if not column.nominal]
    judged = [column for column in ordered if column.judged]
    metrics = [c for c in ordered if not c.judged and c.higher_is_better is not None]
    length = [c for c in ordered if not c.judged and c.criterion == _LENGTH]
    return [*judged, *metrics, *length][:MOST_COLUMNS]


def _row(
    first: Column, second: Column, x: np.ndarray, y: np.ndarray, clusters: np.ndarray
) -> BetweenRow | None:
    both = ~(np.isnan(x) | np.isnan(y))
    if int(both.sum()) < LEAST_ITEMS:
        return None
    _, groups = np.unique(clusters[both], return_inverse=True)
    same = None
    if (
        first.judged
        and second.judged
        and (first.rubric, first.criterion) == (second.rubric, second.criterion)
    ):
        same = float(np.mean(x[both] == y[both]))
    return BetweenRow(first, second, spearman(x[both], y[both]).estimate(groups), same)
