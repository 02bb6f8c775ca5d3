"""execution.json: what varies between runs that give the same report: time, attempts, cost, cache use.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence

from evalharness.core.canonical import Json
from evalharness.core.scores import Column
from evalharness.data.ledger.store import AttemptTotals

SCHEMA_VERSION = 1


def execution_json(
    totals: Iterable[AttemptTotals],
    columns: Mapping[int, Sequence[Column]],
    cached: Mapping[int, int],
    seconds: float,
    warnings: Sequence[str],
    version: str,
) -> str:
    """The text of execution.json. Attempts are those of all processes that worked on the run; ``seconds`` and
    ``cached`` are of this one."""
    rows = list(totals)
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "evalharness": version,
        "python": platform.python_version(),
        "platform": sys.platform,
        "seconds": round(seconds, 3),
        "cost_usd": total_cost(rows),
        "warnings": list(warnings),
        "judges": [
            _judge(number, group, rows, cached) for number, group in columns.items() if group[0].judged
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def total_cost(totals: Iterable[AttemptTotals]) -> float | None:
    """Cost in USD of all attempts whose outcome is known; None when any of them is unpriced."""
    costs = [row.cost for row in totals if row.state == "ok"]
    return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)


def _judge(
    number: int, group: Sequence[Column], totals: Sequence[AttemptTotals], cached: Mapping[int, int]
) -> dict[str, Json]:
    own = [row for row in totals if row.scorer == number]
    good = [row for row in own if row.state == "ok"]
    lost = [row for row in own if row.state in ("unknown", "sent")]
    flying = [row for row in own if row.state == "batched"]
    return {
        "judge": group[0].scorer,
        "rubric": group[0].rubric,
        "attempts": sum(row.attempts for row in own),
        "answered": sum(row.attempts for row in good),
        "faults": {row.cause or "unknown": row.attempts for row in own if row.state == "fault"},
        "unknown_outcome": sum(row.attempts for row in lost),
        "unknown_outcome_most_usd": _most(lost),
        "in_batches": sum(row.attempts for row in flying),
        "in_batches_most_usd": _most(flying),
        "from_cache": cached.get(number, 0),
        "cost_usd": total_cost(own),
        "input_tokens": sum(row.input_tokens for row in good),
        "output_tokens": sum(row.output_tokens for row in good),
        "cached_tokens": sum(row.cached_tokens for row in good),
        "cache_write_tokens": sum(row.cache_write_tokens for row in good),
        "reasoning_tokens": sum(row.reasoning_tokens for row in good),
        "call_seconds": round(sum(row.seconds for row in own), 3),
    }


def _most(totals: Sequence[AttemptTotals]) -> float | None:
    """The most that these attempts can have cost together; None when any of them is unpriced."""
    costs = [row.possible for row in totals]
    return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)
