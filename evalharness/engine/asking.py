"""The way from a judge to its model: verdict cache, one request at a time per content, attempts in the ledger.

An :class:`Asker` serves one item of one judge; what all items share sits in :class:`Desk`, or, where the ledger is in
another process, in a :class:`Counter` that reaches it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from evalharness.core.canonical import Json, content_hash
from evalharness.core.scores import Cause, Result
from evalharness.data.ledger.store import ItemRef, Ledger, decode
from evalharness.engine.answering import Answering
from evalharness.engine.batching import Asking, Shelf, Waiting
from evalharness.engine.budget import Budget
from evalharness.llm import replyjson
from evalharness.llm.client import Client, ProviderFault, Reply, Request
from evalharness.llm.retry import RetryPolicy, attempt_until_done
from evalharness.llm.throttle import Limiter, LimiterPool

_LOG = logging.getLogger("evalharness.engine.attempts")


class AttemptBook(Protocol):
    """Keeps the record of attempts; see :class:`Ledger` for what the arguments mean."""

    def begin_attempt(
        self, scorer: int, item: ItemRef, *, sample: int, step: str, request: str, possible: float | None
    ) -> int:
        """Record an attempt, for good, before it is sent; returns its number."""
        ...

    def end_attempt(self, number: int, **facts: Any) -> None:
        """Record how it ended."""
        ...

    def done(self, scorer: int, first: int, last: int) -> Mapping[ItemRef, str]:
        """The encoded outcomes of a scorer on dialogues ``first`` to ``last``."""
        ...


class Replies(Protocol):
    """Replies that gave a verdict, by key."""

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The reply as JSON, or None."""
        ...

    def put(self, key: str, value: Mapping[str, Json]) -> None:
        """Keep a reply."""
        ...


Place: TypeAlias = tuple[str, str, str]
BookT = TypeVar("BookT", bound=AttemptBook)


@dataclass(slots=True)
class Counter(Generic[BookT]):
    """What all askings of a process share."""

    ledger: BookT
    cache: Replies | None
    limiters: LimiterPool
    policy: RetryPolicy
    budget: Budget
    secret: bytes
    epoch: str = ""
    offline: bool = False
    answering: Answering = field(default_factory=Answering)
    shelf: Shelf | None = None
    cached: dict[int, int] = field(default_factory=dict)
    _locks: dict[str, tuple[asyncio.Lock, int]] = field(default_factory=dict)
    places: dict[Place, tuple[int, int]] = field(default_factory=dict)

    def place(self, scorer: str, rubric: str, criterion: str) -> tuple[int, int] | None:
        """The number of a scorer of the run and the place of a criterion among its columns."""
        return self.places.get((scorer, rubric, criterion))

    def limiter(self, client: Client) -> Limiter:
        """The limiter of the client's provider, endpoint and model."""
        return self.limiters.of(client)

    async def alone(self, key: str) -> _Alone:
        """Wait until nobody else asks for the same key, so that equal requests are paid once."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        await lock.acquire()
        return _Alone(self, key)

    def leave(self, key: str) -> None:
        """Let the next one ask."""
        lock, users = self._locks[key]
        lock.release()
        if users == 1:
            del self._locks[key]
        else:
            self._locks[key] = (lock, users - 1)


class Desk(Counter[Ledger]):
    """What all askings of a run share in the process that holds the ledger."""

    __slots__ = ()

    def place(self, scorer: str, rubric: str, criterion: str) -> tuple[int, int] | None:
        """The number of a scorer of the run and the place of a criterion among its columns."""
        if not self.places:
            self.places.update(places_of(self.ledger))
        return Counter.place(self, scorer, rubric, criterion)


def places_of(ledger: Ledger) -> dict[Place, tuple[int, int]]:
    """For each column of the run (scorer, rubric, criterion) the scorer's number and the place among its columns."""
    planned = ledger.get("scorer_numbers")
    columns = ledger.scorers()
    wanted = [int(str(n)) for n in planned] if isinstance(planned, list) else list(columns)
    return {
        (column.scorer, column.rubric, column.criterion): (number, at)
        for number in wanted
        for at, column in enumerate(columns[number])
    }


@dataclass(frozen=True, slots=True)
class _Alone:
    desk: Counter[Any]
    key: str

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.desk.leave(self.key)


