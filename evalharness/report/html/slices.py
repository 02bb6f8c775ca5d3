"""The section of slices: how each criterion does in each slice of the run, what is worse than the rest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.analysis.types import SliceRow
from evalharness.core.scores import Column
from evalharness.report.figures import NOTHING, number
from evalharness.report.html.columns import label_of
from evalharness.report.html.links import slice_link
from evalharness.report.html.standing import signed

_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class SliceView:
    """A line of the table."""

    key: str
    value: str
    criterion: str
    scorer: str
    scored: int
    mean: str
    difference: str
    bounds: str
    p: str
    worse: bool
    href: str
    method: str


@dataclass(frozen=True, slots=True)
class Slices:
    """The table, how many slices were compared, and the worst one (None where none stands out)."""

    rows: tuple[SliceView, ...]
    compared: int
    worst: SliceView | None


def slices_of(rows: Sequence[SliceRow], numbers: dict[Column, int]) -> Slices:
    """The lines in an order of reading: worse ones by how far they lie below, then by their p."""
    ordered = sorted(
        rows, key=lambda row: (not row.worse, -_badness(row) if row.worse else 0.0, _p(row), row.key)
    )
    views = tuple(_view(row, numbers[row.column]) for row in ordered[:_MOST_ROWS])
    return Slices(views, len(rows), views[0] if views and views[0].worse else None)


def _badness(row: SliceRow) -> float:
    """How far a slice lies on the bad side, as a share of the scale where that has ends."""
    column, gap = row.column, row.difference.value or 0.0
    width = 1.0 if column.low is None or column.high is None else column.high - column.low
    return (gap if column.higher_is_better is False else -gap) / (width or 1.0)


def _p(row: SliceRow) -> float:
    return 2.0 if row.p is None else row.p


def _view(row: SliceRow, column: int) -> SliceView:
    found = row.difference
    bounds = "" if found.low is None else f"[{signed(found.low)}, {signed(found.high)}]"
    p = NOTHING if row.p is None else "< 0.001" if row.p < 0.001 else number(row.p)
    return SliceView(
        row.key, row.value, label_of(row.column), row.column.scorer, row.scored, number(row.mean),
        signed(found.value), bounds, p, row.worse, slice_link(column, row.key, row.value), found.method,
    )  # fmt: skip
