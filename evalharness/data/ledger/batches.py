"""Batches in the ledger: what was handed to a provider's batch API, and what came back for each request.

A batch is written before it is submitted, together with one attempt per request (state ``batched``). Until it is said
to be ``sending`` nothing has left the machine, so a batch that is only ``planned`` can be dropped.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from evalharness.data.ledger.rows import ItemRef, sealed, stored_turn
from evalharness.data.ledger.schema import WHOLE


class BatchState(StrEnum):
    """Where a batch is, as far as this ledger knows.

    ``planned``: nothing was sent that costs money. ``sending``: the call that starts it was or is being made, and its
    outcome is not known. ``running``: it has the provider's id. ``missing``: the provider says that it has no such
    batch. The others have ended: ``collected``, ``failed`` (refused as a whole), ``lost`` (never arrived) and
    ``given_up``.
    """

    PLANNED = "planned"
    SENDING = "sending"
    RUNNING = "running"
    MISSING = "missing"
    COLLECTED = "collected"
    FAILED = "failed"
    LOST = "lost"
    GIVEN_UP = "given_up"


OPEN = (BatchState.PLANNED, BatchState.SENDING, BatchState.RUNNING, BatchState.MISSING)
"""States in which requests of the batch wait for it."""


class RowState(StrEnum):
    """A request of a batch: it waits, was answered, failed for good, is to be asked again; or is over and done with."""

    WAITING = "waiting"
    ANSWERED = "answered"
    FAILED = "failed"
    AGAIN = "again"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request that goes into a batch. ``key`` names what is asked; it can cost ``possible`` (USD) at most."""

    key: str
    scorer: int
    item: ItemRef
    sample: int
    step: str
    request: str
    labels: tuple[str, ...]
    possible: float | None


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch in the ledger.

    ``lane`` names the model with all its options, ``marker`` is ours, ``remote`` the provider's id; ``sent`` in seconds
    since 1970; ``word`` is the provider's status; ``done`` of ``requests`` have a row there.
    """

    no: int
    marker: str
    lane: str
    model: str
    state: BatchState
    remote: str
    requests: int
    done: int
    word: str
    sent: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits for a row; ``place`` is its place in the batch, from 0."""

    no: int
    key: str
    place: int
    attempt: int
    item: ItemRef
    labels: tuple[str, ...]
    possible: float | None


@dataclass(frozen=True, slots=True)
class Settled:
    """How a request ended: its state, the reply (JSON) or cause and detail, and the facts of its attempt."""

    request: WaitingRequest
    state: RowState
    reply: str = ""
    cause: str = ""
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """What the ledger knows of one asking of a key that is not over and done with."""

    state: RowState
    reply: str
    cause: str
    detail: str
    cost: float | None


StateT = TypeVar("StateT", bound=StrEnum)


def _known(kind: type[StateT], text: str) -> StateT:
    """A state as it was written; anything else is damage."""
    try:
        return kind(text)
    except ValueError:
        raise sqlite3.DatabaseError("the state of a batch") from None


def _sealing(number: int, key: str) -> str:
    """What the checksum of a reply covers besides its text."""
    return f"{number},{key}"


class Home(Protocol):
    """What a :class:`BatchStore` needs of the ledger it belongs to."""

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside together or not at all."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """SQLite's errors as those of the ledger."""
        ...

    def opened(self, key: str, text: str) -> str:
        """Sealed text, checked."""
        ...