def cache_key(client: Client, request: Request, sample: int, epoch: str) -> str:
    """What a cached reply depends on: the model's identity, everything that is sent, sample number and epoch."""
    return content_hash([dict(client.identity), request.content_hash(), sample, epoch], 64)


@dataclass(slots=True)
class Asker:
    """How one judge asks about one item; implements ``judges.interface.Ask``.

    ``before_sending`` is called before each attempt; ``sent`` tells whether there was one.
    """

    desk: Counter[Any]
    scorer: int
    item: ItemRef
    cost: float | None = 0.0
    fatal: ProviderFault | None = None
    before_sending: Callable[[], None] | None = None
    sent: bool = False
    _hits: set[str] = field(default_factory=set)
    _unkept: set[str] = field(default_factory=set)
    _models: dict[str, str] = field(default_factory=dict)
    _last: tuple[Request, Client, int, str] | None = None
    waiting: bool = False

    @property
    def from_cache(self) -> int:
        """How many different replies came from the cache."""
        return len(self._hits)

    @property
    def lasting(self) -> bool:
        """Whether there was anything to ask, and every reply is in the verdict cache now."""
        return bool(self._models) and not self._unkept

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have answered, as providers name them."""
        return tuple(sorted(set(self._models.values())))

    @property
    def replies(self) -> int:
        """How many different replies there were."""
        return len(self._models)

    @property
    def secret(self) -> bytes:
        """The run's secret."""
        return self.desk.secret

    @property
    def earlier(self) -> Sequence[Result]:
        """What the ledger holds of this judge on the item, before it is asked again."""
        body = self.desk.ledger.done(self.scorer, self.item.seq, self.item.seq).get(self.item)
        return () if body is None else decode(body)

    async def __call__(self, client: Client, request: Request, *, sample: int = 0, step: str = "") -> Reply:
        """The reply, from the cache, a batch, or after as many attempts as the policy allows.

        Raises :class:`~evalharness.engine.batching.Waiting` for one that a batch will bring.
        """
        key = self._key(client, request, sample)
        with await self.desk.alone(key):
            hit = self._cached(key)
            if hit is not None:
                return hit
            self._unkept.add(key)
            if self.desk.shelf is not None:
                batched = await self._batched(self.desk.shelf, key, client, request, sample, step)
                if batched is not None:
                    self._models[key] = batched.model
                    return batched
            if self.desk.offline and client.endpoint:
                self.fatal = ProviderFault(
                    Cause.CONNECTION, "offline: the verdict is not in the cache", fatal=True
                )
                raise self.fatal
            log = _Attempts(self, client, request, sample, step)
            try:
                reply = await attempt_until_done(
                    client, request, policy=self.desk.policy, log=log, limiter=self.desk.limiter(client)
                )
            except ProviderFault as fault:
                if fault.fatal:
                    self.fatal = fault
                raise
            if log.moved is not None:
                self.fatal = log.moved
                self.desk.limiter(client).end(self.fatal)
                raise self.fatal
            self._models[key] = reply.model
            return reply

    async def _batched(
        self, shelf: Shelf, key: str, client: Client, request: Request, sample: int, step: str
    ) -> Reply | None:
        """The reply that came in a batch; None if the request is to be sent by itself."""
        asking = Asking(key, client, request, sample, step, self.scorer, self.item)
        try:
            found = shelf.find(asking)
            if found is None and shelf.collector is not None:
                await shelf.collector.take(asking)
                raise Waiting
        except Waiting:
            self.waiting = True
            raise
        if found is None:
            return None
        reply, cost = found
        self._add_cost(cost)
        if self.desk.answering.is_another(self.scorer, reply.model):
            self.fatal = self.desk.answering.fault(self.scorer, client, reply)
            raise self.fatal
        return reply

    def _add_cost(self, cost: float | None) -> None:
        if self.cost is not None:
            self.cost = None if cost is None else self.cost + cost

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        """Put a reply that gave a verdict into the cache, unless it came from there."""
        if self.desk.cache is None:
            return
        key = self._key(client, request, sample)
        if key not in self._hits:
            self.desk.cache.put(key, replyjson.to_json(reply))
            self._unkept.discard(key)

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:
        """What another scorer of the run said about the item; None where it said nothing."""
        place = self.desk.place(scorer, rubric, criterion)
        if place is None:
            return None
        body = self.desk.ledger.done(place[0], self.item.seq, self.item.seq).get(self.item)
        return None if body is None else decode(body)[place[1]]

    def _key(self, client: Client, request: Request, sample: int) -> str:
        """The cache key; asking and keeping need the same one."""
        last = self._last
        if last is None or last[0] is not request or last[1] is not client or last[2] != sample:
            key = cache_key(client, request, sample, self.desk.epoch)
            last = self._last = (request, client, sample, key)
        return last[3]

    def _cached(self, key: str) -> Reply | None:
        row = None if self.desk.cache is None else self.desk.cache.get(key)
        if row is None:
            return None
        try:
            reply = replyjson.from_json(row)
        except (KeyError, TypeError, ValueError):
            return None
        if self.desk.answering.is_another(self.scorer, reply.model):
            return None
        self._hits.add(key)
        self._models[key] = reply.model
        self.desk.cached[self.scorer] = self.desk.cached.get(self.scorer, 0) + 1
        return reply


