"""Reading back what `agree` and `gate` wrote into a run folder, for the report.

Both files name the scores that they are about by a fingerprint: what is about other scores than the folder now holds is
not shown, and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.types import (
    Agreement,
    ConfusionTable,
    CriterionReport,
    Disagreement,
    Kind,
    Row,
    Verdict,
)
from evalharness.api.analysing import planned_columns
from evalharness.api.views import View
from evalharness.core.dialogue import Unit
from evalharness.core.text import one_line
from evalharness.data.ledger.store import Ledger
from evalharness.report.html.standing import GateCriterion, GateSummary, Standing
from evalharness.stats.estimate import Estimate


def read_standing(folder: Path, ledger: Ledger, view: View) -> Standing:
    """What agree.json and gate.json of a folder say of its present scores, as the view shows it."""
    known = any((folder / name).exists() for name in ("agree.json", "gate.json"))
    fingerprint = ledger.fingerprint(planned_columns(ledger)) if known else ""
    agreed, agreement_note = _current(folder / "agree.json", "agree", fingerprint)
    gated, gate_note = _current(folder / "gate.json", "gate", fingerprint)
    try:
        agreement = None if agreed is None else _agreement(agreed, view)
    except (KeyError, TypeError, ValueError):
        agreement, agreement_note = None, _unreadable("agree.json", "agree")
    try:
        gate = None if gated is None else _gate(gated)
    except (KeyError, TypeError, ValueError):
        gate, gate_note = None, _unreadable("gate.json", "gate")
    return Standing(gate, agreement, gate_note, agreement_note)


def _current(path: Path, command: str, fingerprint: str) -> tuple[dict[str, Any] | None, str]:
    """The document, or why it is not shown; both empty where there is none."""
    if not path.exists():
        return None, ""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None, _unreadable(path.name, command)
    if not isinstance(found, dict):
        return None, _unreadable(path.name, command)
    if "run_fingerprint" in found and found["run_fingerprint"] is None and isinstance(found.get("run"), str):
        return None, f"{path.name} is about {one_line(found['run'], 60)}, not about this whole folder."
    if found.get("run_fingerprint") != fingerprint:
        return None, f"{path.name} is about earlier scores: run `evalharness {command}` again."
    return found, ""


def _unreadable(name: str, command: str) -> str:
    return f"{name} can't be read: run `evalharness {command}` again."


def _gate(found: Mapping[str, Any]) -> GateSummary:
    baseline = found["baseline"]
    return GateSummary(
        verdict=found["verdict"],
        baseline=baseline["name"],
        created=baseline["created"],
        confidence=found["policy"]["confidence"],
        criteria=tuple(_gate_criterion(row) for row in found["criteria"]),
        demands=tuple(
            (row["name"], row["reason"])
            for row in found["demands"]
            if row["verdict"] == found["verdict"] != "pass"
        ),
    )


def _gate_criterion(row: Mapping[str, Any]) -> GateCriterion:
    difference = row["difference"]
    return GateCriterion(
        scorer=row["scorer"],
        rubric=row["rubric"] or "",
        criterion=row["criterion"],
        verdict=row["verdict"] or "",
        value=difference["value"],
        lower=difference["lower"],
        upper=difference["upper"],
        margin=row["max_drop"],
        reasons=tuple(row["reasons"]),
        new_failures=tuple((item["dialogue"], item["turn"]) for item in row["new_failures"]),
    )


def _agreement(found: Mapping[str, Any], view: View) -> Agreement:
    """The Agreement, but for what its file does not hold: points of scatter plots and the raters' test."""
    return Agreement(
        summary=found["summary"],
        criteria=tuple(_criterion(row) for row in found["criteria"]),
        rows=tuple(_row(row) for row in found["rows"]),
        disagreements=tuple(_disagreement(row, view) for row in found["disagreements"]),
        unchecked=tuple((row["scorer"], row["rubric"], row["criterion"]) for row in found["unchecked"]),
        sources=tuple(found["labels"]["sources"]),
        notes=tuple(found["notes"]),
    )


def _criterion(row: Mapping[str, Any]) -> CriterionReport:
    return CriterionReport(
        criterion=row["criterion"],
        label=row["label"],
        unit=Unit(row["unit"]),
        scale=Scale(names=tuple(row["levels"] or ())),
        raters=row["raters"],
        labels=row["labels"],
        labelled=row["items_labelled"],
        unscored=row["labelled_items_not_scored"],
        unlabelled=row["scored_items_not_labelled"],
        shown=tuple(row["shown_first"]),
        scorers=(),
        verdicts=tuple(
            Verdict(v["scorer"], v["rubric"] or "", tuple(v["codes"]), tuple(v["sentences"]))
            for v in row["verdicts"]
        ),
        ceiling_note=row["ceiling_note"] or "",
        confusions=tuple(
            ConfusionTable(
                t["scorer"],
                t["rubric"] or "",
                tuple(t["levels"]),
                tuple(tuple(counts) for counts in t["rows_humans_columns_judge"]),
            )
            for t in row["confusions"]
        ),
        notes=tuple(row["notes"]),
    )


def _row(row: Mapping[str, Any]) -> Row:
    value = row["value"]
    estimate = Estimate(
        value, row["se"], row["low"], row["high"], row["level"], row["method"], row["n"], row["groups"],
        None if value is not None else row["reason"] or "undefined",
    )  # fmt: skip
    return Row(
        row["scorer"], row["rubric"] or "", row["criterion"], row["statistic"], row["grouping"], estimate,
        row["slice"] or "", row["undefined"], row["reason"] or "", _kind(row), Unit(row["unit"]),
    )  # fmt: skip


def _kind(row: Mapping[str, Any]) -> Kind:
    for kind in (Kind.HUMAN, Kind.BASELINE):
        if row["scorer"].startswith(f"{kind.value}:"):
            return kind
    return Kind.JUDGE if row["rubric"] else Kind.METRIC


def _disagreement(row: Mapping[str, Any], view: View) -> Disagreement:
    words = view.words()

    def shown(text: str) -> str:
        return "" if not view.text else text if words is None else words.text(text)

    return Disagreement(
        row["scorer"], row["rubric"] or "", row["criterion"], row["dialogue"], row["turn"],
        row["judge"], row["human"], row["gap"], shown(row["rationale"] or ""),
        tuple(comment for comment in map(shown, row["comments"]) if comment),
    )  # fmt: skip
