"""The section of scorers against each other: a matrix of rank correlations, and how often judges say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.analysis.types import Between, BetweenRow
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.report.figures import NOTHING, interval, number, percent
from evalharness.report.html.columns import label_of
from evalharness.report.html.links import filter_link

_SHADES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of the matrix: how dark it is (0 to 4), and what it rests on."""

    text: str
    shade: int
    hint: str


@dataclass(frozen=True, slots=True)
class Line:
    """A column of scores as a line of the matrix, with a cell for each line above it."""

    label: str
    scorer: str
    href: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Same:
    """Two judges of one criterion."""

    criterion: str
    first: str
    second: str
    share: str
    spearman: str
    items: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """The columns of one unit of scoring."""

    unit: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class BetweenView:
    """The section; empty where fewer than two scorers have values."""

    matrices: tuple[Matrix, ...]
    same: tuple[Same, ...]
    sampled: bool


def between_of(between: Between, numbers: dict[Column, int]) -> BetweenView:
    """The section's tables."""
    matrices = tuple(_matrix(unit, between.rows, numbers) for unit in _units(between.rows))
    same = tuple(
        Same(
            label_of(row.first), row.first.scorer, row.second.scorer, percent(row.same),
            interval(row.spearman), row.spearman.n,
        )
        for row in between.rows
        if row.same is not None
    )  # fmt: skip
    return BetweenView(matrices, same, between.sampled)


def _units(rows: Sequence[BetweenRow]) -> list[Unit]:
    return list(dict.fromkeys(row.first.unit for row in rows))


def _matrix(unit: Unit, rows: Sequence[BetweenRow], numbers: dict[Column, int]) -> Matrix:
    own = [row for row in rows if row.first.unit is unit]
    columns = list(dict.fromkeys(column for row in own for column in (row.first, row.second)))
    found = {(row.first, row.second): row for row in own}
    lines = tuple(
        Line(
            label_of(column),
            column.scorer,
            filter_link(c=numbers[column]),
            tuple(
                _cell(found.get((other, column)) or found.get((column, other))) for other in columns[:place]
            ),
        )
        for place, column in enumerate(columns)
    )
    return Matrix(unit.value, lines)


def _cell(row: BetweenRow | None) -> Cell:
    if row is None:
        return Cell(NOTHING, 0, "fewer than three items in common")
    found = row.spearman
    if found.value is None:
        return Cell(NOTHING, 0, found.undefined or "undefined")
    shade = round(min(1.0, abs(found.value)) * _SHADES)
    return Cell(number(found.value, 2), shade, f"{interval(found)}, {found.n} items, {found.groups} groups")
