"""Judging through batches: answers that came in one are taken from the ledger, what has none is put into the next.

A judge does not notice. It asks as always; where the answer is not there yet it is told to wait (:class:`Waiting`), and
the item is judged again once the batch is in, by the code that judges live answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from evalharness.core.canonical import content_hash
from evalharness.core.scores import Cause
from evalharness.data.ledger.batches import BatchStore, FoundRow, NewRequest, RowState
from evalharness.data.ledger.store import ItemRef
from evalharness.engine.batch_rows import custom_id
from evalharness.engine.budget import Budget
from evalharness.llm import replyjson
from evalharness.llm.batches import BatchApi, BatchClient, BatchLimits
from evalharness.llm.client import Client, ProviderFault, Reply, Request
from evalharness.llm.retry import RetryPolicy

DEFAULT_LIMITS = BatchLimits(requests=10_000, bytes=32_000_000)
"""Our own bound on a batch, far below the providers': it is held in memory, and is lost or refused as a whole."""

ROOM = 1024
"""Bytes of a batch that are kept free for what stands around the requests."""


class Waiting(ProviderFault):
    """The answer to a request is not there yet: it is, or will be, in a batch."""

    def __init__(self) -> None:
        super().__init__(Cause.INCOMPLETE, "waits for a batch")


@dataclass(frozen=True, slots=True)
class Asking:
    """One request of a judge about an item. ``key`` is what the verdict cache would know it by."""

    key: str
    client: Client
    request: Request
    sample: int
    step: str
    scorer: int
    item: ItemRef


@dataclass(slots=True)
class Tray:
    """Requests for one model that are about to become a batch. ``reserved`` is what they can cost together (USD)."""

    marker: str
    client: BatchClient
    api: BatchApi
    lines: list[bytes] = field(default_factory=list)
    requests: list[NewRequest] = field(default_factory=list)
    size: int = 0

    @property
    def possible(self) -> float | None:
        """The most that the requests can cost together (USD); None for an unpriced model."""
        costs = [request.possible for request in self.requests]
        return None if any(c is None for c in costs) else sum(c for c in costs if c is not None)


Submit = Callable[[Tray], Awaitable[None]]


def lane_of(client: Client) -> str:
    """The name under which the ledger knows a model with all its options."""
    return content_hash(dict(client.identity), 32)


def batch_api(client: Client) -> BatchApi | None:
    """The batch API behind a client, if it has one."""
    found: BatchApi | None = getattr(client, "batches", None)
    return found


class Collector:
    """Puts requests into trays, one per model, and has a tray submitted when it is full.

    ``shared``: see :class:`Shelf`. ``stops`` holds, by lane, why nothing more is taken: a limit that is reached, or a
    provider that refuses.
    """

    def __init__(self, budget: Budget, limits: BatchLimits, submit: Submit, *, shared: bool) -> None:
        self.stops: dict[str, ProviderFault] = {}
        self._budget = budget
        self._limits = limits
        self._submit = submit
        self._trays: dict[str, Tray] = {}
        self._shared = shared
        self._taken: set[tuple[object, ...]] = set()

    async def take(self, asking: Asking) -> None:
        """Put a request into the tray of its model, unless it is in one already or the model's lane has stopped.

        Raises ProviderFault (too long) for a request that fits into no batch.
        """
        lane = lane_of(asking.client)
        name = (asking.key,) if self._shared else (asking.key, asking.scorer, asking.item)
        if name in self._taken or lane in self.stops:
            return
        tray = self._tray(lane, asking.client)
        body = tray.client.batch_body(asking.request)
        line = tray.api.line(custom_id(tray.marker, len(tray.lines)), body)
        limit = min(self._limits.bytes, tray.api.limits.bytes)
        if len(line) + ROOM > limit:
            raise ProviderFault(Cause.TOO_LONG, f"the request is longer than a batch may be ({limit} bytes)")
        if tray.size + len(line) + ROOM > limit:
            await self._hand_over(lane)
            await self.take(asking)
            return
        try:
            possible = self._budget.reserve(asking.client, asking.request, batch=True)
        except ProviderFault as fault:
            self.stops[lane] = fault
            return
        self._taken.add(name)
        tray.lines.append(line)
        tray.size += len(line) + 1
        tray.requests.append(_new(asking, possible))
        if len(tray.lines) >= min(self._limits.requests, tray.api.limits.requests):
            await self._hand_over(lane)

    async def finish(self) -> None:
        """Submit what is in the trays."""
        for lane in list(self._trays):
            await self._hand_over(lane)

    def empty(self) -> None:
        """Give up what is in the trays; nothing of it was sent."""
        for tray in self._trays.values():
            for request in tray.requests:
                self._budget.settle(request.possible, 0.0)
        self._trays.clear()

    def _tray(self, lane: str, client: Client) -> Tray:
        if lane not in self._trays:
            api = batch_api(client)
            assert api is not None  # checked before the run began
            self._trays[lane] = Tray(f"eh-{secrets.token_hex(8)}", client, api)  # type: ignore[arg-type]
        return self._trays[lane]

    async def _hand_over(self, lane: str) -> None:
        tray = self._trays.pop(lane)
        if tray.requests:
            await self._submit(tray)


def _new(asking: Asking, possible: float | None) -> NewRequest:
    request = asking.request
    return NewRequest(
        asking.key,
        asking.scorer,
        asking.item,
        asking.sample,
        asking.step,
        request.content_hash()[:32],
        request.labels,
        possible,
    )


@dataclass(slots=True)
class Shelf:
    """What batches have brought, and (with a ``collector``) the way into the next one.

    ``shared``: equal requests of different items are one request, as they are for the verdict cache. ``waiting``
    counts the items that could not be judged yet.
    """

    store: BatchStore
    policy: RetryPolicy
    shared: bool
    collector: Collector | None = None
    waiting: int = 0

    def find(self, asking: Asking) -> tuple[Reply, float | None] | None:
        """The answer to a request and what it cost (USD); None if it is to be asked.

        Raises the fault that the request ended in, or :class:`Waiting`.
        """
        rows = self.store.find(asking.key, None if self.shared else (asking.scorer, asking.item))
        answered = next((row for row in rows if row.state is RowState.ANSWERED), None)
        if answered is not None:
            return replyjson.parse(answered.reply), answered.cost
        if any(row.state is RowState.WAITING for row in rows):
            raise Waiting
        failed = next((row for row in rows if row.state is RowState.FAILED), None) or self._tired(rows)
        if failed is not None:
            raise ProviderFault(Cause(failed.cause), failed.detail)
        return None

    def _tired(self, rows: list[FoundRow]) -> FoundRow | None:
        """The last of so many fruitless askings that there is no other; cancelled ones don't count."""
        tries = [row for row in rows if row.cause != Cause.INCOMPLETE.value]
        broken = [row for row in tries if row.cause == Cause.PROTOCOL.value]
        if len(tries) >= self.policy.attempts or len(broken) > self.policy.protocol_retries:
            return tries[-1]
        return None
