"""The ledger's record of attempts: each is written before it is sent, and again when it has ended."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from evalharness.data.ledger.damage import storage_errors
from evalharness.data.ledger.grouping import Group
from evalharness.data.ledger.rows import AttemptTotals, ItemRef, stored_turn


class Attempts:
    """The part of a ledger that keeps attempts."""

    path: Path
    _db: sqlite3.Connection
    _group: Group | None

    def begin_attempt(
        self, scorer: int, item: ItemRef, *, sample: int, step: str, request: str, possible: float | None
    ) -> int:
        """Record an attempt before it is sent, with the most that it can cost (USD); returns its number.

        It is stored for good when this returns.
        """
        with self._single():
            cursor = self._db.execute(
                "INSERT INTO attempts (scorer, dialogue, turn, sample, step, request, started, possible, state) "
                "VALUES (?,?,?,?,?,?,?,?,'sent')",
                (scorer, item.seq, stored_turn(item.turn), sample, step, request, time.time(), possible),
            )
        if self._group is not None:
            self._group.commit()
        return int(cursor.lastrowid or 0)

    def end_attempt(self, number: int, **facts: Any) -> None:
        """Record how an attempt ended: ``state`` (``ok``, ``fault``, ``unknown``), tokens, cost, seconds, cause."""
        names = ", ".join(f"{name}=?" for name in facts)
        with self._single():
            self._db.execute(f"UPDATE attempts SET {names} WHERE no=?", (*facts.values(), number))  # noqa: S608

    def _single(self) -> AbstractContextManager[None]:
        """Around a write outside any transaction."""
        return storage_errors(self.path) if self._group is None else self._group.writing()

    def attempt_totals(self) -> list[AttemptTotals]:
        """Attempts summed by scorer, state and cause. State ``sent`` means that the process died meanwhile."""
        rows = self._db.execute(
            "SELECT scorer, state, cause, count(*), coalesce(sum(input_tokens),0), coalesce(sum(output_tokens),0),"
            " coalesce(sum(cached_tokens),0), coalesce(sum(cache_write_tokens),0), coalesce(sum(reasoning_tokens),0),"
            " CASE WHEN count(cost)=count(*) THEN sum(cost) END,"
            " CASE WHEN count(possible)=count(*) THEN sum(possible) END, coalesce(sum(seconds),0)"
            " FROM attempts GROUP BY scorer, state, cause ORDER BY scorer, state, cause"
        )
        return [AttemptTotals(*row) for row in rows]

    def answering_models(self) -> dict[int, dict[str, int]]:
        """How many answers each scorer got from which model, as providers name it, in the order they first answered."""
        found: dict[int, dict[str, int]] = {}
        for scorer, model, count in self._db.execute(
            "SELECT scorer, model, count(*) FROM attempts WHERE state='ok' AND model<>'' "
            "GROUP BY 1, 2 ORDER BY 1, min(no)"
        ):
            found.setdefault(scorer, {})[model] = count
        return found
