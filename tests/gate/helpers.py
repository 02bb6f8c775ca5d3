"""Runs for gate tests, made of values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot, Subject

COLUMN = Column(
    scorer="judge", criterion="helpfulness", unit=Unit.TURN, signature="judge:toy|rubric:r@1", rubric="r", low=1.0,
    high=5.0, passes=">=4", higher_is_better=True, judged=True,
)  # fmt: skip
BINARY = replace(COLUMN, criterion="invented", low=0.0, high=1.0, passes="==0", higher_is_better=False)


def snapshot(
    values: Mapping[str, Sequence[float | None]],
    column: Column = COLUMN,
    *,
    name: str = "run",
    tag: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Snapshot:
    """A run with one dialogue per group; its replies have these values, None for a failure."""
    subjects = tuple(
        Subject(f"{group}{tag}", group, f"{tag}{replies}", "logs.jsonl", line, metadata or {})
        for line, (group, replies) in enumerate(values.items(), start=1)
    )
    marks = tuple(
        Mark(subject, 2 * reply - 1, reply, value, "failed" if value is None else "scored")
        for subject, replies in enumerate(values.values())
        for reply, value in enumerate(replies, start=1)
    )
    return Snapshot(name, "2026-01-01T00:00:00Z", subjects, (Series(column, len(marks), marks),))
