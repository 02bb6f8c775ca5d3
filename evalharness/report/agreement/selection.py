"""Which rows stand in the first table of a criterion, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalharness.analysis.agreement.types import (
    AMONG,
    CONSTANT,
    INTRA,
    LEAVE_ONE_OUT,
    LENGTH,
    PAIRWISE,
    Agreement,
    CriterionReport,
    Kind,
    Row,
)
from evalharness.core.scores import criterion_title

TITLES = {
    "cohen_kappa": "kappa",
    "cohen_kappa_quadratic": "kappa, quadratic",
    "cohen_kappa_linear": "kappa, linear",
    "gwet_ac1": "AC1",
    "percent": "agreement",
    "spearman": "Spearman",
    "pearson": "Pearson",
    "kendall_tau_b": "Kendall tau-b",
    "krippendorff_interval": "alpha, interval",
    "krippendorff_ordinal": "alpha, ordinal",
    "krippendorff_nominal": "alpha, nominal",
    "kendall_tau_c": "Kendall tau-c",
    "somers_d": "Somers' D",
    "lins_ccc": "Lin's concordance",
    LEAVE_ONE_OUT: "one rater against the others",
    PAIRWISE: "two raters",
    AMONG: "all raters",
    INTRA: "raters against their second look",
    CONSTANT: "baseline: always the commonest",
    LENGTH: "baseline: reply length",
}
_ORDER = (Kind.HUMAN, Kind.JUDGE, Kind.METRIC, Kind.BASELINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One scorer in the first table: its figures by statistic."""

    scorer: str
    rubric: str
    kind: Kind
    figures: Mapping[str, Row]


def pair_title(criterion: str) -> str:
    """A criterion of preferences for people: what was asked, and by which of a judge's scores it is answered."""
    asked, by, own = criterion.rpartition(" by ")
    return f"{asked}{by}{criterion_title(own)}"


def name_of(line: Line) -> str:
    """A scorer's name for people: ceilings and baselines in words, judges with their rubric."""
    if line.kind in (Kind.HUMAN, Kind.BASELINE):
        return TITLES.get(line.scorer, line.scorer)
    return f"{line.scorer} · {line.rubric}" if line.rubric else line.scorer


def title(name: str) -> str:
    """A statistic's or ceiling's name for people."""
    return TITLES.get(name, name.replace("_", " "))


def remark(row: Row) -> str:
    """What a reader of a single figure has to know: why it is undefined, what is behind it, whether it is weighted."""
    alone = "of the labelled items alone, not weighted" if row.weighted is False else ""
    return "; ".join(part for part in (row.reason, alone) if part)


def rows_of(agreement: Agreement, report: CriterionReport) -> list[Row]:
    """The rows of a criterion."""
    return [row for row in agreement.rows if row.criterion == report.criterion and row.unit is report.unit]


def slices_of(agreement: Agreement, report: CriterionReport) -> list[Row]:
    """The rows of slices by metadata."""
    keys = tuple(f"{key}=" for key in report.sliced_by)
    return [row for row in rows_of(agreement, report) if keys and row.slice.startswith(keys)]


def statistics_of(report: CriterionReport) -> tuple[str, ...]:
    """The columns of the first table: what is shown first, and Spearman, which every scorer has."""
    return report.shown if "spearman" in report.shown or report.scale.nominal else (*report.shown, "spearman")


def lines_of(agreement: Agreement, report: CriterionReport) -> list[Line]:
    """The first table: the human ceiling, judges, metrics and baselines, each kind by its leading figure."""
    statistics = statistics_of(report)
    found: dict[tuple[Kind, str, str], dict[str, Row]] = {}
    for row in rows_of(agreement, report):
        if not row.slice and row.statistic in statistics:
            figures = found.setdefault((row.kind, row.scorer, row.rubric), {})
            figures.setdefault(row.statistic, row)
    lines = [Line(scorer, rubric, kind, figures) for (kind, scorer, rubric), figures in found.items()]
    return sorted(lines, key=lambda line: _place(line, statistics))


def _place(line: Line, statistics: Sequence[str]) -> tuple[int, float, str, str]:
    values = [line.figures[name].estimate.value for name in statistics if name in line.figures]
    known = [value for value in values if value is not None]
    return _ORDER.index(line.kind), -known[0] if known else 2.0, line.scorer, line.rubric


def grouping_of(lines: Sequence[Line]) -> str:
    """How the figures of the judges in a table are averaged; the humans' are pooled."""
    found = [row.grouping for line in lines if line.kind is not Kind.HUMAN for row in line.figures.values()]
    return found[0] if found else "pooled"
