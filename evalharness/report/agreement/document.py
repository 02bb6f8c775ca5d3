"""agree.json: an Agreement as a versioned JSON document, byte-equal for equal results.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from evalharness.analysis.agreement.types import (
    Agreement,
    AltVerdict,
    CriterionReport,
    Disagreement,
    Row,
    Verdict,
)
from evalharness.core.canonical import Json
from evalharness.report.document import estimate_json
from evalharness.report.safe import csv_cell

SCHEMA_VERSION = 1

DISAGREEMENT_FIELDS = (
    "criterion", "scorer", "rubric", "dialogue", "turn", "judge", "human", "gap", "rationale", "comments",
)  # fmt: skip


def agreement_json(agreement: Agreement, fingerprint: str | None = None) -> str:
    """The text of agree.json; ``fingerprint`` names the scores that were compared."""
    document = agreement_document(agreement, fingerprint)
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def agreement_document(agreement: Agreement, fingerprint: str | None = None) -> dict[str, Json]:
    """The Agreement as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_fingerprint": fingerprint,
        "summary": agreement.summary,
        "labels": {
            **agreement.counts,
            "left_out": dict(agreement.left_out),
            "sources": list(agreement.sources),
        },
        "notes": list(agreement.notes),
        "unchecked": [
            {"scorer": scorer, "rubric": rubric, "criterion": criterion}
            for scorer, rubric, criterion in agreement.unchecked
        ],
        "criteria": [_criterion(report) for report in agreement.criteria],
        "rows": [row_json(row) for row in agreement.rows],
        "disagreements": [_disagreement(row) for row in agreement.disagreements],
    }


def row_json(row: Row) -> dict[str, Json]:
    """One figure; ``undefined`` counts groups without a value, ``reason`` says why or what is behind the figure."""
    estimate = row.estimate
    return {
        "scorer": row.scorer,
        "rubric": row.rubric or None,
        "criterion": row.criterion,
        "unit": row.unit.value,
        "statistic": row.statistic,
        "grouping": row.grouping,
        "slice": row.slice or None,
        "value": estimate.value,
        "se": estimate.se,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
        "method": estimate.method,
        "n": estimate.n,
        "groups": estimate.groups,
        "undefined": row.undefined,
        "reason": row.reason or None,
        "weighted": row.weighted,
        "p_adjusted": row.p_adjusted,
    }


def _criterion(report: CriterionReport) -> dict[str, Json]:
    return {
        "criterion": report.criterion,
        "label": report.label,
        "unit": report.unit.value,
        "levels": list(report.scale.names) or None,
        "raters": report.raters,
        "labels": report.labels,
        "items_labelled": report.labelled,
        "labelled_items_not_scored": report.unscored,
        "scored_items_not_labelled": report.unlabelled,
        "shown_first": list(report.shown),
        "ceiling_note": report.ceiling_note or None,
        "sliced_by": list(report.sliced_by),
        "notes": list(report.notes),
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "confusions": [
            {
                "scorer": table.scorer,
                "rubric": table.rubric or None,
                "levels": list(table.levels),
                "rows_humans_columns_judge": [list(row) for row in table.counts],
            }
            for table in report.confusions
        ],
        "reliability": [
            {
                "scorer": found.scorer,
                "rubric": found.rubric or None,
                "bins": [
                    dict(zip(("judge", "humans", "low", "high", "n"), part, strict=True))
                    for part in found.bins
                ],
            }
            for found in report.reliability
        ],
        "alternative_annotator_tests": [_alt(found) for found in report.alt_tests],
    }


def _verdict(verdict: Verdict) -> dict[str, Json]:
    return {
        "scorer": verdict.scorer,
        "rubric": verdict.rubric or None,
        "codes": list(verdict.codes),
        "sentences": list(verdict.sentences),
    }


def _alt(found: AltVerdict) -> dict[str, Json]:
    names = ("rater", "n", "judge_wins", "human_wins", "p", "p_clustered", "replaceable", "note")
    return {
        "scorer": found.scorer,
        "rubric": found.rubric or None,
        "epsilon": found.epsilon,
        "omega": found.winning_rate,
        "omega_clustered": found.winning_rate_clustered,
        "rho": estimate_json(found.advantage),
        "raters": [dict(zip(names, rater, strict=True)) for rater in found.raters],
    }


def _disagreement(row: Disagreement) -> dict[str, Json]:
    return {
        "criterion": row.criterion,
        "scorer": row.scorer,
        "rubric": row.rubric or None,
        "dialogue": row.dialogue,
        "turn": row.turn,
        "judge": row.judge,
        "human": row.human,
        "gap": row.gap,
        "rationale": row.rationale or None,
        "comments": list(row.comments),
    }


def disagreement_lines(agreement: Agreement) -> Iterator[str]:
    """The disagreements as CSV for raters, cells neutralised for spreadsheets; an empty column for a new label."""
    yield ",".join((*DISAGREEMENT_FIELDS, "value", "rater", "comment")) + "\n"
    for row in agreement.disagreements:
        cells = (
            row.criterion, row.scorer, row.rubric, row.dialogue, row.turn, row.judge, row.human, row.gap,
            row.rationale, " / ".join(row.comments), "", "", "",
        )  # fmt: skip
        yield ",".join(_quoted(csv_cell(cell)) for cell in cells) + "\n"


def _quoted(text: str) -> str:
    if any(char in text for char in '",\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
