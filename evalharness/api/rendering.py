"""Writing the files of a run folder from its ledger and Analysis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalharness.analysis.types import Analysis
from evalharness.api.analysing import analyse_ledger, planned_columns, stored_curves
from evalharness.api.audit_reading import read_audits
from evalharness.api.choosing import choosing_page
from evalharness.api.folder import RunFolder
from evalharness.api.standing import read_standing
from evalharness.api.version import version
from evalharness.api.views import View
from evalharness.core.metric import Metric
from evalharness.data.files import atomic, write_text
from evalharness.data.ledger.store import Ledger
from evalharness.data.parquet_out import write_parquet
from evalharness.metrics.spec import parse_corpus_metrics
from evalharness.report.document import report_json
from evalharness.report.execution import execution_json
from evalharness.report.html.joining import Joined
from evalharness.report.html.strips import Execution, JudgeCost
from evalharness.report.page import PageOptions, page_of, report_page
from evalharness.report.scores import RECORD_FIELDS, OutcomeTables, csv_lines, outcome_lines, outcome_records

FORMATS = ("json", "jsonl", "csv", "html")


def write_outputs(
    folder: RunFolder,
    ledger: Ledger,
    metrics: Iterable[Metric],
    *,
    partial: str | None = None,
    cached: Mapping[int, int],
    seconds: float,
    warnings: Sequence[str],
) -> Analysis:
    """Analyse a run and write execution.json, scores.jsonl, scores.csv, report.json and report.html, each whole or not
    at all. Dialogues and outcomes are read once for all of them."""
    columns = planned_columns(ledger)
    write_text(
        folder.execution,
        execution_json(ledger.attempt_totals(), columns, cached, seconds, warnings, version()),
    )
    options = page_options(folder, ledger, View())
    with choosing_page(ledger, columns, options) as choice:
        tables = OutcomeTables(columns, stored_curves(ledger))
        with atomic(folder.scores) as scores, atomic(folder.table) as table:
            table.write(tables.csv_head())

            def also(joined: Joined) -> None:
                choice.offer(joined)
                for row in joined.rows:
                    as_json, as_csv = tables.both(row)
                    scores.write(as_json)
                    table.write(as_csv)

            analysis = analyse_ledger(ledger, metrics, partial=partial, also=also)
        write_text(folder.report, report_json(analysis))
        chosen, data = choice.page()
        write_text(folder.page, page_of(analysis, columns, chosen, data, options))
    return analysis


def render(
    folder: RunFolder, ledger: Ledger, analysis: Analysis, name: str, view: View | None = None
) -> Iterable[str] | str:
    """A run in one of :data:`FORMATS`, as text or pieces of text; ``view`` says how its texts are shown."""
    columns = planned_columns(ledger)
    view = view or View()
    shown = replace(analysis, slices=tuple(row for row in analysis.slices if view.shows(row.key, row.value)))
    match name:
        case "json":
            return report_json(shown)
        case "jsonl":
            return outcome_lines(view.outcomes(ledger, columns), columns, stored_curves(ledger))
        case "csv":
            return csv_lines(view.outcomes(ledger, columns), columns, stored_curves(ledger))
        case "html":
            options = page_options(folder, ledger, view)
            return report_page(
                shown, columns, view.dialogues(ledger), view.outcomes(ledger, columns), options
            )
        case _:
            raise ValueError(f"there is no format {name!r}")


def page_options(folder: RunFolder, ledger: Ledger, view: View) -> PageOptions:
    """What stands on the page beside the scores: what the run took, the gate, agreement with humans."""
    return PageOptions(
        title=folder.path.resolve().name or "Dialogue scores",
        execution=read_execution(folder.execution),
        standing=read_standing(folder.path, ledger, view),
        masked=None if view.redactor is None else view.masked,
        textless=not view.text,
        audits=read_audits(folder.path),
    )


def read_execution(path: Path) -> Execution | None:
    """What execution.json says; None where it is absent or can't be read."""
    try:
        found = json.loads(path.read_bytes())
        judges = found["judges"]
        return Execution(
            seconds=found["seconds"],
            requests=sum(judge["attempts"] for judge in judges),
            from_cache=sum(judge["from_cache"] for judge in judges),
            input_tokens=sum(judge["input_tokens"] for judge in judges),
            output_tokens=sum(judge["output_tokens"] for judge in judges),
            cost=found["cost_usd"],
            warnings=tuple(found["warnings"]),
            version=found["evalharness"],
            judges=tuple(map(_judge_cost, judges)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _judge_cost(judge: Mapping[str, Any]) -> JudgeCost:
    return JudgeCost(
        judge=judge["judge"],
        rubric=judge["rubric"],
        requests=judge["attempts"],
        answered=judge["answered"],
        faults=tuple(sorted(judge["faults"].items())),
        unknown=judge["unknown_outcome"],
        unknown_most=_dollars(judge["unknown_outcome_most_usd"]),
        in_batches=judge.get("in_batches", 0),
        from_cache=judge["from_cache"],
        tokens_in=judge["input_tokens"],
        tokens_cached=judge["cached_tokens"],
        tokens_out=judge["output_tokens"],
        cost=_dollars(judge["cost_usd"]),
        time=f"{judge['call_seconds']:,.1f} s",
    )


def _dollars(amount: float | None) -> str:
    return "" if amount is None else f"${amount:,.4f}"


def export_parquet(ledger: Ledger, path: Path, view: View | None = None) -> int:
    """Write every outcome of a run, as the view shows it, as one row of a Parquet file; how many rows."""
    columns = planned_columns(ledger)
    return write_parquet(
        path,
        outcome_records((view or View()).outcomes(ledger, columns), columns, stored_curves(ledger)),
        RECORD_FIELDS,
    )


def stored_analysis(ledger: Ledger) -> Analysis:
    """The Analysis of a run from its ledger alone."""
    metrics, partial = stored_plan(ledger)
    return analyse_ledger(ledger, metrics, partial=partial)


def stored_plan(ledger: Ledger) -> tuple[Sequence[Metric], str | None]:
    """The metrics of a run with scores of the whole corpus, and why it is partial, if it is."""
    specs = ledger.get("metrics")
    metrics = parse_corpus_metrics([str(spec) for spec in specs] if isinstance(specs, list) else [])
    partial = ledger.get("partial")
    return metrics, partial if isinstance(partial, str) else None


def target(folder: RunFolder, name: str) -> Path:
    """Where a format stands in the run folder."""
    return {"html": folder.page, "json": folder.report, "jsonl": folder.scores, "csv": folder.table}[name]
