"""agree.html: the agreement report in one offline file without a script."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from evalharness.analysis.agreement.types import Agreement, CriterionReport, Disagreement, Row
from evalharness.core.text import visible
from evalharness.report.agreement.charts import (
    Bars,
    Curve,
    Difference,
    Heat,
    bars_of,
    curves_of,
    differences_of,
    heats_of,
)
from evalharness.report.agreement.console import heading, sentences
from evalharness.report.agreement.selection import (
    Line,
    grouping_of,
    lines_of,
    remark,
    rows_of,
    statistics_of,
    title,
)
from evalharness.report.figures import interval, number

_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion of the page."""

    heading: str
    grouping: str
    sentences: list[str]
    statistics: list[str]
    lines: list[list[str]]
    bars: Bars | None
    heats: list[Heat]
    differences: list[Difference]
    curves: list[Curve]
    rows: list[Row]
    disagreements: list[Disagreement]


def agreement_page(agreement: Agreement, name: str) -> str:
    """The whole page; ``name`` is the run's."""
    return (
        _environment()
        .get_template("agree.html")
        .render(
            title=name,
            policy=_policy(),
            style=Markup(_asset("css/agree.css")),  # noqa: S704 - our own file
            agreement=agreement,
            parts=parts_of(agreement),
            interval=interval,
            number=number,
            remark=remark,
        )
    )


def parts_of(agreement: Agreement) -> list[Part]:
    """The data of the page's sections: criteria, then preferences between replies."""
    parts = [_part(agreement, report) for report in agreement.criteria]
    pairs = [row for row in agreement.rows if row.unit.value == "pair"]
    if pairs:
        name = "Preferences between two replies"
        parts.append(Part(name, "pooled", [], [], [], None, [], [], [], pairs[:_MOST_ROWS], []))
    return parts


def _part(agreement: Agreement, report: CriterionReport) -> Part:
    statistics = statistics_of(report)
    return Part(
        heading(report),
        grouping_of(lines_of(agreement, report)),
        sentences(report),
        [title(name) for name in statistics],
        [_cells(line, statistics) for line in lines_of(agreement, report)],
        bars_of(agreement, report),
        heats_of(report),
        differences_of(agreement, report),
        curves_of(agreement, report),
        rows_of(agreement, report)[:_MOST_ROWS],
        [row for row in agreement.disagreements if row.criterion == report.criterion],
    )


def _cells(line: Line, statistics: tuple[str, ...]) -> list[str]:
    first = next((line.figures[name] for name in statistics if name in line.figures), None)
    figures = ["" if row is None else interval(row.estimate) for row in map(line.figures.get, statistics)]
    counts = ["", ""] if first is None else [f"{first.estimate.n:,}", f"{first.estimate.groups:,}"]
    return [f"{line.scorer} · {line.rubric}" if line.rubric else line.scorer, *figures, *counts]


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: _asset(f"templates/{name}")),
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """Nothing may load or run; the one style sheet is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(_asset("css/agree.css").encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
