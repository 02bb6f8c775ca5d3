"""agree.html: the agreement report in one offline file without a script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from evalharness.analysis.agreement.types import (
    LEAVE_ONE_OUT,
    Agreement,
    CriterionReport,
    Disagreement,
    Kind,
    Row,
)
from evalharness.core.text import visible
from evalharness.report.agreement.charts import (
    Bars,
    Curve,
    Diagram,
    Difference,
    Heat,
    bars_of,
    curves_of,
    diagrams_of,
    differences_of,
    heats_of,
)
from evalharness.report.agreement.console import criterion_name, heading, sentences
from evalharness.report.agreement.selection import (
    Line,
    grouping_of,
    lines_of,
    name_of,
    pair_title,
    remark,
    rows_of,
    slices_of,
    statistics_of,
    title,
)
from evalharness.report.figures import interval, number

_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Overview:
    """A judge on a criterion in one line: its leading figure beside a rater's, and the gravest that is said of it."""

    scorer: str
    figure: str
    ceiling: str
    verdict: str
    code: str


_SHORT = {
    "inverted": "polarity looks inverted",
    "undefined": "can't be measured",
    "not_above_length": "does not beat reply length",
    "chance": "may agree by chance",
    "prevalence": "accurate by prevalence only",
    "below_human": "below one rater",
    "like_human": "like one rater",
    "above_human": "above one rater",
    "length_unclear": "not shown to beat reply length",
    "above_length": "beats reply length",
}
_GOOD = frozenset({"like_human", "above_human", "above_length"})


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion of the page."""

    anchor: str
    name: str
    heading: str
    grouping: str
    sentences: list[str]
    statistics: list[str]
    lines: list[list[str]]
    bars: Bars | None
    heats: list[Heat]
    differences: list[Difference]
    curves: list[Curve]
    diagrams: list[Diagram]
    slices: list[Row]
    overview: list[Overview]
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
            statistic_title=title,
            pair_title=pair_title,
        )
    )


def parts_of(agreement: Agreement) -> list[Part]:
    """The data of the page's sections: criteria, then preferences between replies."""
    parts = [_part(agreement, report, i) for i, report in enumerate(agreement.criteria, 1)]
    pairs = [row for row in agreement.rows if row.unit.value == "pair"]
    if pairs:
        name = "Preferences between two replies"
        parts.append(
            Part(
                "pairs",
                name,
                name,
                "pooled",
                [],
                [],
                [],
                None,
                [],
                [],
                [],
                [],
                [],
                [],
                pairs[:_MOST_ROWS],
                [],
            )
        )
    return parts


def _part(agreement: Agreement, report: CriterionReport, place: int) -> Part:
    statistics = statistics_of(report)
    return Part(
        f"criterion-{place}",
        criterion_name(report),
        heading(report),
        grouping_of(lines_of(agreement, report)),
        sentences(report),
        [title(name) for name in statistics],
        [_cells(line, statistics) for line in lines_of(agreement, report)],
        bars_of(agreement, report),
        heats_of(report),
        differences_of(agreement, report),
        curves_of(agreement, report),
        diagrams_of(report),
        slices_of(agreement, report),
        list(_overview(agreement, report)),
        rows_of(agreement, report)[:_MOST_ROWS],
        [row for row in agreement.disagreements if row.criterion == report.criterion],
    )


def _overview(agreement: Agreement, report: CriterionReport) -> Iterator[Overview]:
    lines = lines_of(agreement, report)
    leading = report.shown[0]
    ceiling = next((line.figures.get(leading) for line in lines if line.scorer == LEAVE_ONE_OUT), None)
    for line in lines:
        row = line.figures.get(leading)
        if line.kind is not Kind.JUDGE or row is None:
            continue
        own = [v for v in report.verdicts if (v.scorer, v.rubric) == (line.scorer, line.rubric)]
        codes = {code for verdict in own for code in verdict.codes}
        code = next((code for code in _SHORT if code in codes), "")
        few = " (few items)" if "few_items" in codes else ""
        yield Overview(
            name_of(line),
            f"{title(leading)} {interval(row.estimate)}",
            "" if ceiling is None else interval(ceiling.estimate),
            f"{_SHORT.get(code, '')}{few}".strip(),
            "good" if code in _GOOD else "bad" if code else "",
        )


def _cells(line: Line, statistics: tuple[str, ...]) -> list[str]:
    first = next((line.figures[name] for name in statistics if name in line.figures), None)
    figures = ["" if row is None else interval(row.estimate) for row in map(line.figures.get, statistics)]
    counts = ["", ""] if first is None else [f"{first.estimate.n:,}", f"{first.estimate.groups:,}"]
    return [name_of(line), *figures, *counts]


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
