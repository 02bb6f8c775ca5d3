"""A sequential gate's looks: sequential.json, which the next look goes on from, and the text for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from evalharness.core.canonical import Json
from evalharness.core.text import log_safe, one_line
from evalharness.gate.types import Verdict
from evalharness.gate.watching import Watched, WatchResult
from evalharness.report.document import column_json
from evalharness.report.figures import number
from evalharness.report.gate.words import MARK, name_of, signed

SCHEMA_VERSION = 1


def sequential_json(result: WatchResult) -> str:
    """The text of sequential.json."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "verdict": result.verdict.value,
        "run": result.run,
        "baseline": result.baseline,
        "confidence": result.policy.confidence,
        "pair_by": result.policy.pair_by,
        "share": result.traffic.share,
        "order": result.traffic.order or None,
        "criteria": [_row(row) for row in result.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _row(row: Watched) -> dict[str, Json]:
    return {
        **column_json(row.column),
        "verdict": row.verdict.value,
        "decided_after": row.decided,
        "max_drop": row.margin,
        "change": row.value,
        "lower": row.lower,
        "upper": row.upper,
        "method": row.method,
        "waiting": row.waiting,
        "note": row.note or None,
        "arrivals": [list(arrival) for arrival in row.arrivals],
    }


def sequential_text(result: WatchResult) -> str:
    """The verdict, a line per criterion, and what such bounds are good for."""
    return "\n".join(log_safe(line) for line in _lines(result))


def _lines(result: WatchResult) -> Iterator[str]:
    names = f"{one_line(result.run, 60)} against {one_line(result.baseline, 60)}"
    went = {
        Verdict.PASS: "a drop of the tolerated size is ruled out; you may stop looking",
        Verdict.FAIL: "there is a real drop at or beyond the tolerated one; you may stop",
        Verdict.INCONCLUSIVE: "go on: look again when more dialogues have arrived",
    }
    yield f"{MARK[result.verdict]}: {names}: {went[result.verdict]}"
    yield f"{result.new:,} scenarios are new since the last look"
    for row in result.rows:
        bounds = f"[{signed(row.lower)}, {signed(row.upper)}]"
        when = f", decided after {row.decided:,}" if row.decided else ""
        note = f"; {row.note}" if row.note else ""
        waiting = f"; {row.waiting:,} wait for their counterpart or a verdict" if row.waiting else ""
        yield (
            f"{name_of(row.column)}: {MARK[row.verdict]}{when}, change {signed(row.value)} {bounds} after "
            f"{len(row.arrivals):,} scenarios, tolerated −{number(row.margin)}{waiting}{note}"
        )
    yield (
        "The bounds hold at every look at once, so you may look as often as you like. They count new scenarios once, "
        "with their first result: answering the same set again adds nothing."
    )
