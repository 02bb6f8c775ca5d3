"""Where the parts of the page's pictures stand; the template draws them. Lengths are in SVG user units."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.analysis.agreement.types import (
    LEAVE_ONE_OUT,
    Agreement,
    ConfusionTable,
    CriterionReport,
    Kind,
    Reliability,
    Scatter,
)
from evalharness.core.text import one_line
from evalharness.report.agreement.selection import lines_of, name_of, rows_of, title
from evalharness.report.figures import interval, number

BAR_LEFT, BAR_WIDTH, BAR_STEP = 220, 320, 20
PLOT = 220
_CELL = 34
_STRONG = 0.55
CURVE_WIDTH, CURVE_HEIGHT = 300, 150


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure on the common axis."""

    name: str
    kind: str
    y: int
    x: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Figures with intervals over one axis; ``band`` is the human ceiling, ``ticks`` where round values stand."""

    bars: tuple[Bar, ...]
    band: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]
    height: int
    statistic: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a heat map: ``share`` (0 to 1) of the darkest, ``strong`` where text on it has to be light."""

    x: int
    y: int
    count: int
    share: float

    @property
    def strong(self) -> bool:
        """Whether the cell is too dark for dark text."""
        return self.share > _STRONG


@dataclass(frozen=True, slots=True)
class Heat:
    """Counts of judge (across) against humans (down)."""

    scorer: str
    columns: tuple[tuple[int, str], ...]
    lines: tuple[tuple[int, str], ...]
    cells: tuple[Cell, ...]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Bland-Altman: mean of both against judge minus human; ``rules`` are heights of bias and limits, ``across`` and
    ``up`` where values of the axes stand."""

    scorer: str
    dots: tuple[tuple[float, float, int], ...]
    rules: tuple[tuple[float, str], ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    shown: int
    total: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Agreement by number of averaged samples, the number on a logarithmic axis; ``ends`` are first and last value."""

    scorer: str
    points: tuple[tuple[float, float, str], ...]
    path: str
    ends: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Reliability: mean rating over mean score by bin, with intervals; the diagonal is a judge on the raters' scale."""

    scorer: str
    points: tuple[tuple[float, float, float | None, float | None, str], ...]
    path: str
    ends: tuple[str, str]


def bars_of(agreement: Agreement, report: CriterionReport) -> Bars | None:
    """The leading statistic of humans, judges, metrics and baselines; Spearman where a metric lacks it."""
    name = report.shown[0]
    found = []
    band = None
    for line in lines_of(agreement, report):
        row = line.figures.get(name)
        if row is None or row.estimate.value is None:
            continue
        if line.scorer == LEAVE_ONE_OUT and row.estimate.low is not None and row.estimate.high is not None:
            band = (row.estimate.low, row.estimate.high)
        found.append((line, row.estimate))
    if not found:
        return None
    low = min(0.0, *(e.low if e.low is not None else e.value or 0.0 for _, e in found))
    high = max(1.0, *(e.high if e.high is not None else e.value or 0.0 for _, e in found))

    def at(value: float) -> float:
        return round(BAR_LEFT + (value - low) / (high - low) * BAR_WIDTH, 1)

    bars = tuple(
        Bar(
            one_line(name_of(line), 34),
            line.kind.value,
            10 + BAR_STEP * i,
            at(e.value or 0.0),
            None if e.low is None else at(e.low),
            None if e.high is None else at(e.high),
            interval(e),
        )
        for i, (line, e) in enumerate(found)
    )
    shown_band = None if band is None else (at(band[0]), at(band[1]))
    ticks = tuple((at(v), number(v, 2)) for v in (-1.0, -0.5, 0.0, 0.5, 1.0) if low <= v <= high)
    return Bars(bars, shown_band, ticks, BAR_STEP * len(bars) + 4, title(name))


def heats_of(report: CriterionReport) -> list[Heat]:
    """A heat map for each judge: of classes where the scale has them, else of rounded values."""
    if report.confusions:
        return [_heat(table) for table in report.confusions]
    return [heat for heat in map(_binned, report.scatters) if heat is not None]


def _heat(table: ConfusionTable) -> Heat:
    most = max((count for row in table.counts for count in row), default=0) or 1
    cells = tuple(
        Cell(60 + _CELL * j, 20 + _CELL * i, count, round(count / most, 3))
        for i, row in enumerate(table.counts)
        for j, count in enumerate(row)
    )
    names = [one_line(name, 8) for name in table.levels]
    columns = tuple((77 + _CELL * j, name) for j, name in enumerate(names))
    lines = tuple((41 + _CELL * i, name) for i, name in enumerate(names))
    size = _CELL * len(names)
    return Heat(table.scorer, columns, lines, cells, 70 + size, 30 + size)


