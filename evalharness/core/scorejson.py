"""Results as JSON values and back: what the ledger stores and ``scores.jsonl`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.scores import Cause, Evidence, Failure, Result, Score, Skip, SkipReason, Value

_FAILED = "failed"
_SKIPPED = "skipped"


def to_json(result: Result) -> dict[str, Json]:
    """A result as a compact JSON object; a score has ``value``, a failure ``failed``, a skip ``skipped``."""
    match result:
        case Score():
            return _score_json(result)
        case Failure():
            return _without_empty(
                {_FAILED: result.cause.value, "detail": result.detail, "raw": result.raw,
                 "samples": _samples_json(result.samples),
                 "extra": None if result.extra is None else dict(result.extra)}
            )  # fmt: skip
        case Skip():
            return _without_empty({_SKIPPED: result.reason.value, "detail": result.detail})


def from_json(row: Mapping[str, Any]) -> Result:
    """The result that :func:`to_json` wrote."""
    if _FAILED in row:
        samples = _samples(row.get("samples", ()))
        return Failure(Cause(row[_FAILED]), row.get("detail", ""), row.get("raw"), samples, row.get("extra"))
    if _SKIPPED in row:
        return Skip(SkipReason(row[_SKIPPED]), row.get("detail", ""))
    return Score(
        value=row["value"],
        probabilities=row.get("probabilities"),
        samples=_samples(row.get("samples", ())),
        rationale=row.get("rationale"),
        evidence=tuple(
            Evidence(e.get("message"), e["quote"], e["found"], e.get("document"))
            for e in row.get("evidence", ())
        ),
        stats=tuple(row.get("stats", ())),
        extra=row.get("extra"),
    )


def _score_json(score: Score) -> dict[str, Json]:
    row: dict[str, Json] = {"value": score.value}
    if score.probabilities is not None:
        row["probabilities"] = dict(score.probabilities)
    if score.samples:
        row["samples"] = _samples_json(score.samples)
    if score.rationale is not None:
        row["rationale"] = score.rationale
    if score.evidence:
        row["evidence"] = evidence_json(score.evidence)
    if score.stats:
        row["stats"] = list(score.stats)
    if score.extra:
        row["extra"] = dict(score.extra)
    return row


def evidence_json(evidence: tuple[Evidence, ...]) -> list[Json]:
    """Evidence as JSON objects with ``message``, ``quote`` and ``found``, and ``document`` where one is cited."""
    return [
        {
            "message": e.message,
            "quote": e.quote,
            "found": e.found,
            **({} if e.document is None else {"document": e.document}),
        }
        for e in evidence
    ]


def _samples_json(samples: tuple[Value | Cause, ...]) -> list[Json]:
    return [{"failed": s.value} if isinstance(s, Cause) else s for s in samples]


def _samples(rows: list[Any]) -> tuple[Value | Cause, ...]:
    return tuple(Cause(s["failed"]) if isinstance(s, dict) else s for s in rows)


def _without_empty(row: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in row.items() if value not in ("", None, [])}
