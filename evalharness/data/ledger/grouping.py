"""Single writes that come close together, committed together: as durable as each by itself, for far less work.

A commit costs about as much as all the writes of an item, and with hundreds of requests in flight many answers arrive
at once. The first write opens a transaction, which is committed when the event loop has run all that was ready;
whoever must not go on before waits in :meth:`Group.committed`. A process that dies before that has neither sent what
the open transaction announces nor shown what it holds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path

from evalharness.data.ledger.damage import storage_errors


class Group:
    """The writes of one ledger that are committed together."""

    def __init__(self, db: sqlite3.Connection, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._db = db
        self._path = path
        self._loop = loop
        self._waiting: list[asyncio.Future[None]] = []
        self._open = False
        self._failed: Exception | None = None

    def join(self) -> None:
        """Before a write: from here on it is part of the next commit. A commit that failed is raised here, too."""
        if self._failed is not None:
            raise self._failed
        if not self._open:
            with storage_errors(self._path):
                self._db.execute("BEGIN IMMEDIATE")
            self._open = True
            self._loop.call_soon(self._when_idle)

    async def committed(self) -> None:
        """Wait until everything that was written so far is stored for good; a StorageError where it can't be."""
        if self._open:
            waiting = self._loop.create_future()
            self._waiting.append(waiting)
            await waiting
        if self._failed is not None:
            raise self._failed

    def commit(self) -> None:
        """Commit what is open; a StorageError where that fails, for everybody who waits and for all later writes."""
        if not self._open:
            return
        self._open = False
        waiting, self._waiting = self._waiting, []
        try:
            with storage_errors(self._path):
                self._db.execute("COMMIT")
        except Exception as error:
            self._failed = error
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        finally:
            for one in waiting:
                if not one.done():
                    one.set_result(None)

    def _when_idle(self) -> None:
        with suppress(Exception):  # raised where it is waited for, and by the next write
            self.commit()
