"""Writing the files of a run folder from its ledger and Analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evalharness.analysis.types import Analysis
from evalharness.api.analysing import analyse_ledger, planned_columns, stored_curves
from evalharness.api.audit_reading import read_audits
from evalharness.api.folder import RunFolder
from evalharness.api.version import version
from evalharness.data.files import write_text
from evalharness.data.ledger.store import Ledger
from evalharness.metrics.spec import parse_corpus_metrics
from evalharness.report.audit.card import AuditSection
from evalharness.report.document import report_json
from evalharness.report.execution import execution_json
from evalharness.report.page import PageOptions, report_page
from evalharness.report.scores import csv_lines, outcome_lines

FORMATS = ("json", "jsonl", "csv", "html")


def write_outputs(
    folder: RunFolder,
    ledger: Ledger,
    analysis: Analysis,
    cached: Mapping[int, int],
    seconds: float,
    warnings: Sequence[str],
) -> None:
    """Write report.json, scores.jsonl, scores.csv, execution.json and report.html, each whole or not at all."""
    columns = planned_columns(ledger)
    for name in FORMATS:
        write_text(target(folder, name), render(ledger, analysis, name, read_audits(folder.path)))
    write_text(
        folder.execution,
        execution_json(ledger.attempt_totals(), columns, cached, seconds, warnings, version()),
    )


def render(
    ledger: Ledger, analysis: Analysis, name: str, audits: tuple[AuditSection, ...] = ()
) -> Iterable[str] | str:
    """A run in one of :data:`FORMATS`, as text or pieces of text; the page shows the ``audits`` of its judges."""
    columns = planned_columns(ledger)
    match name:
        case "json":
            return report_json(analysis)
        case "jsonl":
            return outcome_lines(ledger.outcomes(columns), columns, stored_curves(ledger))
        case "csv":
            return csv_lines(ledger.outcomes(columns), columns, stored_curves(ledger))
        case "html":
            rows = ledger.outcomes(columns)
            return report_page(analysis, columns, ledger.sorted_dialogues(), rows, PageOptions(audits=audits))
        case _:
            raise ValueError(f"there is no format {name!r}")


def stored_analysis(ledger: Ledger) -> Analysis:
    """The Analysis of a run from its ledger alone."""
    specs = ledger.get("metrics")
    metrics = parse_corpus_metrics([str(spec) for spec in specs] if isinstance(specs, list) else [])
    partial = ledger.get("partial")
    return analyse_ledger(ledger, metrics, partial=partial if isinstance(partial, str) else None)


def target(folder: RunFolder, name: str) -> Path:
    """Where a format stands in the run folder."""
    return {"html": folder.page, "json": folder.report, "jsonl": folder.scores, "csv": folder.table}[name]
