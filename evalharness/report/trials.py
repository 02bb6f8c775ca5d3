"""Reliability over trials: trials.json and the table for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from evalharness.analysis.trials import AtK, Reliability, Trials
from evalharness.core.canonical import Json
from evalharness.core.text import log_safe, one_line
from evalharness.report.document import estimate_json
from evalharness.report.figures import interval, number

SCHEMA_VERSION = 1


def trials_json(found: Trials) -> str:
    """The text of trials.json; equal runs give equal bytes."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "unnumbered": found.unnumbered,
        "left_out": list(found.left_out),
        "criteria": [_row(row) for row in found.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _row(row: Reliability) -> Json:
    return {
        "scorer": row.column.scorer,
        "rubric": row.column.rubric or None,
        "criterion": row.column.criterion,
        "pass": row.column.passes,
        "system": row.system or None,
        "tasks": row.tasks,
        "scored": row.scored,
        "failed": dict(row.failed),
        "skipped": dict(row.skipped),
        "tasks_by_trials": {str(trials): tasks for trials, tasks in row.trials},
        "at": [_at(at) for at in row.at],
        "signature": row.column.signature,
    }


def _at(at: AtK) -> Json:
    return {
        "k": at.k,
        "pass_all": estimate_json(at.every),
        "pass_any": estimate_json(at.anyone),
        "tasks_left_out": at.left_out,
        "bounds": None if at.bounds is None else list(at.bounds),
    }


def trials_text(found: Trials) -> str:
    """A block per criterion and system, a line per k."""
    return "\n".join(_lines(found))


def _lines(found: Trials) -> Iterator[str]:
    if not found.rows:
        yield "no criterion about whole dialogues has a pass rule: there is nothing to count"
    for row in found.rows:
        name = (
            row.column.criterion if not row.column.rubric else f"{row.column.criterion} · {row.column.scorer}"
        )
        system = f", system {one_line(row.system, 40)}" if row.system else ""
        counts = ", ".join(f"{tasks} with {trials}" for trials, tasks in row.trials)
        yield log_safe(f"{one_line(name, 60)} (passes at {row.column.passes}){system}")
        lost = ", ".join(f"{name} {count}" for name, count in (*row.failed, *row.skipped))
        if not row.at:
            yield f"  no trial was scored: {lost}"
            continue
        yield f"  {row.tasks} tasks, {row.scored} scored trials ({counts})"
        yield f"  {'k':>3}  {'pass^k [95 %]':<24}pass@k [95 %]"
        for at in row.at:
            yield f"  {at.k:>3}  {interval(at.every):<24}{interval(at.anyone):<24}{_remark(at)}".rstrip()
        if lost:
            yield f"  trials without a score: {lost}"
    if found.unnumbered:
        yield f"{found.unnumbered} dialogues state no metadata.trial: each counts as a trial of its group"
    if found.left_out:
        shown = ", ".join(one_line(name, 40) for name in found.left_out[:6])
        yield log_safe(
            f"not counted (about turns, or no pass rule): {shown}{' …' if found.left_out[6:] else ''}"
        )


def _remark(at: AtK) -> str:
    parts = []
    if at.left_out:
        parts.append(f"{at.left_out} tasks left out")
    if at.bounds is not None:
        parts.append(f"within {number(at.bounds[0])}…{number(at.bounds[1])}")
    return ", ".join(parts)