def _binned(scatter: Scatter) -> Heat | None:
    """Values of both sides in up to six bins each."""
    if not scatter.points:
        return None
    edges = [_edges([point[side] for point in scatter.points]) for side in (0, 1)]
    counts = Counter((_bin(h, edges[1]), _bin(j, edges[0])) for j, h in scatter.points)
    most = max(counts.values())
    width, height = len(edges[0]), len(edges[1])
    cells = tuple(
        Cell(60 + _CELL * j, 20 + _CELL * i, counts[i, j], round(counts[i, j] / most, 3))
        for i in range(height)
        for j in range(width)
    )
    columns = tuple((77 + _CELL * j, number(edge, 2)) for j, edge in enumerate(edges[0]))
    lines = tuple((41 + _CELL * i, number(edge, 2)) for i, edge in enumerate(edges[1]))
    return Heat(scatter.scorer, columns, lines, cells, 70 + _CELL * width, 30 + _CELL * height)


def _edges(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low] if low == high else [low + (high - low) * k / 6 for k in range(6)]


def _bin(value: float, edges: Sequence[float]) -> int:
    return max(i for i, edge in enumerate(edges) if value >= edge or i == 0)


def differences_of(agreement: Agreement, report: CriterionReport) -> list[Difference]:
    """Bland-Altman pictures of judges on the labels' own scale."""
    limits = {
        (row.scorer, row.rubric, row.statistic): row.estimate.value
        for row in rows_of(agreement, report)
        if row.statistic.startswith("bland_altman") and not row.slice
    }
    found = []
    for scatter in report.scatters:
        rules = [
            (limits.get((scatter.scorer, scatter.rubric, f"bland_altman_{name}")), caption)
            for name, caption in (("bias", "bias"), ("lower", "lower limit"), ("upper", "upper limit"))
        ]
        known = [(value, caption) for value, caption in rules if value is not None]
        if scatter.points and known:
            found.append(_difference(scatter, known))
    return found


def _difference(scatter: Scatter, rules: Sequence[tuple[float, str]]) -> Difference:
    points = [((j + h) / 2, j - h) for j, h in scatter.points]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    reach = max([abs(y) for _, y in points] + [abs(value) for value, _ in rules]) or 1.0
    span = right - left or 1.0

    def down(value: float) -> float:
        return round(PLOT / 2 - value / reach * (PLOT / 2 - 8), 1)

    def along(value: float) -> float:
        return round(10 + (value - left) / span * (PLOT - 20), 1)

    dots = Counter((along(x), down(y)) for x, y in points)
    placed = tuple((x, y, min(6, 2 + count // 3)) for (x, y), count in sorted(dots.items()))
    marks = tuple((down(value), f"{caption} {number(value)}") for value, caption in rules)
    across = tuple((along(value), number(value)) for value in dict.fromkeys((left, right)))
    up = tuple((down(value), number(value)) for value in (reach, 0.0, -reach))
    return Difference(scatter.scorer, placed, marks, across, up, len(points), scatter.total)


def curves_of(agreement: Agreement, report: CriterionReport) -> list[Curve]:
    """Agreement by averaged samples for judges that gave several."""
    by_scorer: dict[str, list[tuple[int, float]]] = {}
    for row in rows_of(agreement, report):
        if row.kind is Kind.JUDGE and row.slice.startswith("samples=") and row.estimate.value is not None:
            by_scorer.setdefault(row.scorer, []).append((int(row.slice[8:]), row.estimate.value))
    return [_curve(scorer, points) for scorer, points in by_scorer.items() if len(points) > 1]


def _curve(scorer: str, points: Sequence[tuple[int, float]]) -> Curve:
    most = math.log(max(2, points[-1][0]))
    low, high = min(v for _, v in points), max(v for _, v in points)
    span = high - low or 1.0
    placed = tuple(
        (
            round(30 + math.log(k) / most * (CURVE_WIDTH - 90), 1),
            round(CURVE_HEIGHT - 40 - (v - low) / span * (CURVE_HEIGHT - 65), 1),
            str(k),
        )
        for k, v in points
    )
    ends = tuple((placed[at][0], placed[at][1], number(points[at][1])) for at in (0, -1))
    return Curve(scorer, placed, " ".join(f"{x},{y}" for x, y, _ in placed), ends)


def diagrams_of(report: CriterionReport) -> list[Diagram]:
    """Reliability diagrams of judges on the labels' own scale."""
    return [_diagram(found) for found in report.reliability if len(found.bins) > 1]


def _diagram(found: Reliability) -> Diagram:
    span = found.high - found.low or 1.0

    def across(value: float) -> float:
        return round(24 + (value - found.low) / span * (PLOT - 34), 1)

    def up(value: float) -> float:
        inside = min(found.high, max(found.low, value))
        return round(PLOT - 24 - (inside - found.low) / span * (PLOT - 34), 1)

    points = tuple(
        (
            across(judge), up(human), None if low is None else up(low), None if high is None else up(high),
            f"judge {number(judge)}, humans {number(human)}, {n:,} items",
        )
        for judge, human, low, high, n in found.bins
    )  # fmt: skip
    path = " ".join(f"{x},{y}" for x, y, *_ in points)
    return Diagram(found.scorer, points, path, (number(found.low, 2), number(found.high, 2)))
