"""Single writes that come close together, committed together: as durable as each by itself, for less work.

A commit costs about as much as all the writes of an item. How an attempt ended and what was made of its answer are
therefore committed with the record of the next attempt, which has to be stored before anything is sent, or else when
the event loop has run all that is ready now. A process that dies before that has shown nothing of what it loses, and
has sent nothing since.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from evalharness.data.guard import Guard
from evalharness.data.ledger.damage import storage_errors


class Group:
    """The writes of one ledger that are committed together."""

    def __init__(self, db: sqlite3.Connection, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._db = db
        self.path = path
        self._loop = loop
        self._then: list[Callable[[], None]] = []
        self._open = False
        self._failed: Exception | None = None

    def writing(self) -> AbstractContextManager[None]:
        """Around a write, which is part of the next commit. Where it fails, nothing of that commit is stored.

        What failed once is raised by every later write, too: a disk that is full by one statement is full for all.
        """
        return _Writing(self)

    def then(self, told: Callable[[], None]) -> None:
        """Call this when everything that was written so far is stored for good; never, where it can't be."""
        if self._open:
            self._then.append(told)
        elif self._failed is None:
            told()

    def commit(self) -> None:
        """Commit what is open. Where that fails it is raised here, and by all later writes."""
        if not self._open:
            return
        self._open = False
        told, self._then = self._then, []
        try:
            with storage_errors(self.path):
                self._db.execute("COMMIT")
        except Exception as error:
            self.fail(error)
            raise
        for one in told:
            one()

    def close(self) -> None:
        """Commit what is open; where an earlier commit failed, that is raised."""
        self.commit()
        if self._failed is not None:
            raise self._failed

    def begin(self) -> bool:
        """Before a write; whether it is part of the next commit (a transaction that is not ours may hold it)."""
        if self._failed is not None:
            raise self._failed
        if self._open:
            return True
        if self._db.in_transaction:
            return False
        try:
            with storage_errors(self.path):
                self._db.execute("BEGIN IMMEDIATE")
        except Exception as error:
            self.fail(error)
            raise
        self._open = True
        self._loop.call_soon(self._when_idle)
        return True

    def fail(self, error: Exception) -> None:
        """Give up what is open: it can't be stored."""
        self._failed, self._open = error, False
        self._then.clear()
        with suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def _when_idle(self) -> None:
        with suppress(Exception):  # raised by the next write, and at the end
            self.commit()


class _Writing(Guard):
    """Around one write of a group."""

    __slots__ = ("_group", "_ours")

    def __init__(self, group: Group) -> None:
        super().__init__(group.path)
        self._group = group

    def __enter__(self) -> None:
        self._ours = self._group.begin()

    def tell(self, error: BaseException) -> None:
        if not self._ours:
            return
        try:
            storage_errors(self.path).tell(error)
        except Exception as told:
            self._group.fail(told)
            raise
        if isinstance(error, Exception):
            self._group.fail(error)
