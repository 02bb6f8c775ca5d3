"""A private table on disk for what must be looked up by key or gathered out of order, in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby

_CACHE_KIB = 32 << 10
"""Memory that a table may use before SQLite writes it to a temporary file, which it deletes itself."""


def private_table(schema: str) -> sqlite3.Connection:
    """A temporary database with one schema; gone when it is closed."""
    table = sqlite3.connect("", isolation_level=None)
    table.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    table.execute("PRAGMA journal_mode=OFF")
    table.execute("PRAGMA synchronous=OFF")
    table.execute(schema)
    table.execute("BEGIN")
    return table


class Groups:
    """Rows gathered by key, given back by group in the order in which the groups began."""

    def __init__(self) -> None:
        self._table = private_table(
            "CREATE TABLE rows(begun INTEGER, serial INTEGER, payload BLOB, PRIMARY KEY(begun, serial)) WITHOUT ROWID"
        )
        self._table.execute("CREATE TABLE keys(key BLOB PRIMARY KEY, begun INTEGER) WITHOUT ROWID")
        self._last: tuple[bytes, int] | None = None
        self._serial = 0

    def add(self, key: str, payload: bytes) -> None:
        """Add one row to the group of the key."""
        self._serial += 1
        begun = self._begun(key.encode("utf-8", "surrogatepass"))
        self._table.execute("INSERT INTO rows VALUES (?, ?, ?)", (begun, self._serial, payload))

    def groups(self) -> Iterator[Iterator[bytes]]:
        """The payloads of each group, in the order of :meth:`add`."""
        rows = self._table.execute("SELECT begun, payload FROM rows ORDER BY begun, serial")
        for _, group in groupby(rows, key=lambda row: row[0]):
            yield (payload for _, payload in group)

    def close(self) -> None:
        """Delete the table."""
        self._table.close()

    def _begun(self, key: bytes) -> int:
        if self._last and self._last[0] == key:
            return self._last[1]
        found = self._table.execute("SELECT begun FROM keys WHERE key = ?", (key,)).fetchone()
        if found is None:
            self._table.execute("INSERT INTO keys VALUES (?, ?)", (key, self._serial))
        begun = self._serial if found is None else int(found[0])
        self._last = (key, begun)
        return begun
