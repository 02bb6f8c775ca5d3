"""Reading and writing the run ledger.

One process at a time holds a ledger open for writing (see ``data.lock``); within it, all calls come from one thread.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from evalharness.core import native, scorejson
from evalharness.core.canonical import Json, canonical_json, sha256_text
from evalharness.core.dialogue import Dialogue, Unit
from evalharness.core.scores import Column, Result
from evalharness.data.ledger import schema
from evalharness.errors import InputError, Problem, StorageError


@dataclass(frozen=True, slots=True)
class StoredDialogue:
    """A dialogue in the ledger: its running number, where it came from, and its canonical native JSON."""

    seq: int
    source: str
    line: int
    body: str

    def load(self) -> Dialogue:
        """The dialogue itself."""
        return native.from_json(json.loads(self.body))


@dataclass(frozen=True, slots=True)
class ItemRef:
    """Names an item of a dialogue in the ledger; ``turn`` is None for the whole dialogue."""

    seq: int
    turn: int | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The results of one scorer on one item, one per column of the scorer."""

    dialogue: str
    cluster: str
    system: str
    turn: int | None
    scorer: int
    results: tuple[Result, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """Attempts of one scorer in one state, summed. ``cost`` is None if any of them is unpriced."""

    scorer: int
    state: str
    cause: str | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: float | None
    seconds: float


class Ledger:
    """The truth about a run. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = schema.connect(path)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are committed together, or none; a full or read-only disk is a StorageError."""
        with _storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # manifest

    def get(self, key: str) -> Json:
        """The manifest entry, None when there is none."""
        row = self._db.execute("SELECT value FROM manifest WHERE key=?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, key: str, value: Json) -> None:
        """Store a manifest entry."""
        with _storage_errors(self.path):
            self._db.execute("INSERT OR REPLACE INTO manifest VALUES (?, ?)", (key, canonical_json(value)))

    def secret(self) -> bytes:
        """The run's secret, made on first use; fence markers are derived from it."""
        stored = self.get("secret")
        if isinstance(stored, str):
            return bytes.fromhex(stored)
        fresh = secrets.token_bytes(32)
        self.set("secret", fresh.hex())
        return fresh

    # dialogues

    def add_dialogue(self, dialogue: Dialogue, source: str, line: int) -> None:
        """Store a dialogue; a second one with the same id is an :class:`InputError` that names both places."""
        body = canonical_json(native.to_json(dialogue))
        try:
            self._db.execute(
                "INSERT INTO dialogues (id, cluster, system, source, line, body, hash) VALUES (?,?,?,?,?,?,?)",
                (_key(dialogue.id), _key(dialogue.cluster), _key(dialogue.system), source, line, body, _digest(body)),
            )
        except sqlite3.IntegrityError:
            raise self._duplicate(dialogue.id, source, line) from None

    def stored_hash(self, dialogue_id: str) -> str | None:
        """The content hash of the stored dialogue with this id, None when there is none."""
        row = self._db.execute("SELECT hash FROM dialogues WHERE id=?", (_key(dialogue_id),)).fetchone()
        return None if row is None else str(row[0])

    def dialogue_count(self) -> int:
        """How many dialogues are stored."""
        return int(self._db.execute("SELECT count(*) FROM dialogues").fetchone()[0])

    def dialogue_blocks(self, size: int) -> Iterator[list[StoredDialogue]]:
        """All dialogues in the order they came, in blocks of at most ``size``; damage is a StorageError."""
        last = 0
        while True:
            rows = self._db.execute(
                "SELECT seq, source, line, body, hash FROM dialogues WHERE seq>? ORDER BY seq LIMIT ?", (last, size)
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [self._checked(row) for row in rows]

    def dialogue(self, seq: int) -> StoredDialogue:
        """One stored dialogue by its running number."""
        row = self._db.execute(
            "SELECT seq, source, line, body, hash FROM dialogues WHERE seq=?", (seq,)
        ).fetchone()
        return self._checked(row)

    def sorted_dialogues(self) -> Iterator[StoredDialogue]:
        """All dialogues by cluster, then id: an order that does not depend on the order of the input."""
        cursor = self._db.execute("SELECT seq, source, line, body, hash FROM dialogues ORDER BY cluster, id")
        return (self._checked(row) for row in cursor)

    # scorers and outcomes

    def scorer(self, key: str, columns: Sequence[Column]) -> int:
        """The number under which a scorer's outcomes are stored; ``key`` names it and everything it depends on."""
        row = self._db.execute("SELECT no FROM scorers WHERE key=?", (key,)).fetchone()
        if row is not None:
            return int(row[0])
        text = canonical_json([asdict(column) for column in columns])
        with _storage_errors(self.path):
            cursor = self._db.execute("INSERT INTO scorers (key, columns) VALUES (?, ?)", (key, text))
        return int(cursor.lastrowid or 0)

    def scorers(self) -> dict[int, tuple[Column, ...]]:
        """The columns of every scorer, by its number."""
        rows = self._db.execute("SELECT no, columns FROM scorers ORDER BY no")
        return {no: tuple(_column(column) for column in json.loads(text)) for no, text in rows}

    def scorer_keys(self) -> dict[str, int]:
        """The number of every scorer, by its key."""
        return dict(self._db.execute("SELECT key, no FROM scorers ORDER BY no"))

    def put(self, scorer: int, item: ItemRef, results: Sequence[Result]) -> None:
        """Store one outcome; it is committed (or part of the open transaction) when this returns."""
        self.put_encoded(scorer, [(item.seq, item.turn, encode(results))])

    def put_encoded(self, scorer: int, rows: Iterable[tuple[int, int | None, str]]) -> None:
        """Store many outcomes (dialogue number, turn, encoded results) of one scorer."""
        with _storage_errors(self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?)",
                (_outcome_row(scorer, seq, turn, body) for seq, turn, body in rows),
            )

    def done(self, scorer: int, first: int, last: int) -> dict[ItemRef, str]:
        """The encoded results of the scorer on items of dialogues ``first`` to ``last``, by item."""
        rows = self._db.execute(
            "SELECT dialogue, turn, body FROM outcomes WHERE scorer=? AND dialogue BETWEEN ? AND ?",
            (scorer, first, last),
        )
        return {ItemRef(seq, None if turn == schema.WHOLE else turn): body for seq, turn, body in rows}

    def outcome_count(self, scorer: int) -> int:
        """How many items have an outcome of the scorer."""
        return int(self._db.execute("SELECT count(*) FROM outcomes WHERE scorer=?", (scorer,)).fetchone()[0])

    def outcomes(self, scorers: Iterable[int] | None = None) -> Iterator[OutcomeRow]:
        """All outcomes by cluster, dialogue id, turn and scorer; damage is a StorageError naming the row."""
        wanted = None if scorers is None else set(scorers)
        cursor = self._db.execute(
            "SELECT d.id, d.cluster, d.system, o.turn, o.scorer, o.body, o.crc, d.seq FROM dialogues d "
            "JOIN outcomes o ON o.dialogue = d.seq ORDER BY d.cluster, d.id, o.turn, o.scorer"
        )
        for dialogue, cluster, system, turn, scorer, body, crc, seq in cursor:
            if wanted is not None and scorer not in wanted:
                continue
            if crc != schema.checksum(seq, turn, scorer, body):
                raise _damaged(self.path, f"the outcome of scorer {scorer} on dialogue {_name(dialogue)!r}")
            number = None if turn == schema.WHOLE else turn
            yield OutcomeRow(_name(dialogue), _name(cluster), _name(system), number, scorer, decode(body), seq)

    def forget(self, scorer: int, items: Iterable[ItemRef]) -> None:
        """Remove outcomes so that they are scored anew."""
        with _storage_errors(self.path):
            self._db.executemany(
                "DELETE FROM outcomes WHERE dialogue=? AND turn=? AND scorer=?",
                ((item.seq, _stored_turn(item.turn), scorer) for item in items),
            )

    # attempts

    def begin_attempt(self, scorer: int, item: ItemRef, sample: int, step: str, request: str) -> int:
        """Record an attempt before it is sent; returns its number."""
        with _storage_errors(self.path):
            cursor = self._db.execute(
                "INSERT INTO attempts (scorer, dialogue, turn, sample, step, request, started, state) "
                "VALUES (?,?,?,?,?,?,?,'sent')",
                (scorer, item.seq, _stored_turn(item.turn), sample, step, request, time.time()),
            )
        return int(cursor.lastrowid or 0)

    def end_attempt(self, number: int, **facts: Any) -> None:
        """Record how an attempt ended: ``state`` (``ok``, ``fault``, ``unknown``), tokens, cost, seconds, cause."""
        names = ", ".join(f"{name}=?" for name in facts)
        with _storage_errors(self.path):
            self._db.execute(f"UPDATE attempts SET {names} WHERE no=?", (*facts.values(), number))  # noqa: S608

    def attempt_totals(self) -> list[AttemptTotals]:
        """Attempts summed by scorer, state and cause. State ``sent`` means that the process died meanwhile."""
        rows = self._db.execute(
            "SELECT scorer, state, cause, count(*), coalesce(sum(input_tokens),0), coalesce(sum(output_tokens),0),"
            " coalesce(sum(cached_tokens),0), coalesce(sum(cache_write_tokens),0), coalesce(sum(reasoning_tokens),0),"
            " CASE WHEN count(cost)=count(*) THEN sum(cost) END, coalesce(sum(seconds),0)"
            " FROM attempts GROUP BY scorer, state, cause ORDER BY scorer, state, cause"
        )
        return [AttemptTotals(*row) for row in rows]

    def _checked(self, row: tuple[int, str, int, str, str]) -> StoredDialogue:
        seq, source, line, body, digest = row
        if digest != _digest(body):
            raise _damaged(self.path, f"dialogue number {seq} (from {source}:{line})")
        return StoredDialogue(seq, source, line, body)

    def _duplicate(self, dialogue_id: str, source: str, line: int) -> InputError:
        first = self._db.execute(
            "SELECT source, line FROM dialogues WHERE id=?", (_key(dialogue_id),)
        ).fetchone()
        return InputError(
            Problem(
                f"the id {dialogue_id!r} is already that of {first[0]}:{first[1]}",
                source,
                line,
                fix="Give every dialogue an id of its own (numbers and strings that read alike are equal).",
            )
        )


def encode(results: Sequence[Result]) -> str:
    """Results as the text that the ledger stores."""
    return json.dumps([scorejson.to_json(result) for result in results], allow_nan=False, separators=(",", ":"))


def decode(body: str) -> tuple[Result, ...]:
    """The results that :func:`encode` wrote."""
    return tuple(scorejson.from_json(row) for row in json.loads(body))


def _column(row: dict[str, Any]) -> Column:
    return Column(**{**row, "unit": Unit(row["unit"]), "levels": tuple(row["levels"])})


def _outcome_row(scorer: int, seq: int, turn: int | None, body: str) -> tuple[int, int, int, str, int]:
    stored = _stored_turn(turn)
    return seq, stored, scorer, body, schema.checksum(seq, stored, scorer, body)


def _stored_turn(turn: int | None) -> int:
    return schema.WHOLE if turn is None else turn


def _digest(body: str) -> str:
    return sha256_text(body)[:32]


def _key(text: str) -> str:
    """Text as SQLite can hold and compare it: NUL and lone surrogates, which it can't, become escapes."""
    return text.encode("unicode_escape").decode("ascii") if _odd(text) else text.replace("\\", "\\\\")


def _name(stored: str) -> str:
    return stored.encode("ascii").decode("unicode_escape") if _escaped(stored) else stored.replace("\\\\", "\\")


def _odd(text: str) -> bool:
    return "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)


def _escaped(stored: str) -> bool:
    return "\\" in stored.replace("\\\\", "")


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"can't write {path}: {error}", fix="Free some space or mend the folder, then run the same command again."
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> StorageError:
    return StorageError(f"{path} is damaged: {what}", fix="Restore the run folder from a copy, or start a new one.")
