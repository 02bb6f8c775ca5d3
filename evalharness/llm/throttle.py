"""One limiter per back-end, endpoint and model, shared by all judges of a run: who may send, and when.

It joins an adaptive limit of requests in flight, budgets of requests and tokens per minute, pauses that the provider
asks for, a circuit breaker, and the end of the lane when nothing can work (key, quota, model name). Waiting calls are
served in the order they came.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from evalharness.llm.breaker import Breaker
from evalharness.llm.client import Client, ProviderFault, Reply
from evalharness.llm.clock import SYSTEM_CLOCK, Clock
from evalharness.llm.faults import same_fault
from evalharness.llm.pace import AdaptiveLimit, Pace


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a lane.

    ``rpm`` and ``tpm`` are requests and tokens per minute; ``max_wait`` caps a pause that the provider asks for;
    after ``patience`` seconds without a single answer the lane gives up. All times in seconds.
    """

    concurrency: int = 256
    rpm: float | None = None
    tpm: float | None = None
    max_wait: float = 120.0
    patience: float = 900.0
    breaker_threshold: int = 10
    breaker_cooldown: float = 5.0


@dataclass(slots=True)
class Ticket:
    """Leave to send one request; goes back to the limiter with the outcome."""

    number: int
    tokens: int
    probe: bool


class Pausing(Protocol):
    """A client that can tell from a successful answer that a limit is used up."""

    on_pause: Callable[[float], None] | None