@dataclass(slots=True)
class _Attempts:
    """Writes every attempt into the ledger: before it is sent, and how it ended."""

    asker: Asker
    client: Client
    request: Request
    sample: int
    step: str
    moved: ProviderFault | None = None
    _open: dict[int, tuple[float, float | None]] = field(default_factory=dict)

    async def ready(self) -> None:
        await self.asker.desk.budget.room(self.client, self.request)

    def begin(self, number: int) -> int:
        asker = self.asker
        asker.sent = True
        if asker.before_sending is not None:
            asker.before_sending()
        reserved = asker.desk.budget.reserve(self.client, self.request)
        step = self.step or "verdict"
        token: int = asker.desk.ledger.begin_attempt(
            asker.scorer,
            asker.item,
            sample=self.sample,
            step=step if number == 1 else f"{step}, attempt {number}",
            request=self.request.content_hash()[:32],
            possible=reserved,
        )
        asker.desk.budget.live += 1
        self._open[token] = (time.monotonic(), reserved)
        return token

    def end(self, token: int, outcome: Reply | ProviderFault) -> None:
        facts = self._reply(outcome) if isinstance(outcome, Reply) else fault_facts(outcome)
        started, reserved = self._open.pop(token)
        cost = facts["cost"]
        assert cost is None or isinstance(cost, float)
        self.asker.desk.budget.live -= 1
        self.asker.desk.budget.settle(reserved, cost)
        seconds = time.monotonic() - started
        self.asker.desk.ledger.end_attempt(token, seconds=seconds, **facts)
        if _LOG.isEnabledFor(logging.INFO):
            self._tell(token, {**facts, "seconds": round(seconds, 3)})

    def _tell(self, token: int, facts: Mapping[str, Json]) -> None:
        """One structured line for the log: numbers and names, nothing of what was asked or answered."""
        item, lane = self.asker.item, self.asker.desk.limiter(self.client)
        place = {"attempt": token, "scorer": self.asker.scorer, "dialogue_no": item.seq, "turn": item.turn}
        load = {"in_flight": lane.in_flight, "limit": lane.limit, "lane": lane.state}
        known = {name: value for name, value in facts.items() if value is not None}
        _LOG.info("attempt ended", extra={"facts": {**place, **known, **load}})

    def _reply(self, reply: Reply) -> Mapping[str, Json]:
        cost = self.asker.desk.budget.prices.cost(self.client, reply)
        self.asker._add_cost(cost)
        return {**reply_facts(reply, cost), **self._another(reply)}

    def _another(self, reply: Reply) -> Mapping[str, Json]:
        """What makes an answer of a model that may not answer a fault, which was paid all the same."""
        answering = self.asker.desk.answering
        if not answering.is_another(self.asker.scorer, reply.model):
            return {}
        self.moved = answering.fault(self.asker.scorer, self.client, reply)
        return {"state": "fault", "cause": self.moved.cause.value, "detail": self.moved.detail[:500]}


def reply_facts(reply: Reply, cost: float | None) -> dict[str, Json]:
    """What the ledger keeps of an attempt that was answered."""
    usage = reply.usage
    return {
        "state": "ok",
        "model": reply.model,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost": cost,
    }


def fault_facts(fault: ProviderFault) -> dict[str, Json]:
    """What the ledger keeps of an attempt that was not."""
    return {
        "state": "unknown" if fault.unknown_outcome else "fault",
        "cause": fault.cause.value,
        "detail": fault.detail[:500],
        "cost": None if fault.unknown_outcome else 0.0,
    }
