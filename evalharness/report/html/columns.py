"""The columns of a run in one fixed order, by which the page and its data name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalharness.core.canonical import Json
from evalharness.core.rubric import PassRule
from evalharness.core.scores import OVERALL, Column, Result, Value
from evalharness.data.ledger.store import OutcomeRow


@dataclass(frozen=True, slots=True)
class ColumnSet:
    """All columns of a run; a column's number is its place in ``flat``.

    ``first`` is the number of a scorer's first column; ``leading`` are the columns that say first how good an item is:
    overalls, else judged criteria, else everything.
    """

    flat: tuple[Column, ...]
    first: Mapping[int, int]
    leading: frozenset[int]

    @classmethod
    def of(cls, columns: Mapping[int, tuple[Column, ...]]) -> ColumnSet:
        """The columns of the scorers, in the scorers' order."""
        flat: list[Column] = []
        first: dict[int, int] = {}
        for scorer, group in columns.items():
            first[scorer] = len(flat)
            flat.extend(group)
        return cls(tuple(flat), first, _leading(flat))

    def results(self, row: OutcomeRow) -> Iterator[tuple[int, Result]]:
        """The results of a row, each with its column's number."""
        return enumerate(row.results, start=self.first[row.scorer])


def _leading(columns: Sequence[Column]) -> frozenset[int]:
    overall = frozenset(n for n, column in enumerate(columns) if column.criterion == OVERALL)
    judged = frozenset(n for n, column in enumerate(columns) if column.judged)
    return overall or judged or frozenset(range(len(columns)))


def label_of(column: Column) -> str:
    """What a column is called in the page."""
    return "overall" if column.criterion == OVERALL else column.criterion


def share_of(column: Column, value: Value) -> float | None:
    """The value on its scale, 0 the worst and 1 the best; None where the scale has no ends or no direction.

    Used to put things in an order of reading, never shown as a figure.
    """
    if isinstance(value, str) or column.low is None or column.high is None or column.higher_is_better is None:
        return None
    width = column.high - column.low
    if width <= 0:
        return None
    share = min(1.0, max(0.0, (value - column.low) / width))
    return share if column.higher_is_better else 1.0 - share


def column_facts(column: Column) -> dict[str, Json]:
    """What the page's script needs to know of a column."""
    rule = None if column.passes is None else PassRule.parse(column.passes)
    return {
        "criterion": column.criterion,
        "label": label_of(column),
        "scorer": column.scorer,
        "rubric": column.rubric,
        "unit": column.unit.value,
        "low": column.low,
        "high": column.high,
        "passes": None if rule is None else [rule.op, rule.bound],
        "better": column.higher_is_better,
        "must": column.must,
        "nominal": column.nominal,
        "levels": list(column.levels),
        "judged": column.judged,
        "note": column.note,
        "signature": column.signature,
    }
