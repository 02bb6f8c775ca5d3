"""Quality over runs: trend.json, trend.html and the table for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from markupsafe import Markup

from evalharness.core.canonical import Json
from evalharness.core.scores import Column
from evalharness.core.text import log_safe, one_line
from evalharness.gate.history import History, Line, Point, Watch
from evalharness.report.figures import interval, number
from evalharness.report.html.assets import TREND_STYLES, policy, style
from evalharness.report.html.rendering import environment

SCHEMA_VERSION = 1
WIDTH, HEIGHT, LEFT, TOP = 640, 160, 48, 12
"""Size of a chart in SVG units, and where its plot begins."""
_LONGEST = 30


@dataclass(frozen=True, slots=True)
class Dot:
    """One run in a chart: where its mean and the ends of its interval stand, and what is said about it."""

    x: float
    y: float
    top: float | None
    bottom: float | None
    title: str
    changed: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A criterion's line: dots, and the stretches in which the instrument stayed the same."""

    name: str
    dots: Sequence[Dot]
    stretches: Sequence[str]
    ticks: Sequence[tuple[float, str]]


def trend_json(found: History) -> str:
    """The text of trend.json; equal runs give equal bytes."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "runs": [{"name": run.name, "created": run.created, "partial": run.partial} for run in found.runs],
        "criteria": [
            {
                "scorer": line.column.scorer,
                "rubric": line.column.rubric or None,
                "criterion": line.column.criterion,
                "points": [_point(point) for point in line.points],
                "anchors": _watch_json(line.watch),
            }
            for line in found.lines
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _point(point: Point) -> Json:
    return {
        "run": point.run,
        "mean": point.mean.value,
        "low": point.mean.low,
        "high": point.mean.high,
        "n": point.mean.n,
        "groups": point.mean.groups,
        "undefined": point.mean.undefined,
        "without_verdict": point.without_verdict,
        "items": point.items,
        "instrument_changed": point.changed or None,
    }


def _watch_json(watch: Watch | None) -> Json:
    if watch is None:
        return None
    return {
        "looks": [dict(asdict(look)) for look in watch.looks],
        "alarm": watch.alarm,
        "since": watch.since,
        "direction": watch.direction,
    }


def watch_text(watch: Watch, found: History) -> str:
    """What the anchors say of a criterion's judge over the runs, in a sentence."""
    last = watch.looks[-1]
    sums = f"CUSUM +{last.upper:.1f} / −{last.lower:.1f} of 5"
    now = f"anchors: the judge stands {last.shift:+.3g} from its recorded verdicts ({sums})"
    if watch.alarm is None or watch.since is None:
        return f"{now}; no drift over {len(watch.looks)} runs"
    first, seen = (one_line(found.runs[run].name, _LONGEST) for run in (watch.since, watch.alarm))
    way = "up" if watch.direction > 0 else "down"
    return f"{now}; THE JUDGE IS MOVING {way}, since {first}, seen at {seen}: don't read the line as quality"


def trend_text(found: History) -> str:
    """A block per criterion: a line per run, a mark where the instrument changed before it."""
    return "\n".join(_lines(found))


def _lines(found: History) -> Iterator[str]:
    width = max(len(one_line(run.name, _LONGEST)) for run in found.runs)
    for line in found.lines:
        yield log_safe(name_of(line.column))
        for point in line.points:
            run = found.runs[point.run]
            if point.changed:
                yield f"  ── {one_line(point.changed, 200)}: not comparable with what stands above"
            lost = (
                f"  {point.without_verdict} of {point.items} without verdict" if point.without_verdict else ""
            )
            partial = "  PARTIAL" if run.partial else ""
            name = f"{one_line(run.name, _LONGEST):<{width}}"
            yield f"  {name}  {run.created[:10]}  {interval(point.mean)}{lost}{partial}"
        if line.watch is not None:
            yield f"  {watch_text(line.watch, found)}"


def name_of(column: Column) -> str:
    """The criterion with its judge."""
    name = "overall" if column.criterion == "_overall" else column.criterion
    return f"{name} · {column.scorer}" if column.rubric else name


def trend_page(found: History) -> str:
    """trend.html: one offline page without a script; every chart has its numbers in a table."""
    charts = [(line, _chart(line, found)) for line in found.lines]
    return (
        environment()
        .get_template("trend.html")
        .render(
            policy=policy(TREND_STYLES, ()),
            style=Markup(style(TREND_STYLES)),  # noqa: S704 - our own files, named by their hash in the policy
            found=found,
            charts=charts,
            interval=interval,
            name_of=name_of,
            watch_text=watch_text,
            size=(WIDTH, HEIGHT, LEFT, TOP),
        )
    )


def _chart(line: Line, found: History) -> Chart:
    low, high = _range(line)
    step = (WIDTH - LEFT - 16) / max(1, len(found.runs) - 1)

    def across(run: int) -> float:
        return round(LEFT + step * run, 1)

    def up(value: float) -> float:
        return round(TOP + (HEIGHT - 2 * TOP) * (high - value) / (high - low), 1)

    dots: list[Dot] = []
    stretches: list[list[str]] = []
    for point in line.points:
        mean = point.mean
        if mean.value is None:
            continue
        if point.changed or not stretches:
            stretches.append([])
        x, y = across(point.run), up(mean.value)
        stretches[-1].append(f"{x},{y}")
        top = None if mean.high is None else up(mean.high)
        bottom = None if mean.low is None else up(mean.low)
        title = f"{found.runs[point.run].name}: {interval(mean)}"
        dots.append(Dot(x, y, top, bottom, title, point.changed))
    ticks = [(up(value), number(value)) for value in (low, (low + high) / 2, high)]
    return Chart(name_of(line.column), dots, [" ".join(points) for points in stretches], ticks)


def _range(line: Line) -> tuple[float, float]:
    """The scale where it has bounds, else what the intervals take, with some room."""
    column = line.column
    if column.low is not None and column.high is not None and column.high > column.low:
        return column.low, column.high
    ends = [v for p in line.points for v in (p.mean.low, p.mean.value, p.mean.high) if v is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - room, high + room
