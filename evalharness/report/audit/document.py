"""audit.json, and reading it back for the reports that show it.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from evalharness.audit.probes import BY_NAME
from evalharness.audit.types import Audit, Effect, Measure
from evalharness.core.canonical import Json

SCHEMA_VERSION = 1


def audit_json(audit: Audit) -> str:
    """The text of audit.json."""
    return json.dumps(audit_document(audit), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def audit_document(audit: Audit) -> dict[str, Json]:
    """Everything that an audit found, as JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "judge": audit.judge,
        "rubric": audit.rubric,
        "signature": audit.signature,
        "date": audit.date,
        "toy": audit.toy,
        "compares_pairs": audit.pairs,
        "items": audit.items,
        "groups": audit.groups,
        "margin": audit.margin,
        "cost_usd": audit.cost,
        "partial": audit.partial,
        "criteria": [column.criterion for column in audit.columns],
        "effects": [_effect(effect) for effect in audit.effects],
        "severity": [
            {
                "criterion": row.criterion,
                "slope": asdict(row.slope),
                "means": [{"severity": s, "shift": shift, "items": n} for s, shift, n in row.means],
                "monotone": row.monotone,
                "finding": row.finding.value,
            }
            for row in audit.severity
        ],
        "defences": [
            {
                "placement": row.placement,
                "criterion": row.criterion,
                "saved": asdict(row.difference),
                "pairs": row.pairs,
            }
            for row in audit.saved
        ],
        "measures": [_measure(measure) for measure in audit.measures],
        "agreement": [
            {
                "criterion": row.criterion,
                "statistic": row.statistic,
                "judge": asdict(row.judge),
                "people": None if row.people is None else asdict(row.people),
                "items": row.items,
                "raters": row.raters,
            }
            for row in audit.agreed
        ],
        "stability": [
            {"criterion": row.criterion, "difference": asdict(row.difference), "same": row.same}
            for row in audit.stability
        ],
        "spread": [asdict(row) for row in audit.spread],
        "detector": asdict(audit.detector),
        "left_out": dict(audit.left_out),
        "not_measured": [{"what": what, "why": why} for what, why in audit.missing],
        "notes": list(audit.notes),
    }


def _effect(effect: Effect) -> Json:
    probe = BY_NAME[effect.probe]
    return {
        "probe": effect.probe,
        "kind": probe.kind.value,
        "what": probe.what,
        "severity": probe.severity,
        "criterion": effect.criterion,
        "shift": asdict(effect.shift),
        "share_of_range": effect.share,
        "flips": None if effect.flips is None else effect.flips.value,
        "flips_estimate": None if effect.flips is None else asdict(effect.flips),
        "pairs": effect.pairs,
        "failed": effect.failed,
        "skipped": effect.skipped,
        "finding": effect.finding.value,
        "words": effect.words,
        "open": None if effect.open is None else asdict(effect.open),
    }


def _measure(measure: Measure) -> Json:
    return {
        "measure": measure.name,
        "criterion": measure.criterion,
        "estimate": asdict(measure.estimate),
        "neutral": measure.neutral,
        "margin": measure.margin,
        "unit": measure.unit,
        "judge": measure.judge,
        "beside": measure.beside,
        "beside_what": measure.beside_what,
        "finding": measure.finding.value,
        "words": measure.words,
        "open": None if measure.open is None else asdict(measure.open),
    }
