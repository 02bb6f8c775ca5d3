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
from evalharness.data.files import private_folder
from evalharness.data.ledger.schema import WAL_PAGES
from evalharness.errors import StorageError

_VERSION = 1
_MAPPED = 1 << 30
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
    """What the cache holds: entries, bytes on disk, and the times (seconds since 1970) of oldest and newest."""

    path: Path
    entries: int
    size: int
    oldest: float | None
    newest: float | None


class VerdictCache:
    """Replies by key. Losing it costs money, never correctness: a single damaged entry is passed over, a damaged
    file is a :class:`StorageError`, so that nobody pays anew for thousands of verdicts without having been told."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = private_folder(folder or cache_folder()) / f"verdicts-{_VERSION}.sqlite"
        fresh = not self.path.exists()
        if fresh:
            self.path.touch(mode=0o600)
        self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            with _damage(self.path):
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
                db.execute(f"PRAGMA mmap_size={_MAPPED}")  # keys are spread over all pages of the file
                db.execute(_TABLE)
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
    def empty(self) -> bool:
        """Whether there is no entry."""
        with _damage(self.path):
            return self._db.execute("SELECT 1 FROM verdicts LIMIT 1").fetchone() is None

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The entry, or None when it is absent or damaged."""
        with _damage(self.path):
            row = self._db.execute("SELECT value, crc FROM verdicts WHERE key=?", (key,)).fetchone()
        if row is None or row[1] != _crc(key, row[0]):
            return None
        value = json.loads(row[0])
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Json]) -> None:
        """Store an entry; a full disk is no reason to stop, so it is ignored here."""
        text = canonical_json(dict(value))
        now = time.time()
        with _damage(self.path), suppress(sqlite3.OperationalError):
            self._db.execute(
                "INSERT OR REPLACE INTO verdicts VALUES (?,?,?,?,?)", (key, text, _crc(key, text), now, now)
            )

    def stats(self) -> CacheStats:
        """Size and age of the cache."""
        entries, oldest, newest = self._db.execute(
            "SELECT count(*), min(made), max(made) FROM verdicts"
        ).fetchone()
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return CacheStats(
            self.path, entries, sum(f.stat().st_size for f in files if f.exists()), oldest, newest
        )

    def clear(self) -> int:
        """Remove every entry; returns how many there were."""
        return self._remove("1", ())

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> int:
        """Remove entries made more than ``older_than`` seconds ago, then the oldest ones beyond ``max_bytes``."""
        removed = 0
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
        self._db.execute("VACUUM")
        return removed


def discard_cache() -> bool:
    """Remove the cache's files whatever is in them; False when there were none."""
    path = cache_folder() / f"verdicts-{_VERSION}.sqlite"
    existed = path.exists()
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return existed


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """What SQLite says of a damaged or unusable file, as a :class:`StorageError` that names the cache."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"the verdict cache {path} can't be used: {error}",
            fix="Remove it with `evalharness cache clear` (its verdicts will be paid for again), or add --no-cache.",
        ) from error


def _crc(key: str, text: str) -> int:
    return zlib.crc32(f"{key},{text}".encode())
