"""The one retry loop: from a request to a reply, or to the fault that ended it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from evalharness.core.scores import Cause
from evalharness.llm.backoff import Backoff
from evalharness.llm.client import Client, ProviderFault, Reply, Request
from evalharness.llm.clock import SYSTEM_CLOCK, Clock
from evalharness.llm.faults import timeout_fault
from evalharness.llm.throttle import Limiter, Ticket


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of one call with all its attempts; times in seconds.

    ``deadline`` is the time that attempts and waits between them may take together; waiting for leave to send (other
    requests in flight, a pause, a provider that is down) does not count, because nothing is spent meanwhile.
    ``protocol_retries`` bounds attempts after answers that are not what the API describes.
    """

    attempts: int = 5
    deadline: float = 300.0
    attempt_timeout: float = 120.0
    protocol_retries: int = 1
    backoff: Backoff = field(default_factory=Backoff)


class AttemptLog(Protocol):
    """Who keeps the record of attempts: the ledger."""

    async def ready(self) -> None:
        """Wait until an attempt can be paid for."""
        ...

    def begin(self, number: int) -> int:
        """Record attempt ``number`` (from 1) before anything is sent; returns a token for :meth:`end`."""
        ...

    def end(self, token: int, outcome: Reply | ProviderFault) -> None:
        """Record how the attempt ended."""
        ...


class NoLog:
    """Keeps no record."""

    async def ready(self) -> None:
        """At once."""

    def begin(self, number: int) -> int:
        """The number itself."""
        return number

    def end(self, token: int, outcome: Reply | ProviderFault) -> None:
        """Ignore."""


async def attempt_until_done(
    client: Client,
    request: Request,
    *,
    policy: RetryPolicy,
    log: AttemptLog,
    limiter: Limiter,
    clock: Clock = SYSTEM_CLOCK,
) -> Reply:
    """The reply of the first attempt that has one. Raises the last attempt's ProviderFault when there is none."""
    tokens = expected_tokens(client, request) if limiter.counts_tokens else 0
    spent = 0.0
    protocol_faults = 0
    number = 0
    while True:
        number += 1
        ticket = await limiter.acquire(tokens)
        await _ready(log, limiter, ticket)
        started = clock.now()
        seconds = min(policy.attempt_timeout, policy.deadline - spent)
        outcome = await _attempt(client, request, seconds, log, number, limiter, ticket)
        if isinstance(outcome, Reply):
            return outcome
        protocol_faults += outcome.cause is Cause.PROTOCOL
        delay = _delay(outcome, policy, number)
        spent += clock.now() - started + delay
        if (
            not outcome.retryable
            or number >= policy.attempts
            or protocol_faults > policy.protocol_retries
            or spent >= policy.deadline
        ):
            raise outcome
        if delay > 0.0:
            await limiter.rest(delay)


def expected_tokens(client: Client, request: Request) -> int:
    """What a provider will count against a limit of tokens per minute: the prompt, and the output that is allowed."""
    prompt = sum(client.count_tokens(text) for text in (request.system, request.shared, request.ask))
    return prompt + request.max_tokens


def _delay(fault: ProviderFault, policy: RetryPolicy, failures: int) -> float:
    """A wait before asking for leave again; none where the provider named one, which pauses the whole lane."""
    return 0.0 if fault.retry_after is not None else policy.backoff.delay(failures)


async def _ready(log: AttemptLog, limiter: Limiter, ticket: Ticket) -> None:
    """Wait for leave to pay, unless the lane ends meanwhile; leave to send goes back where there is none."""
    try:
        await log.ready()
        limiter.check()
    except BaseException:
        limiter.release(ticket, None)
        raise


async def _attempt(
    client: Client,
    request: Request,
    seconds: float,
    log: AttemptLog,
    number: int,
    limiter: Limiter,
    ticket: Ticket,
) -> Reply | ProviderFault:
    """One attempt, recorded before it is sent and when it ends, however it ends."""
    outcome: Reply | ProviderFault | None = None
    try:
        token = log.begin(number)
        try:
            outcome = await _complete(client, request, seconds)
        except BaseException:
            log.end(token, _given_up())
            raise
        log.end(token, outcome)
        return outcome
    finally:
        limiter.release(ticket, outcome)


async def _complete(client: Client, request: Request, seconds: float) -> Reply | ProviderFault:
    try:
        async with asyncio.timeout(seconds) as timeout:
            return await client.complete(request)
    except ProviderFault as fault:
        return fault
    except TimeoutError:
        if not timeout.expired():
            raise
        return timeout_fault("no whole answer before the deadline", sent=True)


def _given_up() -> ProviderFault:
    return ProviderFault(Cause.INCOMPLETE, "given up while it was in flight", unknown_outcome=True)
