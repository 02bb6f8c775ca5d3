"""The verdict cache: replies that gave a valid verdict, by content, shared by all runs of the user.

One SQLite file in the user's cache folder. A damaged entry is treated as absent. Nothing is ever stored for a failure,
and nothing but JSON is ever read from it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json, canonical_json
from evalharness.data import cached_outcomes
from evalharness.data.cached_outcomes import CachedOutcomes, cache_errors, is_busy
from evalharness.data.files import private_folder
from evalharness.data.ledger.schema import WAL_PAGES
from evalharness.errors import StorageError

_VERSION = 1
_MAPPED = 1 << 30
PATIENCE = 10.0
"""Seconds that are waited for another process that is writing."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL, "
    "made REAL NOT NULL, used REAL NOT NULL) WITHOUT ROWID"
)


def cache_folder() -> Path:
    """Where caches are kept: $XDG_CACHE_HOME/evalharness, or the platform's usual place."""
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named) / "evalharness"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "evalharness" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "evalharness"
    return Path.home() / ".cache" / "evalharness"


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the cache holds: entries, bytes on disk, the times (seconds since 1970) of oldest and newest, and outcomes
    that were read from the entries."""

    path: Path
    entries: int
    size: int
    oldest: float | None
    newest: float | None
    outcomes: int


class VerdictCache:
    """Replies by key. Losing it costs money, never correctness: a single damaged entry is passed over, a damaged
    file is a :class:`StorageError`, so that nobody pays anew for thousands of verdicts without having been told."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = private_folder(folder or cache_folder()) / f"verdicts-{_VERSION}.sqlite"
        self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        if not self.path.exists():  # SQLite would make a file that others may read
            self.path.touch(mode=0o600)
        db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with cache_errors(self.path):
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
                db.execute(f"PRAGMA mmap_size={_MAPPED}")  # keys are spread over all pages of the file
                db.execute(_TABLE)
                db.execute(cached_outcomes.TABLE)
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Around copying the process: SQLite forbids to copy an open file."""
        self._db.close()
        try:
            yield
        finally:
            self._db = self._opened()

    @property
    def outcomes(self) -> CachedOutcomes:
        """What was read from the entries."""
        return CachedOutcomes(self._db, self.path)

    @property
    def empty(self) -> bool:
        """Whether there is no entry."""
        with cache_errors(self.path):
            return self._db.execute("SELECT 1 FROM verdicts LIMIT 1").fetchone() is None

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The entry, or None when it is absent or damaged."""
        with cache_errors(self.path):
            row = self._db.execute("SELECT value, crc FROM verdicts WHERE key=?", (key,)).fetchone()
        if row is None or row[1] != _crc(key, row[0]):
            return None
        value = json.loads(row[0])
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Json]) -> None:
        """Store an entry; a full disk is no reason to stop, so it is ignored here."""
        text = canonical_json(dict(value))
        now = time.time()
        with cache_errors(self.path), suppress(sqlite3.OperationalError):
            self._db.execute(
                "INSERT OR REPLACE INTO verdicts VALUES (?,?,?,?,?)", (key, text, _crc(key, text), now, now)
            )

    def stats(self) -> CacheStats:
        """Size and age of the cache."""
        with cache_errors(self.path):
            entries, oldest, newest = self._db.execute(
                "SELECT count(*), min(made), max(made) FROM verdicts"
            ).fetchone()
            outcomes = self.outcomes.count()
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        size = sum(f.stat().st_size for f in files if f.exists())
        return CacheStats(self.path, entries, size, oldest, newest, outcomes)

    def clear(self) -> int:
        """Remove every entry; returns how many there were."""
        with cache_errors(self.path):
            return self._remove("1", ())

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> int:
        """Remove entries made more than ``older_than`` seconds ago, then the oldest ones beyond ``max_bytes``.

        Outcomes that were read from entries go with them, all: the next run reads those that are left anew.
        """
        removed = 0
        with cache_errors(self.path):
            if older_than is not None:
                removed += self._remove("made < ?", (time.time() - older_than,))
            if max_bytes is not None:
                removed += self._prune_to(max_bytes)
        return removed

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._db.close()

    def _prune_to(self, max_bytes: int) -> int:
        total, cut = 0, None
        for made, size in self._db.execute("SELECT made, length(value)+120 FROM verdicts ORDER BY made DESC"):
            total += size
            if total > max_bytes:
                cut = made
                break
        return 0 if cut is None else self._remove("made <= ?", (cut,))

    def _remove(self, condition: str, values: tuple[float, ...]) -> int:
        removed = self._db.execute(f"DELETE FROM verdicts WHERE {condition}", values).rowcount  # noqa: S608
        self.outcomes.clear()
        self._db.execute("VACUUM")
        return removed


def is_in_use(error: StorageError) -> bool:
    """Whether the cache could not be used because another process was writing it: nothing is wrong with it."""
    return is_busy(error.__cause__)


def discard_cache() -> bool:
    """Remove the cache's files whatever is in them; False when there were none."""
    path = cache_folder() / f"verdicts-{_VERSION}.sqlite"
    existed = path.exists()
    try:
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"can't remove {path}: {error.strerror}") from error
    return existed


def _crc(key: str, text: str) -> int:
    return zlib.crc32(f"{key},{text}".encode())
