"""report.json: an Analysis as a versioned JSON document, byte-equal for equal results.

``SCHEMA_VERSION`` history: 1 first release (``calibrated`` stands only where a run has a calibration).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from evalharness.analysis.panels import PanelSummary
from evalharness.analysis.types import (
    Analysis,
    BetweenRow,
    Bin,
    CalibratedMean,
    ColumnSummary,
    CorpusScore,
    RunFacts,
    SliceRow,
    SystemRow,
    Tally,
)
from evalharness.core.canonical import Json
from evalharness.core.scores import Column
from evalharness.stats.estimate import Estimate

SCHEMA_VERSION = 1


def report_json(analysis: Analysis) -> str:
    """The text of report.json: indented, keys in a fixed order, floats as Python writes them, no NaN."""
    return json.dumps(report_document(analysis), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def report_document(analysis: Analysis) -> dict[str, Json]:
    """The Analysis as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _run(analysis.run),
        "criteria": [_summary(summary) for summary in analysis.columns],
        "corpus": [_corpus(score) for score in analysis.corpus],
        "slices": [_slice(row) for row in analysis.slices],
        "between": {
            "sampled": analysis.between.sampled,
            "rows": [_between(row) for row in analysis.between.rows],
        },
    }


def _between(row: BetweenRow) -> dict[str, Json]:
    def name(column: Column) -> dict[str, Json]:
        return {"scorer": column.scorer, "rubric": column.rubric or None, "criterion": column.criterion}

    return {
        "first": name(row.first),
        "second": name(row.second),
        "spearman": estimate_json(row.spearman),
        "same": row.same,
    }


def _run(run: RunFacts) -> dict[str, Json]:
    return {
        "partial": run.partial,
        "dialogues": run.dialogues,
        "turns": run.turns,
        "groups": run.groups,
        "systems": list(run.systems),
        "sources": list(run.sources),
        "rejected": run.rejected,
        "notes": [{"note": note, "count": count} for note, count in run.notes],
        "toy_judges": list(run.toy_judges),
        "redacted": None
        if run.masked is None
        else {"dialogues": run.masked[0], "masked": dict(run.masked[1])},
    }


def _summary(summary: ColumnSummary) -> dict[str, Json]:
    spread = summary.spread
    return {
        **column_json(summary.column),
        **_tally(summary.tally),
        "mean": estimate_json(summary.mean),
        "bounds": None if summary.bounds is None else list(summary.bounds),
        "pass_rate": None if summary.pass_rate is None else estimate_json(summary.pass_rate),
        "passed": summary.passed,
        "sd": None if spread is None else spread.sd,
        "min": None if spread is None else spread.minimum,
        "max": None if spread is None else spread.maximum,
        "samples": None
        if summary.samples is None
        else {"usable": summary.samples[0], "asked": summary.samples[1]},
        **(
            {}
            if summary.retest is None
            else {
                "retest": {
                    "items": summary.retest.items,
                    "same": summary.retest.same,
                    "sd_within_item": summary.retest.sd,
                }
            }
        ),
        "evidence_not_found": summary.uncited,
        **({} if summary.panel is None else {"panel": _panel(summary.panel)}),
        **(
            {}
            if summary.mass is None
            else {"label_mass": {"mean": summary.mass[0], "least": summary.mass[1]}}
        ),
        **({"stages": dict(summary.stages)} if summary.stages else {}),
        **({"outside_training": summary.unlike} if summary.unlike else {}),
        **({"near_gate": summary.near} if summary.near else {}),
        "warnings": [{"warning": text, "count": count} for text, count in summary.warnings],
        "distribution": [_bin(part) for part in summary.distribution],
        "systems": [_system(row) for row in summary.systems],
        **({} if summary.calibrated is None else {"calibrated": _calibrated(summary.calibrated)}),
    }


def _calibrated(found: CalibratedMean) -> dict[str, Json]:
    return {
        "mean": estimate_json(found.mean),
        "outside_labelled_range": found.outside,
        "half_width": found.half_width,
        "labelled_items": found.labels,
    }


def column_json(column: Column) -> dict[str, Json]:
    """What identifies and describes a column."""
    return {
        "scorer": column.scorer,
        "rubric": column.rubric or None,
        "criterion": column.criterion,
        "unit": column.unit.value,
        "judged": column.judged,
        "low": column.low,
        "high": column.high,
        "pass": column.passes,
        "higher_is_better": column.higher_is_better,
        "signature": column.signature,
        "note": column.note or None,
    }


def estimate_json(estimate: Estimate) -> dict[str, Json]:
    """An estimate with everything that makes it readable on its own."""
    return {
        "value": estimate.value,
        "se": estimate.se,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
        "method": estimate.method,
        "n": estimate.n,
        "groups": estimate.groups,
        "undefined": estimate.undefined,
    }


def _tally(tally: Tally) -> Mapping[str, Json]:
    return {
        "items": tally.items,
        "scored": tally.scored,
        "failed": dict(tally.failed),
        "skipped": dict(tally.skipped),
        "pending": tally.pending,
    }


def _panel(panel: PanelSummary) -> dict[str, Json]:
    return {
        "disagreement": panel.disagreement,
        "split": panel.split,
        "members": [
            {
                "name": member.name,
                "scored": member.scored,
                "failed": dict(member.failed),
                "skipped": member.skipped,
                "mean": member.mean,
            }
            for member in panel.members
        ],
    }


def _bin(part: Bin) -> dict[str, Json]:
    return {"label": part.label, "low": part.low, "high": part.high, "count": part.count}


def _system(row: SystemRow) -> dict[str, Json]:
    return {
        "system": row.system,
        **_tally(row.tally),
        "mean": estimate_json(row.mean),
        "pass_rate": None if row.pass_rate is None else estimate_json(row.pass_rate),
    }


def _slice(row: SliceRow) -> dict[str, Json]:
    return {
        "scorer": row.column.scorer,
        "rubric": row.column.rubric or None,
        "criterion": row.column.criterion,
        "key": row.key,
        "value": row.value,
        "scored": row.scored,
        "mean": row.mean,
        "difference": estimate_json(row.difference),
        "p_adjusted": row.p,
        "worse": row.worse,
    }


def _corpus(score: CorpusScore) -> dict[str, Json]:
    return {
        "scorer": score.column.scorer,
        "criterion": score.column.criterion,
        "system": score.system or None,
        "value": score.value,
        "items": score.items,
        "signature": score.signature,
    }
