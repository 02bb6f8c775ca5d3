"""Writes that are committed together: nothing goes on before they are stored, and a disk that refuses stops everybody."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evalharness.core.scores import Score
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.errors import StorageError
from tests.engine.fakes import dialogues


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "run.sqlite") as opened:
        for dialogue in dialogues(3):
            opened.add_dialogue(dialogue, "f", 1)
        yield opened


def _stored(ledger: Ledger, table: str) -> int:
    """What another process sees."""
    with closing(sqlite3.connect(ledger.path)) as other:
        return int(other.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _begin(ledger: Ledger, seq: int = 1) -> int:
    return ledger.begin_attempt(1, ItemRef(seq, 1), sample=0, step="verdict", request="r", possible=None)


def _end(ledger: Ledger, number: int, seq: int) -> None:
    ledger.end_attempt(number, state="ok", seconds=0.1)
    ledger.put(1, ItemRef(seq, 1), [Score(1.0)])


def test_an_attempt_is_stored_at_once_with_all_that_came_before(ledger: Ledger):
    commits: list[str] = []
    told: list[int] = []
    ledger._db.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)

    async def run() -> None:
        with ledger.grouped():
            number = _begin(ledger)
            assert _stored(ledger, "attempts") == 1
            _end(ledger, number, 1)
            ledger.then(lambda: told.append(_stored(ledger, "outcomes")))
            assert (_stored(ledger, "outcomes"), told) == (0, [])
            _begin(ledger, 2)
            assert (_stored(ledger, "attempts"), _stored(ledger, "outcomes"), told) == (2, 1, [1])

    asyncio.run(run())
    assert len(commits) == 2


def test_what_nothing_follows_is_stored_when_the_loop_comes_round(ledger: Ledger):
    told: list[int] = []

    async def run() -> None:
        with ledger.grouped():
            _end(ledger, 1, 1)
            _end(ledger, 2, 2)
            ledger.then(lambda: told.append(_stored(ledger, "outcomes")))
            await asyncio.sleep(0)
            assert told == [2]

    asyncio.run(run())


def test_what_is_open_at_the_end_is_committed(ledger: Ledger):
    async def run() -> None:
        with ledger.grouped():
            _end(ledger, 1, 1)

    asyncio.run(run())
    assert _stored(ledger, "outcomes") == 1


def test_a_transaction_commits_what_was_open_and_stays_whole(ledger: Ledger):
    async def run() -> None:
        with ledger.grouped():
            ledger.put(1, ItemRef(3, 1), [Score(1.0)])
            with pytest.raises(KeyError), ledger.transaction():
                assert _stored(ledger, "outcomes") == 1
                ledger.put(1, ItemRef(1, 1), [Score(1.0)])
                raise KeyError
            ledger.put(1, ItemRef(2, 1), [Score(1.0)])

    asyncio.run(run())
    assert _stored(ledger, "outcomes") == 2


def test_outside_every_write_is_committed_at_once(ledger: Ledger):
    _begin(ledger)
    ledger.put(1, ItemRef(1, 1), [Score(1.0)])
    assert (_stored(ledger, "attempts"), _stored(ledger, "outcomes")) == (1, 1)
    told: list[int] = []
    ledger.then(lambda: told.append(1))
    assert told == [1]


class Refusing:
    """A database whose disk is full when it commits."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def execute(self, text: str, *values: object) -> sqlite3.Cursor:
        if text == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(text, *values)


def test_a_commit_that_fails_stops_every_later_write_and_is_raised(ledger: Ledger):
    told: list[int] = []

    async def run() -> None:
        with ledger.grouped():
            ledger.put(1, ItemRef(1, 1), [Score(1.0)])
            ledger.then(lambda: told.append(1))
            with pytest.raises(StorageError, match="full"):
                _begin(ledger)
            with pytest.raises(StorageError, match="full"):
                ledger.put(1, ItemRef(2, 1), [Score(1.0)])

    ledger._db = Refusing(ledger._db)  # type: ignore[assignment]
    with pytest.raises(StorageError, match="full"):
        asyncio.run(run())
    assert told == []
    assert (_stored(ledger, "attempts"), _stored(ledger, "outcomes")) == (0, 0)


def test_a_commit_that_fails_while_nobody_looks_is_raised_at_the_end(ledger: Ledger):
    async def run() -> None:
        with ledger.grouped():
            ledger.put(1, ItemRef(1, 1), [Score(1.0)])
            await asyncio.sleep(0)

    ledger._db = Refusing(ledger._db)  # type: ignore[assignment]
    with pytest.raises(StorageError, match="full"):
        asyncio.run(run())
