"""gate.json: a gate's result as a versioned JSON document, byte-equal for equal results.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath

from evalharness.core.canonical import Json
from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.gate.types import (
    Comparison,
    Demand,
    Difference,
    Failing,
    GateResult,
    Ruler,
    SliceRow,
    Unpaired,
    Worst,
)
from evalharness.report.document import column_json, estimate_json
from evalharness.stats.significance import Significance

SCHEMA_VERSION = 1


def gate_json(result: GateResult, fingerprint: str | None = None) -> str:
    """The text of gate.json; ``fingerprint`` names the scores of the run (None where it is a baseline file)."""
    return json.dumps(gate_document(result, fingerprint), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def gate_document(result: GateResult, fingerprint: str | None = None) -> dict[str, Json]:
    """The result as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_fingerprint": fingerprint,
        "verdict": result.verdict.value,
        "exit_code": int(result.exit_code),
        "run": result.run,
        "baseline": {"name": result.baseline, "created": result.baseline_created},
        "identical": result.identical,
        "policy": policy_json(result.policy, [row.column for row in result.comparisons]),
        "criteria": [_comparison(row) for row in result.comparisons],
        "demands": [_demand(row) for row in result.demands],
        "notes": list(result.notes),
    }


def policy_json(policy: Policy, columns: list[Column]) -> dict[str, Json]:
    """The policy as it was applied."""
    return {
        "pair_by": policy.pair_by,
        "confidence": policy.confidence,
        "max_failed": policy.max_failed,
        "max_unpaired": policy.max_unpaired,
        "must_pass": list(policy.must_pass),
        "anchors": None if policy.anchors is None else PurePath(policy.anchors).name,
        "confirm": {column.criterion: policy.confirm_of(column) for column in columns},
        "confirm_by": policy.confirm_by,
        "slices": list(policy.slices),
        "on_inconclusive": policy.on_inconclusive.value,
        "max_drop": {column.criterion: policy.margin(column) for column in columns},
    }


def _comparison(row: Comparison) -> dict[str, Json]:
    return {
        **column_json(row.column),
        "verdict": None if row.verdict is None else row.verdict.value,
        "reasons": list(row.reasons),
        "not_gating": row.not_gating,
        "max_drop": row.margin,
        "baseline_mean": estimate_json(row.baseline_mean),
        "run_mean": estimate_json(row.run_mean),
        "difference": _difference(row.difference),
        "p_holm": row.p_holm,
        "real_drop": row.real_drop,
        "unpaired": _unpaired(row.unpaired),
        "compared_by_means": row.by_means,
        "minimum_detectable_drop": row.reach.detectable,
        "groups_to_pass_unchanged": row.reach.groups,
        "samples_to_pass_unchanged": row.reach.samples,
        "repeat_sd": row.reach.repeat_sd,
        "pass_rate": None if row.pass_rate is None else estimate_json(row.pass_rate),
        "min_pass_rate": row.min_pass_rate,
        "new_failures": [_failing(item) for item in row.new_failures],
        "without_verdict": {"items": row.without_verdict[0], "of": row.without_verdict[1]},
        "worst": [_worst(item) for item in row.worst],
        "slices": [_slice(part) for part in row.slices],
        "ruler": None if row.ruler is None else _ruler(row.ruler),
        "difference_corrected": None if row.corrected is None else _difference(row.corrected),
        "difference_by_judge": None if row.judge_difference is None else _difference(row.judge_difference),
        "doubts": list(row.doubts),
    }


def _ruler(ruler: Ruler) -> Mapping[str, Json]:
    drift = ruler.drift
    bias = [None if each is None else estimate_json(each) for each in (drift.bias_recorded, drift.bias_fresh)]
    return {
        "state": "bridge" if ruler.is_bridge else ruler.state.value,
        "changed": ruler.changed or None,
        "anchors": ruler.items,
        "without_verdict": ruler.missing,
        "labelled": ruler.labelled,
        "shift": estimate_json(drift.shift),
        "tolerated": ruler.tolerance,
        "correction": drift.correction,
        "sign_flip": _test(drift.exact),
        "share_changed": drift.changed,
        "spread_ratio": drift.spread_ratio,
        "bias_recorded": bias[0],
        "bias_now": bias[1],
    }


def _difference(found: Difference) -> Mapping[str, Json]:
    return {
        "value": found.value,
        "se": found.se,
        "lower": found.lower,
        "upper": found.upper,
        "p_drop": found.p_drop,
        "method": found.method,
        "n": found.n,
        "groups": found.groups,
        "paired": found.paired,
        "bounds": None if found.bounds is None else list(found.bounds),
        "sign_flip": _test(found.exact),
        "mcnemar": _test(found.mcnemar),
        "undefined": found.undefined,
    }


def _test(test: Significance | None) -> Json:
    if test is None:
        return None
    return {"p": test.p, "method": test.method, "undefined": test.undefined}


def _unpaired(found: Unpaired) -> Mapping[str, Json]:
    return {
        "only_baseline": found.only_baseline,
        "only_run": found.only_run,
        "no_verdict_baseline": found.no_verdict_baseline,
        "no_verdict_run": found.no_verdict_run,
        "skipped": found.skipped,
    }


def _failing(item: Failing) -> Mapping[str, Json]:
    bad, asked = item.verdicts
    again = item.again
    return {
        "dialogue": item.dialogue,
        "turn": item.turn,
        "value": item.value,
        "failing_verdicts": bad,
        "verdicts": asked,
        "standing": item.standing.value,
        "judged_again": None if again is None else asdict(again),
    }


def _worst(item: Worst) -> Mapping[str, Json]:
    return {
        "dialogue": item.dialogue,
        "reply": item.reply,
        "turn": item.turn,
        "group": item.group,
        "baseline": item.baseline,
        "run": item.run,
    }


def _slice(part: SliceRow) -> Mapping[str, Json]:
    return {
        "key": part.key,
        "value": part.value,
        "difference": _difference(part.difference),
        "p_adjusted": part.p_adjusted,
        "dropped": part.dropped,
    }


def _demand(row: Demand) -> Mapping[str, Json]:
    return {
        "name": row.name,
        "verdict": row.verdict.value,
        "reason": row.reason,
        "failing": [_failing(item) for item in row.failing],
    }
