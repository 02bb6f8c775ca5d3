"""scores.jsonl and scores.csv: one outcome a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from types import MappingProxyType

from evalharness.core import scorejson
from evalharness.core.calibration import CalibrationCurve
from evalharness.core.canonical import Json
from evalharness.core.scores import Column, Failure, Result, Score, Skip, status_of
from evalharness.data.ledger.store import OutcomeRow
from evalharness.report.safe import csv_cell

_CSV_FIELDS = (
    "dialogue", "turn", "group", "system", "scorer", "rubric", "criterion", "status", "value", "cause", "rationale",
    "signature",
)  # fmt: skip

_ABSENT: Mapping[str, Json] = dict.fromkeys(
    ("value", "probabilities", "samples", "rationale", "evidence", "cause", "detail")
)
"""What an outcome line says of a result, null where it is absent."""
_NO_CURVES: Mapping[Column, CalibrationCurve] = MappingProxyType({})
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)


def outcome_lines(
    rows: Iterable[OutcomeRow],
    columns: Mapping[int, tuple[Column, ...]],
    curves: Mapping[Column, CalibrationCurve] = _NO_CURVES,
) -> Iterator[str]:
    """The lines of scores.jsonl, in the order of the rows; with ``calibrated`` for columns that have a curve."""
    tables = OutcomeTables(columns, curves)
    return (line for row in rows for line in tables.json_lines(row, map(result_facts, row.results)))


def _calibrated(curve: CalibrationCurve, result: Result) -> float | None:
    """The value of a score on the human scale."""
    usable = isinstance(result, Score) and not isinstance(result.value, str)
    return curve(float(result.value)) if usable and isinstance(result, Score) else None


def outcome_json(row: OutcomeRow, column: Column, result: Result) -> dict[str, Json]:
    """One outcome with the fields that the data contract names; absent facts are null."""
    return _outcome(row, column, result, result_facts(result))


def _outcome(row: OutcomeRow, column: Column, result: Result, facts: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "dialogue": row.dialogue,
        "turn": row.turn,
        "group": row.cluster,
        "system": row.system or None,
        "scorer": column.scorer,
        "rubric": column.rubric or None,
        "criterion": column.criterion,
        "status": status_of(result),
        **_ABSENT,
        "signature": column.signature,
        **facts,
    }


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


RECORD_FIELDS: Mapping[str, type] = {
    "dialogue": str, "turn": int, "group": str, "system": str, "scorer": str, "rubric": str, "criterion": str,
    "status": str, "value": float, "calibrated": float, "label": str, "probabilities": str, "samples": str,
    "rationale": str, "evidence": str, "cause": str, "detail": str, "raw": str, "extra": str, "signature": str,
}  # fmt: skip
"""The fields of :func:`outcome_records` in their order. ``value`` holds numbers, ``label`` names of nominal levels;
``probabilities``, ``samples``, ``evidence`` and ``extra`` are JSON."""


def outcome_records(
    rows: Iterable[OutcomeRow],
    columns: Mapping[int, tuple[Column, ...]],
    curves: Mapping[Column, CalibrationCurve] = _NO_CURVES,
) -> Iterator[dict[str, Json]]:
    """Outcomes as flat records for tables, in the order of the rows; absent facts are left out."""
    for row in rows:
        for column, result in zip(columns[row.scorer], row.results, strict=True):
            facts = outcome_json(row, column, result)
            value = facts.pop("value")
            facts["label" if isinstance(value, str) else "value"] = value
            if column in curves:
                facts["calibrated"] = _calibrated(curves[column], result)
            yield {name: _flat(fact) for name, fact in facts.items() if fact is not None}


def _flat(fact: Json) -> Json:
    return fact if isinstance(fact, str | int | float) else _ENCODER.encode(fact)


def csv_lines(
    rows: Iterable[OutcomeRow],
    columns: Mapping[int, tuple[Column, ...]],
    curves: Mapping[Column, CalibrationCurve] = _NO_CURVES,
) -> Iterator[str]:
    """The lines of scores.csv; every cell is safe to open in a spreadsheet, numbers stay numbers.

    The column ``calibrated`` is there where any score has a calibration.
    """
    tables = OutcomeTables(columns, curves)
    yield tables.csv_head()
    for row in rows:
        yield from tables.csv_lines(row, map(result_facts, row.results))


class OutcomeTables:
    """Writes the lines of scores.jsonl and scores.csv, row by row."""

    def __init__(
        self,
        columns: Mapping[int, tuple[Column, ...]],
        curves: Mapping[Column, CalibrationCurve] = _NO_CURVES,
    ) -> None:
        self._columns = columns
        self._curves = curves
        self._fixed = {
            number: [
                f'"scorer": {_quoted(c.scorer)}, "rubric": {_quoted(c.rubric) if c.rubric else "null"}, '
                f'"criterion": {_quoted(c.criterion)}, '
                for c in of_scorer
            ]
            for number, of_scorer in columns.items()
        }
        self._names = {
            number: [
                (
                    _csv_row([csv_cell(text) for text in (c.scorer, c.rubric, c.criterion)]),
                    _csv_quoted(csv_cell(c.signature)),
                )
                for c in of_scorer
            ]
            for number, of_scorer in columns.items()
        }

    def both(self, row: OutcomeRow) -> tuple[str, str]:
        """The lines of a row in scores.jsonl and in scores.csv."""
        facts = [result_facts(result) for result in row.results]
        return "".join(self.json_lines(row, facts)), "".join(self.csv_lines(row, facts))

    def json_lines(self, row: OutcomeRow, facts: Iterable[Mapping[str, Json]]) -> Iterator[str]:
        """One line for each result of a row: what :func:`outcome_json` says, put together from parts that stay."""
        place = (
            f'{{"dialogue": {_quoted(row.dialogue)}, "turn": {"null" if row.turn is None else row.turn}, '
            f'"group": {_quoted(row.cluster)}, "system": {_quoted(row.system) if row.system else "null"}, '
        )
        columns, fixed = self._columns[row.scorer], self._fixed[row.scorer]
        for column, names, result, known in zip(columns, fixed, row.results, facts, strict=True):
            said = {"status": status_of(result), **_ABSENT, "signature": column.signature, **known}
            if self._curves and column in self._curves:
                said["calibrated"] = _calibrated(self._curves[column], result)
            yield f"{place}{names}{_ENCODER.encode(said)[1:]}\n"

    def csv_head(self) -> str:
        """The first line."""
        return _csv_row((*_CSV_FIELDS, "calibrated") if self._curves else _CSV_FIELDS) + "\r\n"

    def csv_lines(self, row: OutcomeRow, facts: Iterable[Mapping[str, Json]]) -> Iterator[str]:
        """One line for each result of a row."""
        place = _csv_row([csv_cell(cell) for cell in (row.dialogue, row.turn, row.cluster, row.system)])
        columns, names = self._columns[row.scorer], self._names[row.scorer]
        for column, named, result, known in zip(columns, names, row.results, facts, strict=True):
            scorer, signature = named
            found = _csv_row([csv_cell(known.get(name)) for name in ("value", "cause", "rationale")])
            last = ""
            if self._curves:
                curve = self._curves.get(column)
                last = "," + csv_cell(None if curve is None else _calibrated(curve, result))
            yield f"{place},{scorer},{status_of(result)},{found},{signature}{last}\r\n"


def _csv_row(cells: Iterable[str]) -> str:
    """Cells as CSV (RFC 4180), without the end of the line."""
    return ",".join(map(_csv_quoted, cells))


def _csv_quoted(cell: str) -> str:
    """A cell in quotes where it needs them."""
    if "," in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell
