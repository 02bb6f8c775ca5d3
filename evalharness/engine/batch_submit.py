"""Submitting batches so that a death at any moment neither loses one nor pays for one twice.

First the batch is written into the ledger, then (where the wire wants it) its requests are uploaded, which costs
nothing. Then the ledger says that the batch is being sent, on disk; then it is sent; then the provider's id is kept. A
process that finds a batch that was being sent looks for it at the provider before anything is asked again.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import BinaryIO, TypeVar

from evalharness.core.scores import Cause
from evalharness.data.ledger.batches import BatchState, RowState, Settled, StoredBatch, WaitingRequest
from evalharness.data.ledger.store import Ledger
from evalharness.engine.asking import Desk, fault_facts
from evalharness.engine.batch_rows import lines_of
from evalharness.engine.batching import Tray, lane_of
from evalharness.engine.progress import Progress
from evalharness.llm.batches import BatchApi, BatchStatus, Phase
from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import ProviderFault
from evalharness.llm.faults import timeout_fault
from evalharness.llm.retry import RetryPolicy

SETTLING = 120.0
"""Seconds after which a batch that the provider's list does not show was never made: lists may lag behind."""
TRANSFER = 3600.0
"""Seconds that an upload or a download may take."""
GONE = (404, 410)
"""Statuses that say that there is no such batch or file."""
_CLOCK_SLACK = 900.0
"""Seconds by which our clock and the provider's may differ."""
_LOG = logging.getLogger("evalharness.engine.batches")

T = TypeVar("T")


async def patiently(
    call: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    seconds: float | None = None,
    again: Callable[[ProviderFault], bool] = lambda fault: fault.retryable,
) -> T:
    """What a call of a batch API gives, after as many attempts as the policy allows; raises the last fault."""
    number = 0
    while True:
        number += 1
        try:
            return await _in_time(call, policy.attempt_timeout if seconds is None else seconds)
        except ProviderFault as fault:
            if number >= policy.attempts or not again(fault):
                raise
            wait = policy.backoff.delay(number) if fault.retry_after is None else fault.retry_after
        await asyncio.sleep(min(wait, policy.attempt_timeout))


async def _in_time(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds) as timeout:
            return await call()
    except TimeoutError:
        if not timeout.expired():
            raise
        raise timeout_fault("no whole answer before the deadline", sent=True) from None


def never_made(fault: ProviderFault) -> bool:
    """Whether a fault of the call that starts a batch leaves no doubt that there is none."""
    if fault.unknown_outcome:
        return False
    return fault.status is None or (fault.status < 500 and fault.status not in (408, 409))


