"""Ids that come up twice, found in bounded memory while dialogues stream by."""

from __future__ import annotations

from hashlib import blake2b

from evalharness.core.dialogue import Dialogue
from evalharness.data.reading import Origin
from evalharness.data.spool import private_table
from evalharness.data.words import quoted
from evalharness.errors import Problem

_DIGEST_BYTES = 16


class IdRegister:
    """Remembers every id with its place, and counts groups; digests of 16 bytes stand for the texts."""

    def __init__(self) -> None:
        self._table = private_table(
            "CREATE TABLE ids(digest BLOB PRIMARY KEY, source INTEGER, line INTEGER) WITHOUT ROWID"
        )
        self._table.execute("CREATE TABLE groups(digest BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID")
        self._sources: dict[str, int] = {}

    def add(self, dialogue: Dialogue, origin: Origin) -> Problem | None:
        """Register a dialogue; the problem that names both places when its id was used before."""
        source = self._sources.setdefault(origin.source, len(self._sources))
        row = (_digest(dialogue.id), source, origin.line)
        new = self._table.execute("INSERT INTO ids VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount
        if new:
            return None
        return self._collision(dialogue, origin, row[0])

    def add_group(self, name: str) -> None:
        """Count one more member of a group."""
        statement = "INSERT INTO groups VALUES (?, 1) ON CONFLICT DO UPDATE SET size = size + 1"
        self._table.execute(statement, (_digest(name),))

    def groups(self) -> tuple[int, int]:
        """How many groups there are, and the size of the largest."""
        count, largest = self._table.execute("SELECT count(*), max(size) FROM groups").fetchone()
        return count, largest or 0

    def close(self) -> None:
        """Forget everything."""
        self._table.close()

    def _collision(self, dialogue: Dialogue, origin: Origin, digest: bytes) -> Problem:
        source, line = self._table.execute(
            "SELECT source, line FROM ids WHERE digest = ?", (digest,)
        ).fetchone()
        first = f"{list(self._sources)[source]}:{line}"
        if dialogue.id_is_hash:
            message, fix = (
                f"the same dialogue as in {first}, and neither has an id",
                "Give each dialogue an id.",
            )
        else:
            message = f"the id {quoted(dialogue.id)} is used in {first}, too"
            fix = 'Ids must differ (1 and "1" are the same id).'
        return Problem(message, origin.source, origin.line, fix=fix)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
