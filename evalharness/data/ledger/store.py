"""Reading and writing the run ledger.

One process at a time holds a ledger open for writing (see ``data.lock``); within it, all calls come from one thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from evalharness.core.canonical import Json, canonical_json
from evalharness.core.dialogue import Dialogue, TurnChoice
from evalharness.core.scores import Column, Result
from evalharness.data.ledger import schema
from evalharness.data.ledger.attempts import Attempts
from evalharness.data.ledger.batches import BatchStore
from evalharness.data.ledger.damage import damaged, database_error, storage_errors
from evalharness.data.ledger.dialogues import Dialogues
from evalharness.data.ledger.grouping import Group
from evalharness.data.ledger.rows import (
    AttemptTotals,
    ItemRef,
    OutcomeRow,
    StoredDialogue,
    decode,
    encode,
    name_text,
    names_check,
    outcome_row,
    read_column,
    sealed,
    stored_turn,
)

__all__ = [
    "AttemptTotals", "ItemRef", "Ledger", "OutcomeRow", "StoredDialogue", "copy_ledger", "decode", "encode",
]  # fmt: skip

_BLOCK = 500


class Ledger(Dialogues, Attempts):
    """The truth about a run. Use as a context manager.

    ``again``: this process is a copy of one that had the file open just now and checks all of it itself.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        self.path = path
        self._unchecked = again
        self._turns: dict[TurnChoice, int] = {}
        self._group: Group | None = None
        self._open(again=again)

    def _open(self, *, again: bool) -> None:
        self._db = schema.connect(self.path, again=again)
        self.batches = BatchStore(self, self._db)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Around copying the process: SQLite forbids to copy an open file."""
        self._db.close()
        try:
            yield
        finally:
            self._open(again=True)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        broken = database_error(error)
        if broken is not None:
            raise damaged(self.path, str(broken)) from error

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are committed together, or none; a full or read-only disk is a StorageError."""
        if self._group is not None:
            self._group.commit()
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def grouped(self) -> Iterator[None]:
        """Inside, in a running event loop, ends of attempts and single outcomes are committed with what follows them.

        See :mod:`evalharness.data.ledger.grouping`. The last of them are committed at the end; a StorageError where
        that fails.
        """
        self._group = group = Group(self._db, self.path, asyncio.get_running_loop())
        try:
            yield
        finally:
            self._group = None
            group.close()

    def then(self, told: Callable[[], None]) -> None:
        """Call this when everything that was written is stored for good: at once but inside :meth:`grouped`."""
        if self._group is None:
            told()
        else:
            self._group.then(told)

    def writing(self) -> AbstractContextManager[None]:
        """Around single writes: a full or read-only disk is a StorageError."""
        return storage_errors(self.path)

    # manifest

    def get(self, key: str) -> Json:
        """The manifest entry, None when there is none."""
        row = self._db.execute("SELECT value FROM manifest WHERE key=?", (key,)).fetchone()
        return None if row is None else json.loads(self.opened(key, row[0]))

    def set(self, key: str, value: Json) -> None:
        """Store a manifest entry."""
        with storage_errors(self.path):
            self._db.execute(
                "INSERT OR REPLACE INTO manifest VALUES (?, ?)", (key, sealed(key, canonical_json(value)))
            )

    def secret(self) -> bytes:
        """The run's secret, made on first use; fence markers are derived from it."""
        stored = self.get("secret")
        if isinstance(stored, str):
            return bytes.fromhex(stored)
        fresh = secrets.token_bytes(32)
        self.set("secret", fresh.hex())
        return fresh

    # scorers and outcomes

    def scorer(self, key: str, columns: Sequence[Column]) -> int:
        """The number under which a scorer's outcomes are stored; ``key`` names it and everything it depends on."""
        row = self._db.execute("SELECT no, columns FROM scorers WHERE key=?", (key,)).fetchone()
        if row is not None:
            self.opened(key, row[1])  # an index that names another row than the table must not pass
            return int(row[0])
        text = canonical_json([asdict(column) for column in columns])
        with storage_errors(self.path):
            cursor = self._db.execute(
                "INSERT INTO scorers (key, columns) VALUES (?, ?)", (key, sealed(key, text))
            )
        return int(cursor.lastrowid or 0)

    def scorers(self) -> dict[int, tuple[Column, ...]]:
        """The columns of every scorer, by its number."""
        rows = self._db.execute("SELECT no, key, columns FROM scorers ORDER BY no")
        return {
            no: tuple(read_column(column) for column in json.loads(self.opened(key, text)))
            for no, key, text in rows
        }

    def scorer_keys(self) -> dict[str, int]:
        """The number of every scorer, by its key."""
        return dict(self._db.execute("SELECT key, no FROM scorers ORDER BY no"))

    def put(self, scorer: int, item: ItemRef, results: Sequence[Result]) -> None:
        """Store one outcome; see :meth:`put_body` for when it is committed."""
        self.put_body(scorer, item, encode(results))

    def put_body(self, scorer: int, item: ItemRef, body: str) -> None:
        """Store one outcome, encoded already. It is committed (or part of the open transaction) when this returns;
        inside :meth:`grouped` soon after (see :meth:`then`)."""
        with self._single():
            self.put_encoded(scorer, [(item.seq, item.turn, body)])

    def put_encoded(self, scorer: int, rows: Iterable[tuple[int, int | None, str]]) -> None:
        """Store many outcomes (dialogue number, turn, encoded results) of one scorer."""
        with storage_errors(self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?)",
                (outcome_row(scorer, seq, turn, body) for seq, turn, body in rows),
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

    def has_failures(self, scorer: int) -> bool:
        """Whether any outcome of the scorer may hold a failure."""
        found = self._db.execute(
            "SELECT 1 FROM outcomes WHERE scorer=? AND instr(body, '\"failed\"') LIMIT 1", (scorer,)
        )
        return found.fetchone() is not None

    def outcomes(self, scorers: Iterable[int] | None = None) -> Iterator[OutcomeRow]:
        """All outcomes by cluster, dialogue id, turn and scorer; damage is a StorageError naming the row."""
        wanted = None if scorers is None else set(scorers)
        cursor = self._db.execute(
            "SELECT d.id, d.cluster, d.system, o.turn, o.scorer, o.body, o.crc, d.seq, d.hash FROM dialogues d "
            "JOIN outcomes o ON o.dialogue = d.seq ORDER BY d.cluster, d.id, o.turn, o.scorer"
        )
        checked, names = None, ("", "", "")
        for dialogue, cluster, system, turn, scorer, body, crc, seq, stored in cursor:
            if seq != checked:
                if not self._unchecked and not _sound_names(dialogue, cluster, system, stored):
                    raise damaged(self.path, f"a name of dialogue number {seq}")
                names = (name_text(dialogue), name_text(cluster), name_text(system))
                checked = seq
            if wanted is not None and scorer not in wanted:
                continue
            if not self._unchecked and crc != schema.checksum(seq, turn, scorer, body):
                raise damaged(self.path, f"the outcome of scorer {scorer} on dialogue {names[0]!r}")
            yield OutcomeRow(*names, None if turn == schema.WHOLE else turn, scorer, decode(body), seq)

    def fingerprint(self, scorers: Iterable[int]) -> str:
        """A hash of all dialogues and of what these scorers said about them; the input's order does not matter."""
        found = hashlib.sha256()
        for (stored,) in self._db.execute("SELECT hash FROM dialogues ORDER BY cluster, id"):
            found.update(str(stored).encode())
        keys = {number: key for key, number in self.scorer_keys().items()}
        wanted = set(scorers) & set(keys)
        rows = self._db.execute(
            "SELECT d.seq, d.hash, o.turn, o.scorer, o.body FROM dialogues d JOIN outcomes o ON o.dialogue = d.seq"
            " ORDER BY d.cluster, d.id, o.turn"
        )
        for _, of_item in groupby(
            rows, key=itemgetter(0, 2)
        ):  # by keys here: SQLite would sort the whole run for it
            said = [[stored, turn, keys[no], body] for _, stored, turn, no, body in of_item if no in wanted]
            for one in sorted(said, key=itemgetter(2)):
                found.update(repr(one).encode("utf-8", "surrogatepass"))
        return found.hexdigest()[:32]

    def forget(self, scorer: int, items: Iterable[ItemRef]) -> None:
        """Remove outcomes so that they are scored anew."""
        with storage_errors(self.path):
            self._db.executemany(
                "DELETE FROM outcomes WHERE dialogue=? AND turn=? AND scorer=?",
                ((item.seq, stored_turn(item.turn), scorer) for item in items),
            )

    def forget_verdicts(self) -> None:
        """Remove the outcomes of all judges."""
        judges = [(no,) for no, columns in self.scorers().items() if any(column.rubric for column in columns)]
        with storage_errors(self.path):
            self._db.executemany("DELETE FROM outcomes WHERE scorer=?", judges)

    def forget_turns(self, chosen: TurnChoice) -> None:
        """Remove the outcomes of turns that this choice leaves out."""
        for block in self.dialogue_blocks(_BLOCK):
            left = [(stored.seq, turn) for stored in block for turn in _left_out(stored.load(), chosen)]
            with storage_errors(self.path):
                self._db.executemany("DELETE FROM outcomes WHERE dialogue=? AND turn=?", left)

    def absorb(self, piece: Ledger) -> None:
        """Copy the dialogues, outcomes and attempts of another ledger (inside a transaction)."""
        offset = int(self._db.execute("SELECT coalesce(max(seq), 0) FROM dialogues").fetchone()[0])
        scorers: dict[int, int] = {}
        for key, number in piece.scorer_keys().items():
            scorers[number] = self.scorer(key, piece.scorers()[number])
        moved: dict[int, int] = {}
        for block in piece.dialogue_blocks(1000):
            for stored in block:
                self.add_dialogue(stored.load(), stored.source, stored.line)
                moved[stored.seq] = offset + len(moved) + 1
        for row in piece._db.execute("SELECT dialogue, turn, scorer, body, crc FROM outcomes"):
            dialogue, turn, scorer, body, crc = row
            if crc != schema.checksum(dialogue, turn, scorer, body):
                raise damaged(piece.path, f"the outcome of scorer {scorer} on dialogue number {dialogue}")
            whole = None if turn == schema.WHOLE else turn
            self.put_encoded(scorers[scorer], [(moved[dialogue], whole, body)])
        columns = "sample, step, request, started, seconds, state, cause, detail, model, input_tokens, "
        columns += "output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, possible, cost"
        marks = ",".join("?" * 19)
        for dialogue, turn, scorer, *rest in piece._db.execute(
            f"SELECT dialogue, turn, scorer, {columns} FROM attempts"  # noqa: S608
        ):
            values = (moved.get(dialogue, 0), turn, scorers[scorer], *rest)
            self._db.execute(
                f"INSERT INTO attempts (dialogue, turn, scorer, {columns}) VALUES ({marks})",  # noqa: S608
                values,
            )

    def opened(self, key: str, text: str) -> str:
        """The text that was sealed under this key; a StorageError where either was changed."""
        content = text[8:]
        if text != sealed(key, content):
            raise damaged(self.path, f"the entry {key!r}")
        return content


def _left_out(dialogue: Dialogue, chosen: TurnChoice) -> set[int]:
    return {*dialogue.assistant_turns(TurnChoice.ALL)} - {*dialogue.assistant_turns(chosen)}


def _sound_names(dialogue: object, cluster: object, system: object, stored: object) -> bool:
    """Whether a dialogue's names are as they were written; a flipped bit may also have turned a text into bytes."""
    texts = (dialogue, cluster, system, stored)
    if not all(isinstance(text, str) for text in texts):
        return False
    return str(stored)[32:] == names_check(str(dialogue), str(cluster), str(system))


def copy_ledger(source: Path, target: Path) -> None:
    """A consistent copy of a ledger, also of one that is being written."""
    address = f"file:{quote(str(source))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    target.chmod(0o600)
