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


def test_tasks_that_write_side_by_side_share_a_commit_and_wait_for_it(ledger: Ledger):
    commits: list[str] = []
    ledger._db.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)

    async def one(seq: int) -> int:
        number = _begin(ledger, seq)
        before = _stored(ledger, "attempts")
        await ledger.committed()
        assert _stored(ledger, "attempts") == 3
        ledger.end_attempt(number, state="ok", seconds=0.1)
        ledger.put(1, ItemRef(seq, 1), [Score(1.0)])
        await ledger.committed()
        assert _stored(ledger, "outcomes") == 3
        return before

    async def run() -> list[int]:
        with ledger.grouped():
            return await asyncio.gather(*map(one, (1, 2, 3)))

    assert asyncio.run(run()) == [0, 0, 0]
    assert len(commits) == 2


def test_what_is_open_at_the_end_is_committed(ledger: Ledger):
    async def run() -> None:
        with ledger.grouped():
            _begin(ledger)

    asyncio.run(run())
    assert _stored(ledger, "attempts") == 1


def test_a_transaction_commits_what_was_open_and_stays_whole(ledger: Ledger):
    async def run() -> None:
        with ledger.grouped():
            _begin(ledger)
            with pytest.raises(KeyError), ledger.transaction():
                assert _stored(ledger, "attempts") == 1
                ledger.put(1, ItemRef(1, 1), [Score(1.0)])
                raise KeyError
            ledger.put(1, ItemRef(2, 1), [Score(1.0)])

    asyncio.run(run())
    assert _stored(ledger, "outcomes") == 1


def test_outside_every_write_is_committed_at_once(ledger: Ledger):
    _begin(ledger)
    ledger.put(1, ItemRef(1, 1), [Score(1.0)])
    assert (_stored(ledger, "attempts"), _stored(ledger, "outcomes")) == (1, 1)
    asyncio.run(ledger.committed())


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


def test_a_commit_that_fails_stops_all_who_wait_and_all_later_writes(ledger: Ledger):
    async def one(seq: int) -> None:
        _begin(ledger, seq)
        await ledger.committed()
        raise AssertionError("sent without a record")

    async def run() -> list[BaseException | None]:
        with ledger.grouped():
            found = await asyncio.gather(*map(one, (1, 2)), return_exceptions=True)
            with pytest.raises(StorageError):
                _begin(ledger, 3)
        return found

    ledger._db = Refusing(ledger._db)  # type: ignore[assignment]
    found = asyncio.run(run())
    ledger.close()
    assert [type(error) for error in found] == [StorageError, StorageError]
    assert _stored(ledger, "attempts") == 0
