"""scores.jsonl and scores.csv: one outcome a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping

from evalharness.core import scorejson
from evalharness.core.canonical import Json
from evalharness.core.scores import Column, Failure, Result, Score, Skip, status_of
from evalharness.data.ledger.store import OutcomeRow
from evalharness.report.safe import csv_cell

_CSV_FIELDS = (
    "dialogue", "turn", "group", "system", "scorer", "rubric", "criterion", "status", "value", "cause", "rationale",
    "signature",
)  # fmt: skip


def outcome_lines(rows: Iterable[OutcomeRow], columns: Mapping[int, tuple[Column, ...]]) -> Iterator[str]:
    """The lines of scores.jsonl, in the order of the rows."""
    for row in rows:
        for column, result in zip(columns[row.scorer], row.results, strict=True):
            yield json.dumps(outcome_json(row, column, result), ensure_ascii=True, allow_nan=False) + "\n"


def outcome_json(row: OutcomeRow, column: Column, result: Result) -> dict[str, Json]:
    """One outcome with the fields that the data contract names; absent facts are null."""
    line: dict[str, Json] = {
        "dialogue": row.dialogue,
        "turn": row.turn,
        "group": row.cluster,
        "system": row.system or None,
        "scorer": column.scorer,
        "rubric": column.rubric or None,
        "criterion": column.criterion,
        "status": status_of(result),
        "value": None,
        "probabilities": None,
        "samples": None,
        "rationale": None,
        "evidence": None,
        "cause": None,
        "detail": None,
        "signature": column.signature,
    }
    line.update(result_facts(result))
    return line


def result_facts(result: Result) -> dict[str, Json]:
    """What an outcome line says of a result besides its status; a failure's or skip's cause under ``cause``."""
    facts = scorejson.to_json(result)
    match result:
        case Score():
            facts.pop("stats", None)
            return facts
        case Failure():
            return {"cause": facts.pop("failed"), **facts}
        case Skip():
            return {"cause": facts.pop("skipped"), **facts}


def csv_lines(rows: Iterable[OutcomeRow], columns: Mapping[int, tuple[Column, ...]]) -> Iterator[str]:
    """The lines of scores.csv; every cell is safe to open in a spreadsheet, numbers stay numbers."""
    yield _csv_line(_CSV_FIELDS)
    for row in rows:
        for column, result in zip(columns[row.scorer], row.results, strict=True):
            facts = outcome_json(row, column, result)
            yield _csv_line(csv_cell(facts[name]) for name in _CSV_FIELDS)


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(list(cells))
    return out.getvalue()
