"""Doubles for tests of the provider boundary: a clock that jumps, a scripted client, a list for a ledger."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from evalharness.core.canonical import Json
from evalharness.llm.client import Capabilities, Client, ProviderFault, Reply, Request
from evalharness.llm.clients import make_client
from evalharness.llm.keys import Trust

SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
    },
    "required": ["reason", "score"],
    "additionalProperties": False,
}

T = TypeVar("T")


def run(awaitable: Callable[[], Awaitable[T]], seconds: float = 60.0) -> T:
    """Run a coroutine function to its end; a test that hangs fails."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await awaitable()

    return asyncio.run(bounded())


def ask(row: str = "r1", **changes: Any) -> Request:
    """A request about a row of its own."""
    return Request(
        "You judge replies.", f"[row {row}] user: hello", "Rate it.", **{"schema": SCHEMA, **changes}
    )


class FakeClock:
    """Time that passes only when everybody waits for it."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, int]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        entry = (self.time + seconds, next(self._numbers))
        heapq.heappush(self._sleepers, entry)
        try:
            while self.time < entry[0]:
                for _ in range(20):
                    await asyncio.sleep(0)
                if self._sleepers[0] == entry:
                    self.time = max(self.time, entry[0])
        finally:
            self._sleepers.remove(entry)
            heapq.heapify(self._sleepers)


class ScriptedClient:
    """Gives its outcomes one after the other, then good replies; ``seen`` notes the time of each attempt."""

    backend = "scripted"
    endpoint = "nowhere"

    def __init__(
        self, outcomes: Iterable[Reply | Exception] = (), clock: FakeClock | None = None, seconds: float = 0.0
    ) -> None:
        self.model = "fake"
        self.seen: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._outcomes = iter(outcomes)
        self._clock = clock or FakeClock()
        self._seconds = seconds

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"model": self.model}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def complete(self, request: Request) -> Reply:
        self.seen.append(self._clock.now())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._seconds:
                await self._clock.sleep(self._seconds)
            else:
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        outcome = next(self._outcomes, Reply("ok"))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close(self) -> None:
        pass


class ListLog:
    """An attempt log that remembers."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[tuple[int, Reply | ProviderFault]] = []

    async def ready(self) -> None:
        pass

    def begin(self, number: int) -> int:
        self.begun.append(number)
        return 100 + number

    def end(self, token: int, outcome: Reply | ProviderFault) -> None:
        self.ended.append((token, outcome))


KINDS = ("responses", "chat", "messages")
"""The three wires by name, for parametrised tests."""


def client_of(kind: str, root: str, environment: Mapping[str, str] | None = None, **options: Any) -> Client:
    """A client for one wire of a server at ``root``."""
    trust = Trust.from_environment(environment or {})
    if kind == "messages":
        return make_client("anthropic", "claude-haiku-5-5", root, options, trust)
    api = {"api": kind, "platform": "openai"} if kind == "responses" else {"api": kind}
    return make_client("openai", "gpt-6-luna", f"{root}/v1", {**api, **options}, trust)


async def outcome_of(client: Client, request: Request | None = None) -> Reply | ProviderFault:
    """What one attempt comes to."""
    try:
        return await client.complete(request or ask())
    except ProviderFault as fault:
        return fault


def outcome(kind: str, root: str, request: Request | None = None, **options: Any) -> Reply | ProviderFault:
    """What one attempt of a fresh client comes to."""

    async def one() -> Reply | ProviderFault:
        client = client_of(kind, root, **options)
        try:
            return await outcome_of(client, request)
        finally:
            await client.close()

    return run(one)


def fault(kind: str, root: str, request: Request | None = None, **options: Any) -> ProviderFault:
    """The fault of one attempt that must fail."""
    found = outcome(kind, root, request, **options)
    assert isinstance(found, ProviderFault), found
    return found
