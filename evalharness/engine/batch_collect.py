"""Collecting batches: how far they are, and what each of their requests ended in."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from evalharness.core.canonical import canonical_json
from evalharness.core.scores import Cause
from evalharness.data.ledger.batches import BatchState, RowState, Settled, StoredBatch, WaitingRequest
from evalharness.engine.asking import Desk, fault_facts, reply_facts
from evalharness.engine.batch_rows import Reconciler, lines_of
from evalharness.engine.batch_submit import GONE, download, patiently
from evalharness.engine.progress import Progress
from evalharness.llm import replyjson
from evalharness.llm.batches import BatchApi, BatchClient, BatchStatus, Phase, Row
from evalharness.llm.client import ProviderFault, Reply
from evalharness.llm.faults import fault_of_status, protocol_fault

_DOWNLOADS = 3
_LATER = ("token_limit_exceeded", "rate_limit_exceeded")
"""What the provider says of a batch that it would take at another time."""
_LOG = logging.getLogger("evalharness.engine.batches")


class Gatherer:
    """Looks after batches that the provider has.

    ``stops`` gets, by lane, what a batch says about the key, the account or the model; nothing more is submitted then.
    """

    def __init__(self, desk: Desk, progress: Progress, stops: dict[str, ProviderFault]) -> None:
        self._desk = desk
        self._progress = progress
        self._stops = stops
        self._store = desk.ledger.batches

    async def look(self, batch: StoredBatch, client: BatchClient, api: BatchApi) -> bool:
        """Ask how far a batch is and take what it brought; whether it has ended. Raises ProviderFault."""
        try:
            status = await patiently(lambda: api.status(batch.remote), self._desk.policy)
            if status.phase is Phase.RUNNING:
                self._store.running(batch.no, batch.remote, status.word, status.done)
                return False
            if status.phase is Phase.FAILED:
                self._refused(batch, status)
            else:
                await self._collect(batch, status, client, api)
        except ProviderFault as fault:
            if fault.status not in GONE:
                raise
            self._store.missing(batch.no, fault.detail)
            self._progress.note(
                f"batch {batch.remote}: the provider does not have it or its results (removed, or made with another "
                "key or project)"
            )
            return False
        return True

    async def _collect(
        self, batch: StoredBatch, status: BatchStatus, client: BatchClient, api: BatchApi
    ) -> None:
        waiting = self._store.waiting(batch.no)
        with tempfile.TemporaryFile() as spool:
            await self._download(status, api, waiting, spool)
            rows = Reconciler(batch.marker, waiting, api.row)
            costs: dict[int, float | None] = {}
            settled = self._settled(batch, status, client, rows, waiting, spool, costs)
            self._store.end(batch.no, BatchState.COLLECTED, settled, word=status.word, done=status.done)
        for place, cost in costs.items():
            self._desk.budget.correct(waiting[place].possible, cost)
        told = rows.told()
        self._store.note(batch.no, told)
        answered = sum(rows.good.values())
        self._progress.note(
            f"batch {batch.remote}: {status.word}, {answered:,} of {batch.requests:,} answered"
            f"{'; rows ' + told if told else ''}"
        )
        facts = {"batch": batch.remote, "word": status.word, "requests": batch.requests, "answered": answered}
        odd = {"doubled": rows.duplicates, "foreign": rows.unknown, "unreadable": rows.unreadable}
        _LOG.info("batch collected", extra={"facts": {**facts, **odd, "missing": len(rows.missing)}})

    async def _download(
        self,
        status: BatchStatus,
        api: BatchApi,
        waiting: dict[int, WaitingRequest],
        spool: BinaryIO,
    ) -> None:
        """The results in ``spool``; fetched anew where there are fewer rows than the provider counts (a cut answer)."""
        for _ in range(_DOWNLOADS):
            await download(status, api, spool, self._desk.policy)
            lines = sum(1 for _ in lines_of(spool))
            spool.seek(0)
            if lines >= min(status.done, len(waiting)):
                return

    def _settled(
        self,
        batch: StoredBatch,
        status: BatchStatus,
        client: BatchClient,
        rows: Reconciler,
        waiting: dict[int, WaitingRequest],
        spool: BinaryIO,
        costs: dict[int, float | None],
    ) -> Iterator[Settled]:
        """How every request of a batch ended, those without a row last."""
        for place, row in rows.take(lines_of(spool)):
            request = waiting[place]
            answer = client.batch_answer(row, request.labels, self._private(request, row))
            cost = self._cost(client, answer)
            costs[place] = cost
            if isinstance(answer, ProviderFault) and answer.fatal:
                self._stops[batch.lane] = answer
            yield settled(request, answer, cost)
        never = ProviderFault(Cause.INCOMPLETE, f"not run before the batch was {status.word}")
        lost = protocol_fault("the batch's results have no row for it")
        fault = lost if status.whole or rows.unreadable else never
        for place in rows.missing:
            costs[place] = None if fault.unknown_outcome else 0.0
            yield settled(waiting[place], fault, None)

    def _cost(self, client: BatchClient, answer: Reply | ProviderFault) -> float | None:
        if isinstance(answer, Reply):
            return self._desk.budget.prices.cost(client, answer, batch=True)
        return None if answer.unknown_outcome else 0.0

    def _private(self, request: WaitingRequest, row: Row) -> tuple[str, ...]:
        """The texts that an error's detail must not quote."""
        if row.status == 200:
            return ()
        stored = self._desk.ledger.find_dialogue(request.item.seq)
        messages = () if stored is None else stored.load().messages
        return tuple(message.content for message in messages if message.content)

    def _refused(self, batch: StoredBatch, status: BatchStatus) -> None:
        """A batch that failed its validation: nothing was run. Lines at fault fail, the others are asked again."""
        waiting = self._store.waiting(batch.no)
        faults: dict[int | None, ProviderFault] = {}
        for error in status.errors:
            place = None if error.line is None else error.line - 1
            fault = fault_of_status(400, {}, canonical_json({"error": dict(error.error)}).encode())
            faults.setdefault(place if place in waiting else None, fault)
        final = {
            place: f for place, f in faults.items() if place is not None and not f.fatal and not f.retryable
        }
        idle = ProviderFault(Cause.INCOMPLETE, "the batch was refused before anything was run")
        rows = (settled(request, final.get(place, idle), None) for place, request in waiting.items())
        reason = next(iter(faults.values()), idle)
        self._store.end(batch.no, BatchState.FAILED, rows, word=status.word, detail=reason.detail)
        for request in waiting.values():
            self._desk.budget.correct(request.possible, 0.0)
        if len(final) < len(faults) or not faults:
            later = any(error.error.get("code") in _LATER for error in status.errors)
            self._stops[batch.lane] = ProviderFault(
                Cause.RATE_LIMITED if later else reason.cause,
                f"batch {batch.remote} failed its validation: {reason.detail}",
                fatal=not later,
                retryable=later,
            )
        self._progress.note(f"batch {batch.remote}: refused, {reason.detail}; nothing of it was run")


def settled(request: WaitingRequest, answer: Reply | ProviderFault, cost: float | None) -> Settled:
    """How a request ended: answered, failed for good, or to be asked again."""
    if isinstance(answer, Reply):
        facts = {**reply_facts(answer, cost), "cause": None, "detail": None}
        return Settled(request, RowState.ANSWERED, reply=replyjson.dump(answer), facts=facts)
    again = answer.retryable or answer.fatal or answer.cause is Cause.INCOMPLETE
    state = RowState.AGAIN if again else RowState.FAILED
    return Settled(
        request, state, cause=answer.cause.value, detail=answer.detail[:500], facts=fault_facts(answer)
    )
