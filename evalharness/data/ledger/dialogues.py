"""The dialogues of a ledger: bringing them in, following a changed input, counting and reading them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, TurnChoice
from evalharness.data.ledger.damage import damaged
from evalharness.data.ledger.rows import (
    METADATA,
    StoredDialogue,
    dialogue_hash,
    digest,
    key_text,
    names_check,
)
from evalharness.errors import InputError, Problem

_BLOCK = 500


class Dialogues:
    """The part of a ledger that keeps dialogues; ``_turns`` are the counts of turns, as far as they were asked for."""

    path: Path
    _db: sqlite3.Connection
    _unchecked: bool
    _turns: dict[TurnChoice, int]

    def add_dialogue(self, dialogue: Dialogue, source: str, line: int) -> None:
        """Store a dialogue; a second one with the same id is an :class:`InputError` that names both places."""
        body = canonical_json(native.to_json(dialogue))
        names = key_text(dialogue.id), key_text(dialogue.cluster), key_text(dialogue.system)
        try:
            self._db.execute(
                "INSERT INTO dialogues (id, cluster, system, source, line, body, hash) VALUES (?,?,?,?,?,?,?)",
                (*names, source, line, body, digest(body) + names_check(*names)),
            )
        except sqlite3.IntegrityError:
            raise self._duplicate(dialogue.id, source, line) from None
        for choice in self._turns:
            self._turns[choice] += len(dialogue.assistant_turns(choice))

    def clear_dialogues(self) -> None:
        """Remove what an ingestion that never finished has left."""
        self._db.execute("DELETE FROM outcomes")
        self._db.execute("DELETE FROM dialogues")
        self._turns = dict.fromkeys(TurnChoice, 0)

    def begin_follow(self) -> None:
        """Start bringing the dialogues in line with a changed input (inside a transaction)."""
        self._db.execute("CREATE TEMP TABLE followed (seq INTEGER PRIMARY KEY)")

    def follow_dialogue(self, dialogue: Dialogue, source: str, line: int) -> None:
        """Keep the dialogue if it is stored unchanged; else store it anew, without its old outcomes."""
        body = canonical_json(native.to_json(dialogue))
        row = self._db.execute(
            "SELECT seq, hash FROM dialogues WHERE id=?", (key_text(dialogue.id),)
        ).fetchone()
        if row is not None:
            try:
                self._db.execute("INSERT INTO followed VALUES (?)", (row[0],))
            except sqlite3.IntegrityError:
                raise self._duplicate(dialogue.id, source, line) from None
            self._db.execute("UPDATE dialogues SET source=?, line=? WHERE seq=?", (source, line, row[0]))
            if row[1] == dialogue_hash(dialogue, body):
                return
            self._replace(row[0], dialogue, body)
            return
        self.add_dialogue(dialogue, source, line)
        self._db.execute(
            "INSERT INTO followed SELECT seq FROM dialogues WHERE id=?", (key_text(dialogue.id),)
        )

    def end_follow(self) -> None:
        """Remove the dialogues that the new input no longer has."""
        self._turns.clear()
        gone = "SELECT seq FROM dialogues EXCEPT SELECT seq FROM followed"
        self._db.execute(f"DELETE FROM outcomes WHERE dialogue IN ({gone})")  # noqa: S608
        self._db.execute(f"DELETE FROM dialogues WHERE seq IN ({gone})")  # noqa: S608
        self._db.execute("DROP TABLE followed")

    def _replace(self, seq: int, dialogue: Dialogue, body: str) -> None:
        self._turns.clear()
        self._db.execute("DELETE FROM outcomes WHERE dialogue=?", (seq,))
        self._db.execute(
            "UPDATE dialogues SET cluster=?, system=?, body=?, hash=? WHERE seq=?",
            (key_text(dialogue.cluster), key_text(dialogue.system), body, dialogue_hash(dialogue, body), seq),
        )

    def stored_hash(self, dialogue_id: str) -> str | None:
        """The content hash of the stored dialogue with this id, None when there is none."""
        row = self._db.execute("SELECT hash FROM dialogues WHERE id=?", (key_text(dialogue_id),)).fetchone()
        return None if row is None else str(row[0])

    def dialogue_hashes(self, numbers: Iterable[int]) -> dict[int, str]:
        """The content hashes of dialogues, by their running numbers."""
        wanted = sorted(numbers)
        marks = ",".join("?" * len(wanted))
        return dict(self._db.execute(f"SELECT seq, hash FROM dialogues WHERE seq IN ({marks})", wanted))  # noqa: S608

    def hash_blocks(self, size: int) -> Iterator[list[tuple[int, str]]]:
        """Running numbers and content hashes of all dialogues in the order they came, at most ``size`` at once."""
        last = 0
        while rows := self._db.execute(
            "SELECT seq, hash FROM dialogues WHERE seq>? ORDER BY seq LIMIT ?", (last, size)
        ).fetchall():
            last = rows[-1][0]
            yield rows

    def dialogue_count(self) -> int:
        """How many dialogues are stored."""
        return int(self._db.execute("SELECT count(*) FROM dialogues").fetchone()[0])

    def group_count(self) -> int:
        """How many groups the dialogues are in, counted along their index, in no memory."""
        clusters = "SELECT cluster FROM dialogues GROUP BY cluster"
        return int(self._db.execute(f"SELECT count(*) FROM ({clusters})").fetchone()[0])  # noqa: S608

    def turn_count(self, choice: TurnChoice) -> int:
        """How many turns there are to score; counted once for what is stored."""
        if choice not in self._turns:
            blocks = self.dialogue_blocks(_BLOCK)
            self._turns[choice] = sum(stored.turns(choice) for block in blocks for stored in block)
        return self._turns[choice]

    def dialogue_blocks(self, size: int) -> Iterator[list[StoredDialogue]]:
        """All dialogues in the order they came, in blocks of at most ``size``; damage is a StorageError."""
        last = 0
        while True:
            rows = self._db.execute(
                "SELECT seq, source, line, body, hash FROM dialogues WHERE seq>? ORDER BY seq LIMIT ?",
                (last, size),
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

    def dialogue_named(self, dialogue_id: str) -> StoredDialogue | None:
        """One stored dialogue by its id, None when there is none."""
        row = self._db.execute(
            "SELECT seq, source, line, body, hash FROM dialogues WHERE id=?", (key_text(dialogue_id),)
        ).fetchone()
        return None if row is None else self._checked(row)

    def find_dialogue(self, seq: int) -> StoredDialogue | None:
        """One stored dialogue by its running number, None when it is gone."""
        found = self._db.execute("SELECT 1 FROM dialogues WHERE seq=?", (seq,)).fetchone()
        return None if found is None else self.dialogue(seq)

    def sorted_dialogues(self) -> Iterator[StoredDialogue]:
        """All dialogues by cluster, then id: an order that does not depend on the order of the input."""
        cursor = self._db.execute("SELECT seq, source, line, body, hash FROM dialogues ORDER BY cluster, id")
        return (self._checked(row) for row in cursor)

    def metadata(self) -> Iterator[Mapping[str, Any]]:
        """The metadata of every dialogue, in no order; empty where it has none. Damage is a StorageError."""
        rows = self._db.execute(
            "SELECT seq, source, line, CASE WHEN instr(body, ?) THEN body END, hash FROM dialogues",
            (METADATA,),
        )
        for row in rows:
            yield {} if row[3] is None else self._checked(row).metadata()

    def _checked(self, row: tuple[int, str, int, str, str]) -> StoredDialogue:
        seq, source, line, body, stored = row
        if self._unchecked:
            return StoredDialogue(seq, source, line, body)
        kinds = (
            isinstance(source, str),
            isinstance(line, int),
            isinstance(body, str),
            isinstance(stored, str),
        )
        if not all(kinds) or stored[:32] != digest(body):  # a flipped bit can turn a text into bytes
            raise damaged(self.path, f"dialogue number {seq} (from {source}:{line})")
        return StoredDialogue(seq, source, line, body)

    def _duplicate(self, dialogue_id: str, source: str, line: int) -> InputError:
        first = self._db.execute(
            "SELECT source, line FROM dialogues WHERE id=?", (key_text(dialogue_id),)
        ).fetchone()
        return InputError(
            Problem(
                f"the id {dialogue_id!r} is already that of {first[0]}:{first[1]}",
                source,
                line,
                fix="Give every dialogue an id of its own (numbers and strings that read alike are equal).",
            )
        )