class BatchStore:
    """The batches of one ledger; all calls come from the ledger's thread."""

    def __init__(self, home: Home, database: sqlite3.Connection) -> None:
        self._home = home
        self._db = database

    def __bool__(self) -> bool:
        """Whether there ever was a batch."""
        return self._db.execute("SELECT 1 FROM batches LIMIT 1").fetchone() is not None

    def plan(self, marker: str, lane: str, model: str, requests: Sequence[NewRequest]) -> int:
        """Write a batch that is about to be submitted, its requests and their attempts; returns its number."""
        now = time.time()
        with self._home.transaction():
            cursor = self._db.execute(
                "INSERT INTO batches (marker, lane, model, state, requests, made) VALUES (?,?,?,?,?,?)",
                (marker, lane, model, BatchState.PLANNED.value, len(requests), now),
            )
            number = int(cursor.lastrowid or 0)
            for place, request in enumerate(requests):
                self._add(number, place, request, now)
        return number

    def _add(self, batch: int, place: int, new: NewRequest, now: float) -> None:
        item = (new.scorer, new.item.seq, stored_turn(new.item.turn))
        step = f"{new.step or 'verdict'}, batch"
        cursor = self._db.execute(
            "INSERT INTO attempts (scorer, dialogue, turn, sample, step, request, started, possible, state) "
            "VALUES (?,?,?,?,?,?,?,?,'batched')",
            (*item, new.sample, step, new.request, now, new.possible),
        )
        labels = "\n".join(new.labels)
        self._db.execute(
            "INSERT INTO batch_requests (batch, place, key, attempt, scorer, dialogue, turn, labels, state) "
            "VALUES (?,?,?,?,?,?,?,?,'waiting')",
            (batch, place, new.key, cursor.lastrowid, *item, labels),
        )

    def sending(self, number: int) -> None:
        """Say that the call that starts the batch is about to be made. On disk, even through a power cut, on return."""
        with self._home.writing():
            self._db.execute("PRAGMA synchronous=FULL")
            try:
                self._set(number, state=BatchState.SENDING, sent=time.time())
            finally:
                self._db.execute("PRAGMA synchronous=NORMAL")

    def running(self, number: int, remote: str, word: str, done: int = 0) -> None:
        """Keep the provider's id of a batch, and how far it is."""
        with self._home.writing():
            self._set(number, state=BatchState.RUNNING, remote=remote, word=word, done=done)

    def missing(self, number: int, detail: str) -> None:
        """The provider does not know the batch; its requests go on waiting until the user decides."""
        with self._home.writing():
            self._set(number, state=BatchState.MISSING, detail=detail)

    def note(self, number: int, detail: str) -> None:
        """Keep what was odd about a batch's results."""
        with self._home.writing():
            self._set(number, detail=detail)

    def drop(self, number: int) -> None:
        """Forget a batch that was never submitted."""
        with self._home.transaction():
            self._db.execute(
                "DELETE FROM attempts WHERE no IN (SELECT attempt FROM batch_requests WHERE batch=?)",
                (number,),
            )
            self._db.execute("DELETE FROM batch_requests WHERE batch=?", (number,))
            self._db.execute("DELETE FROM batches WHERE no=?", (number,))

    def end(self, number: int, state: BatchState, settled: Iterable[Settled], **facts: Any) -> None:
        """Record how each request of a batch ended, and that the batch has; all of it or nothing."""
        with self._home.transaction():
            for row in settled:
                self._settle(row)
            self._set(number, state=state, ended=time.time(), **facts)

    def _settle(self, row: Settled) -> None:
        request = row.request
        self._db.execute(
            "UPDATE batch_requests SET state=?, reply=?, cause=?, detail=? WHERE no=?",
            (
                row.state.value,
                sealed(_sealing(request.no, request.key), row.reply),
                row.cause,
                row.detail,
                request.no,
            ),
        )
        names = ", ".join(f"{name}=?" for name in row.facts)
        self._db.execute(
            f"UPDATE attempts SET {names} WHERE no=?",  # noqa: S608
            (*row.facts.values(), request.attempt),
        )

    def close(self, scorer: int, item: ItemRef) -> None:
        """What was asked for an item is over: it has its outcome. The replies' texts are removed."""
        self._db.execute(
            "UPDATE batch_requests SET state='closed', reply=NULL WHERE scorer=? AND dialogue=? AND turn=? "
            "AND state NOT IN ('waiting', 'closed')",
            (scorer, item.seq, stored_turn(item.turn)),
        )

    def find(self, key: str, only: tuple[int, ItemRef] | None = None) -> list[FoundRow]:
        """Every asking of the key that is not over and done with, the oldest first; ``only`` for this item."""
        query = (
            "SELECT r.no, r.state, r.reply, r.cause, r.detail, a.cost FROM batch_requests r "
            "JOIN attempts a ON a.no = r.attempt WHERE r.key=? AND r.state<>'closed'"
        )
        values: tuple[Any, ...] = (key,)
        if only is not None:
            query += " AND r.scorer=? AND r.dialogue=? AND r.turn=?"
            values = (key, only[0], only[1].seq, stored_turn(only[1].turn))
        rows = self._db.execute(f"{query} ORDER BY r.no", values)
        return [
            FoundRow(
                _known(RowState, state),
                self._home.opened(_sealing(no, key), reply) if reply else "",
                cause or "",
                detail or "",
                cost,
            )
            for no, state, reply, cause, detail, cost in rows
        ]

    def waiting(self, number: int) -> dict[int, WaitingRequest]:
        """The requests of a batch that wait for a row, by their place."""
        rows = self._db.execute(
            "SELECT r.no, r.key, r.place, r.attempt, r.dialogue, r.turn, r.labels, a.possible FROM batch_requests r "
            "JOIN attempts a ON a.no = r.attempt WHERE r.batch=? AND r.state='waiting'",
            (number,),
        )
        return {
            place: WaitingRequest(
                no,
                key,
                place,
                attempt,
                ItemRef(seq, None if turn == WHOLE else turn),
                tuple(labels.split("\n")) if labels else (),
                possible,
            )
            for no, key, place, attempt, seq, turn, labels, possible in rows
        }

    def all(self, states: Sequence[BatchState] = tuple(BatchState)) -> list[StoredBatch]:
        """The batches in these states, in the order in which they were made."""
        rows = self._db.execute(
            "SELECT no, marker, lane, model, state, remote, requests, done, word, sent, detail FROM batches ORDER BY no"
        )
        wanted = {state.value for state in states}
        return [
            StoredBatch(no, marker, lane, model, _known(BatchState, state), *rest)
            for no, marker, lane, model, state, *rest in rows
            if state in wanted or state not in set(BatchState)
        ]

    def remotes(self) -> set[str]:
        """The provider's ids of all batches."""
        return {remote for (remote,) in self._db.execute("SELECT remote FROM batches WHERE remote<>''")}

    def _set(self, number: int, **values: Any) -> None:
        names = ", ".join(f"{name}=?" for name in values)
        plain = [value.value if isinstance(value, StrEnum) else value for value in values.values()]
        self._db.execute(f"UPDATE batches SET {names} WHERE no=?", (*plain, number))  # noqa: S608