class Submitter:
    """Hands trays in, and finds again what an earlier process was handing in when it died.

    ``stops`` (shared with the collector) gets the fault that keeps a lane from submitting.
    """

    def __init__(self, desk: Desk, progress: Progress, stops: dict[str, ProviderFault]) -> None:
        self._desk = desk
        self._progress = progress
        self._stops = stops
        self._store = desk.ledger.batches

    async def submit(self, tray: Tray) -> None:
        """Make a batch of a tray. What stops it is kept in ``stops``; nothing is raised for a provider's fault."""
        lane, model = lane_of(tray.client), f"{tray.client.backend}:{tray.client.model}"
        number = self._store.plan(tray.marker, lane, model, tray.requests)
        policy, api = self._desk.policy, tray.api
        try:
            uploaded = await patiently(lambda: api.upload(tray.marker, tray.lines), policy, seconds=TRANSFER)
        except ProviderFault as fault:
            self._refused(number, tray, fault)
            return
        self._store.sending(number)
        try:
            status = await patiently(
                lambda: api.create(tray.marker, uploaded, tray.lines),
                policy,
                seconds=TRANSFER,
                again=lambda fault: fault.retryable and never_made(fault),
            )
        except ProviderFault as fault:
            if never_made(fault):
                self._refused(number, tray, fault)
            else:
                self._spend(tray)
                self._progress.note(
                    f"whether a batch of {len(tray.lines):,} requests to {model} arrived is not known "
                    f"({fault.detail}); it is looked for before anything is asked again"
                )
            return
        self._store.running(number, status.id, status.word)
        self._spend(tray)
        self._tell(tray, model, status)

    def _refused(self, number: int, tray: Tray, fault: ProviderFault) -> None:
        self._store.drop(number)
        for request in tray.requests:
            self._desk.budget.settle(request.possible, 0.0)
        self._stops[lane_of(tray.client)] = fault

    def _spend(self, tray: Tray) -> None:
        """From here on the requests count as spent at their most, until their answers say what they cost."""
        for request in tray.requests:
            self._desk.budget.settle(request.possible, None)

    def _tell(self, tray: Tray, model: str, status: BatchStatus) -> None:
        cost = "unpriced" if tray.possible is None else f"at most ${tray.possible:,.4f}"
        self._progress.note(f"batch {status.id}: {len(tray.lines):,} requests submitted to {model} ({cost})")
        facts = {"batch": status.id, "requests": len(tray.lines), "bytes": tray.size, "model": model}
        _LOG.info("batch submitted", extra={"facts": facts})

    async def trace(self, batch: StoredBatch, api: BatchApi) -> bool:
        """Look for a batch that was being sent; whether it is known now that it is there, or that it is not."""
        sent = batch.sent or 0.0
        policy = self._desk.policy
        found = await patiently(lambda: api.listed(sent - _CLOCK_SLACK), policy)
        ours = await (self._by_marker(batch, found) if api.keeps_marker else self._by_rows(batch, api, found))
        if isinstance(ours, BatchStatus):
            self._store.running(batch.no, ours.id, ours.word)
            self._progress.note(f"batch {ours.id}: found again, {batch.requests:,} requests to {batch.model}")
            return True
        if ours or 0.0 <= time.time() - sent < SETTLING:
            return False
        for request in give_back(self._desk.ledger, batch, BatchState.LOST, unknown=False):
            self._desk.budget.correct(request.possible, 0.0)
        self._progress.note(f"a batch of {batch.requests:,} requests to {batch.model} never arrived")
        return True

    async def _by_marker(self, batch: StoredBatch, found: tuple[BatchStatus, ...]) -> BatchStatus | bool:
        return next((status for status in found if status.marker == batch.marker), False)

    async def _by_rows(
        self, batch: StoredBatch, api: BatchApi, found: tuple[BatchStatus, ...]
    ) -> BatchStatus | bool:
        """Where no marker is kept: the batch of that size whose rows carry our ids; True while one may still be it."""
        known = self._store.remotes()
        doubtful = False
        for status in found:
            if status.id in known or status.total != batch.requests:
                continue
            ours = None if status.phase is Phase.RUNNING else await self._carries(status, api, batch.marker)
            if ours:
                return status
            doubtful = doubtful or ours is None
        return doubtful

    async def _carries(self, status: BatchStatus, api: BatchApi, marker: str) -> bool | None:
        """Whether the results are those of a batch of ours; None where no row tells."""
        with tempfile.TemporaryFile() as spool:
            try:
                await download(status, api, spool, self._desk.policy)
            except ProviderFault as fault:
                if fault.status in GONE:
                    return None
                raise
            for line in lines_of(spool):
                try:
                    name = "" if line is None else api.row(line).custom_id
                except MalformedBody:
                    continue
                if name:
                    return name.startswith(f"{marker}-")
        return None


async def download(status: BatchStatus, api: BatchApi, spool: BinaryIO, policy: RetryPolicy) -> None:
    """All files of results one after the other, from the start of ``spool``, which is rewound."""
    spool.seek(0)
    spool.truncate()
    for name in status.files:
        start = spool.tell()

        async def fetch(name: str = name, start: int = start) -> None:
            spool.seek(start)
            spool.truncate()
            await api.download(status.id, name, spool)

        await patiently(fetch, policy, seconds=TRANSFER)
        spool.write(b"\n")
    spool.seek(0)


def give_back(
    ledger: Ledger, batch: StoredBatch, state: BatchState, *, unknown: bool
) -> list[WaitingRequest]:
    """End a batch without results: its requests are to be asked again. ``unknown``: they may have been billed."""
    fault = ProviderFault(
        Cause.INCOMPLETE,
        "the batch was given up" if unknown else "the batch never arrived",
        unknown_outcome=unknown,
    )
    waiting = ledger.batches.waiting(batch.no)
    rows = (
        Settled(
            request, RowState.AGAIN, cause=fault.cause.value, detail=fault.detail, facts=fault_facts(fault)
        )
        for request in waiting.values()
    )
    ledger.batches.end(batch.no, state, rows, detail=fault.detail)
    return list(waiting.values())
