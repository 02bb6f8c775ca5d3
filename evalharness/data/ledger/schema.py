"""The ledger's tables and their version.

Version history: 1 first release; 2 batches. Older ledgers get the tables that they lack when they are opened.

SQLite in WAL mode with ``synchronous=NORMAL``: a committed row survives the death of the process at any moment; after
a power cut the newest commits may be missing, never torn. Every stored text carries a CRC-32 over its key and content,
so that damage is found instead of becoming a score.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from evalharness.errors import RunConflictError, StorageError

VERSION = 2
QUICK_CHECK_BYTES = 64 << 20
"""Ledgers up to this size have their structure checked when they are opened (some hundredths of a second). Of larger
ones every row that is read is checked, and the number of dialogues."""

WAL_PAGES = 4000
"""Pages (of 4 KiB) after which the log is copied into the file: that waits for the disk, and requests wait with it."""

_HEADER_BYTES = 100

WHOLE = -1
"""The turn under which outcomes of a whole dialogue are stored."""

_TABLES = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dialogues (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    cluster TEXT NOT NULL,
    system TEXT NOT NULL,
    source TEXT NOT NULL,
    line INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX dialogues_by_cluster ON dialogues (cluster, id);
CREATE TABLE scorers (no INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, columns TEXT NOT NULL);
CREATE TABLE outcomes (
    dialogue INTEGER NOT NULL REFERENCES dialogues (seq),
    turn INTEGER NOT NULL,
    scorer INTEGER NOT NULL REFERENCES scorers (no),
    body TEXT NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (dialogue, turn, scorer)
) WITHOUT ROWID;
CREATE TABLE attempts (
    no INTEGER PRIMARY KEY,
    scorer INTEGER NOT NULL,
    dialogue INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    sample INTEGER NOT NULL,
    step TEXT NOT NULL,
    request TEXT NOT NULL,
    started REAL NOT NULL,
    seconds REAL,
    state TEXT NOT NULL,
    cause TEXT,
    detail TEXT,
    model TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    possible REAL,
    cost REAL
);
CREATE INDEX attempts_by_scorer ON attempts (scorer, state);
"""
_BATCH_TABLES = """
CREATE TABLE batches (
    no INTEGER PRIMARY KEY,
    marker TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    remote TEXT NOT NULL DEFAULT '',
    requests INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    word TEXT NOT NULL DEFAULT '',
    made REAL NOT NULL,
    sent REAL,
    ended REAL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE batch_requests (
    no INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches (no),
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempts (no),
    scorer INTEGER NOT NULL,
    dialogue INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    labels TEXT NOT NULL,
    state TEXT NOT NULL,
    reply TEXT,
    cause TEXT,
    detail TEXT,
    UNIQUE (batch, place)
);
CREATE INDEX batch_requests_by_key ON batch_requests (key);
CREATE INDEX batch_requests_by_item ON batch_requests (scorer, dialogue, turn);
"""
_PARTS = {1: _TABLES, 2: _BATCH_TABLES}
"""What each version added."""


def connect(path: Path, *, again: bool = False) -> sqlite3.Connection:
    """Open or create the ledger at ``path``; the file is private to the user. ``again``: it was open just now, and its
    structure need not be checked.

    A file of a newer version is a :class:`RunConflictError`, one that is no ledger or damaged a
    :class:`StorageError`.
    """
    with _disk_errors(path):
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        with _disk_errors(path):
            _prepare(connection, path, again=again)
    except BaseException:
        connection.close()
        raise
    return connection


def is_ledger(path: Path) -> bool:
    """Whether a file's first bytes say that it is a ledger, which may be damaged or of another version.

    The header is SQLite's (https://www.sqlite.org/fileformat.html): its name, and at byte 60 the version that we set.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    return head.startswith(b"SQLite format 3\0") and head[60:64] > bytes(4)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Tell a disk that refuses from a file that is no ledger."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(
            f"can't use the ledger {path}: {reason}",
            fix="See that the disk has room, can be written and is sound, then run the same command again.",
        ) from error
    except (
        sqlite3.DatabaseError,
        UnicodeDecodeError,
    ) as error:  # the second: a damaged name in SQLite's own message
        raise StorageError(
            f"{path} is not a readable ledger: {error}", fix="Restore it or remove it."
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path, *, again: bool) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    connection.execute("PRAGMA temp_store=MEMORY")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and not again and (broken := _broken(connection, path)):
        raise StorageError(
            f"{path} is damaged: {broken}", fix="Restore the run folder from a copy, or start a new one."
        )
    if (version == 0 and tables == 0) or 0 < version < VERSION:
        _bring_up_to_date(connection)
    elif version > VERSION:
        raise RunConflictError(
            f"{path} was written by a newer evalharness (ledger version {version}, this one reads {VERSION})",
            fix="Update evalharness, or use another run folder.",
        )
    elif version != VERSION:
        raise StorageError(
            f"{path} is an SQLite file but no evalharness ledger", fix="Use another run folder."
        )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Add what later versions added, unless another process has just done so."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number in range(version + 1, VERSION + 1):
            for statement in _PARTS[number].split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _broken(connection: sqlite3.Connection, path: Path) -> str:
    """What is wrong with the structure of a ledger; empty where nothing is found.

    A flipped bit in the text of the schema can change what a column is without breaking the file's structure, so the
    schema is compared with what it should be.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version in _PARTS and _schema(connection) != _wanted_schema(version):
        return "its tables are not those of a ledger"
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return ""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return "" if found == "ok" else " ".join(str(found).split())


def _schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return sorted(
        map(tuple, connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"))
    )


@cache
def _wanted_schema(version: int) -> list[tuple[str, ...]]:
    """The schema of an empty ledger of that version."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for number in range(1, version + 1):
            connection.executescript(_PARTS[number])
        return _schema(connection)


def checksum(dialogue: int, turn: int, scorer: int, body: str) -> int:
    """CRC-32 of an outcome together with its key, so that a row moved to another key is found too."""
    return zlib.crc32(f"{dialogue},{turn},{scorer},{body}".encode())
