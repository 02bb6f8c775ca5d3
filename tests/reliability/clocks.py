"""Time for runs against a provider that asks to wait: hours pass in a moment, and only while everybody waits."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from evalharness.api import scoring
from evalharness.llm.throttle import LimiterPool


class RunningClock:
    """The event loop's time, ``speed`` times as fast, from 0; for outages whose requests take real time."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start: float | None = None

    def now(self) -> float:
        try:
            time = asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0
        if self._start is None:
            self._start = time
        return (time - self._start) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


class JumpingClock:
    """Time that stands still but for sleepers: a sleep takes no time and moves the clock by its length.

    With one request in flight the clock then tells exactly how long the lane waited before each request. ``held``
    keeps sleepers asleep, so that a test can see what goes on meanwhile.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.held = False

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        due = self.time + seconds
        await asyncio.sleep(0)
        while self.held:
            await asyncio.sleep(0.001)
        self.time = max(self.time, due)


def install(monkeypatch: pytest.MonkeyPatch, clock: RunningClock | JumpingClock) -> None:
    """Let the lanes of a run keep that time."""
    monkeypatch.setattr(scoring, "LimiterPool", partial(LimiterPool, clock=clock))