class Limiter:
    """The lane to one model. Use from one event loop; every ticket must be released once."""

    def __init__(self, bounds: Bounds | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._limit = AdaptiveLimit(self._bounds.concurrency)
        self._breaker = Breaker(self._bounds.breaker_threshold, self._bounds.breaker_cooldown)
        self._paces = [Pace(budget) if budget else None for budget in (self._bounds.rpm, self._bounds.tpm)]
        self._paused_until = -math.inf
        self._sent = 0
        self._in_flight = 0
        self._ended: ProviderFault | None = None
        self._waiting: deque[tuple[asyncio.Future[Ticket], int]] = deque()
        self._timer: asyncio.Task[None] | None = None
        self._due = math.inf
        self._resting: set[asyncio.Future[None]] = set()

    @property
    def in_flight(self) -> int:
        """Requests that have leave now."""
        return self._in_flight

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit.value)

    @property
    def waiting(self) -> int:
        """Calls that wait for leave."""
        return sum(not future.done() for future, _ in self._waiting)

    @property
    def state(self) -> str:
        """``open``, ``paused`` (the provider asked), ``broken`` (it does not answer) or ``ended``, for progress."""
        if self._ended is not None:
            return "ended"
        if self._breaker.is_open:
            return "broken"
        return "paused" if self._paused_until > self._clock.now() else "open"

    @property
    def counts_tokens(self) -> bool:
        """Whether calls should say how many tokens they will take."""
        return self._paces[1] is not None

    async def acquire(self, tokens: int = 0) -> Ticket:
        """Leave to send a request of about that many tokens, when it is this call's turn.

        Raises ProviderFault at once when the lane has ended.
        """
        self.check()
        if not self._waiting and self._wait() <= 0.0:
            return self._admit(tokens)
        future: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, tokens))
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result(), None)
            raise

    def check(self) -> None:
        """Raise the ProviderFault that ended the lane, if it has ended."""
        if self._ended is not None:
            raise same_fault(self._ended)

    def release(self, ticket: Ticket, outcome: Reply | ProviderFault | None) -> None:
        """Give leave back with what came of it; None when the request was never sent or was given up."""
        self._in_flight -= 1
        now = self._clock.now()
        if isinstance(outcome, Reply):
            self._limit.answered()
            self._breaker.succeeded()
            self._correct(ticket, outcome, now)
        elif outcome is None:
            self._breaker.abandoned(probe=ticket.probe)
        else:
            self._learn(ticket, outcome, now)
        if self._waiting:
            self._serve()

    async def rest(self, seconds: float) -> None:
        """Sleep between two attempts, but not beyond the end of the lane."""
        if self._ended is not None:
            return
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        self._resting.add(sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._ended is None or task is None or task.cancelling():
                raise
        finally:
            self._resting.discard(sleeper)

    def pause(self, seconds: float) -> None:
        """Send nothing for that long (at most ``max_wait``)."""
        until = self._clock.now() + min(seconds, self._bounds.max_wait)
        self._paused_until = max(self._paused_until, until)

    def end(self, fault: ProviderFault) -> None:
        """Stop the lane for good: calls that wait, and all later ones, raise."""
        self._ended = self._ended or fault
        for sleeper in self._resting:
            sleeper.cancel()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(same_fault(fault))

    def _learn(self, ticket: Ticket, fault: ProviderFault, now: float) -> None:
        if fault.rate_limited:
            self._limit.refused(ticket.number, self._sent)
        if fault.retry_after is not None:
            self.pause(fault.retry_after)
        if fault.fatal:
            self.end(fault)
        elif fault.retryable and not fault.rate_limited:
            self._breaker.failed(fault, now, probe=ticket.probe)
        else:
            self._breaker.succeeded()

    def _correct(self, ticket: Ticket, reply: Reply, now: float) -> None:
        pace = self._paces[1]
        used = reply.usage.input_tokens + reply.usage.output_tokens
        if pace is not None and used:
            pace.charge(used - ticket.tokens, now)

    def _admit(self, tokens: int) -> Ticket:
        now = self._clock.now()
        for pace, units in zip(self._paces, (1, tokens), strict=True):
            if pace is not None:
                pace.charge(units, now)
        self._sent += 1
        self._in_flight += 1
        return Ticket(self._sent, tokens, self._breaker.admitted())

    def _wait(self) -> float:
        """Seconds until another request may be sent; infinity when only the end of another one can tell."""
        if self._in_flight >= int(self._limit.value):
            return math.inf
        now = self._clock.now()
        waits = [pace.wait(now) for pace in self._paces if pace is not None]
        return max(self._paused_until - now, self._breaker.wait(now), *waits, 0.0)

    def _serve(self) -> None:
        """Give leave to waiting calls as far as possible, and come back when more can be given."""
        while self._waiting:
            if self._waiting[0][0].done():
                self._waiting.popleft()
                continue
            if self._gives_up():
                return
            wait = self._wait()
            if wait > 0.0:
                self._come_back(wait)
                return
            future, tokens = self._waiting.popleft()
            future.set_result(self._admit(tokens))

    def _gives_up(self) -> bool:
        fault = self._breaker.last_fault
        if fault is None or self._breaker.silence(self._clock.now()) <= self._bounds.patience:
            return False
        silence = f"no answer for {self._bounds.patience:g} s, the last failure: {fault.detail}"
        self.end(same_fault(fault, detail=silence, fatal=True))
        return True

    def _come_back(self, wait: float) -> None:
        if math.isinf(wait):
            return
        due = self._clock.now() + wait
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().create_task(self._later(wait))

    async def _later(self, wait: float) -> None:
        await self._clock.sleep(wait)
        self._timer = None
        self._serve()


@dataclass(slots=True)
class LimiterPool:
    """The limiters of a run, made when they are first asked for."""

    bounds: Bounds = field(default_factory=Bounds)
    clock: Clock = SYSTEM_CLOCK
    _limiters: dict[tuple[str, str, str], Limiter] = field(default_factory=dict, init=False)
    _ended: ProviderFault | None = field(default=None, init=False)

    def of(self, client: Client) -> Limiter:
        """The limiter of the client's back-end, endpoint and model."""
        lane = (client.backend, client.endpoint, client.model)
        limiter = self._limiters.get(lane)
        if limiter is None:
            limiter = self._limiters[lane] = Limiter(self.bounds, self.clock)
            if self._ended is not None:
                limiter.end(self._ended)
        if hasattr(client, "on_pause"):
            cast(Pausing, client).on_pause = limiter.pause
        return limiter

    def end(self, fault: ProviderFault) -> None:
        """Stop every lane, those to come as well: what waits to be sent is given up, what is in flight goes on."""
        self._ended = fault
        for limiter in self._limiters.values():
            limiter.end(fault)

    def all(self) -> tuple[Limiter, ...]:
        """Every limiter so far."""
        return tuple(self._limiters.values())
