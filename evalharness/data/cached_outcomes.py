"""Outcomes that were read from cached verdicts, so that a run over the same dialogues need not read them again.

They stand in the file of the verdict cache, by a key of everything that they depend on, and say nothing that the
verdicts there don't say: losing them costs time. A damaged row is treated as absent.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from evalharness.data.guard import Guard
from evalharness.errors import StorageError

TABLE = (
    "CREATE TABLE IF NOT EXISTS outcomes (key BLOB NOT NULL, turn INTEGER NOT NULL, body TEXT NOT NULL, "
    "models TEXT NOT NULL, replies INTEGER NOT NULL, crc INTEGER NOT NULL, UNIQUE (key, turn))"
)
_SELECT = "SELECT key, turn, body, models, replies, crc FROM outcomes WHERE key IN (%s)"
_MOST_KEYS = 500
"""Keys that are looked up by one statement (SQLite takes 999 at least)."""
_WHOLE = -1
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
"""What SQLite says of a disk that is full, broken or read-only."""


class CachedOutcome(NamedTuple):
    """The outcome of an item (``turn`` is None for the whole dialogue): its encoded results, the models that had
    answered, as providers name them, and from how many replies it was read."""

    turn: int | None
    body: str
    models: tuple[str, ...]
    replies: int


class CachedOutcomes:
    """The outcomes in an open verdict cache; a key stands for a judge and a dialogue."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def of(self, keys: Sequence[bytes]) -> dict[bytes, list[CachedOutcome]]:
        """What is known of dialogues, by key, without what is damaged; a key of which nothing is known is missing."""
        found: dict[bytes, list[CachedOutcome]] = {}
        for first in range(0, len(keys), _MOST_KEYS):
            part = keys[first : first + _MOST_KEYS]
            with cache_errors(self._path):
                rows = self._db.execute(_SELECT % ",".join("?" * len(part)), part).fetchall()
            for key, turn, body, models, replies, crc in rows:
                if crc == _crc(key, turn, body, models, replies):
                    at = None if turn == _WHOLE else turn
                    found.setdefault(key, []).append(CachedOutcome(at, body, _names(models), replies))
        return found

    def put(self, rows: Iterable[tuple[bytes, CachedOutcome]]) -> None:
        """Store outcomes; a full or busy disk is no reason to stop."""
        with cache_errors(self._path), suppress(sqlite3.OperationalError):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(
                    "INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?,?)", map(_stored, rows)
                )
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def count(self) -> int:
        """How many there are."""
        return int(self._db.execute("SELECT count(*) FROM outcomes").fetchone()[0])

    def clear(self) -> None:
        """Remove all of them."""
        self._db.execute("DELETE FROM outcomes")


class cache_errors(Guard):  # noqa: N801 - used like a function
    """What SQLite says of a damaged or unusable file, as a :class:`StorageError` that names the cache."""

    __slots__ = ()

    def tell(self, error: BaseException) -> None:
        """Raise the :class:`StorageError` that SQLite's error stands for."""
        if is_busy(error):
            raise StorageError(
                f"the verdict cache {self.path} is being written by another process",
                fix="Run the same command again when that has ended.",
            ) from error
        if _code(error) in _DISK:  # nothing that removing paid verdicts would mend
            raise StorageError(
                f"the verdict cache {self.path} can't be used: {error}",
                fix="Free some space or mend the folder, or add --no-cache.",
            ) from error
        if isinstance(error, sqlite3.DatabaseError):
            raise StorageError(
                f"the verdict cache {self.path} can't be used: {error}",
                fix="Remove it with `evalharness cache clear` (its verdicts will be paid for again), "
                "or add --no-cache.",
            ) from error


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite gave up because another process holds the file, which is as it should be."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code, 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0


@lru_cache(maxsize=64)
def _names(models: str) -> tuple[str, ...]:
    return tuple(json.loads(models))


def _stored(row: tuple[bytes, CachedOutcome]) -> Sequence[object]:
    key, (turn, body, models, replies) = row
    at = _WHOLE if turn is None else turn
    names = json.dumps(models)
    return key, at, body, names, replies, _crc(key, at, body, names, replies)


def _crc(key: bytes, turn: int, body: str, models: str, replies: int) -> int:
    text = f"{turn},{models},{replies},{body}"
    return zlib.crc32(text.encode("utf-8", "surrogatepass"), zlib.crc32(key))
