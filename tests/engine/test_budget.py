"""Who waits for money: requests for which there is no room beside those in flight, first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from evalharness.engine.budget import Budget, LimitReached, worst_cost
from evalharness.llm.client import Request
from evalharness.llm.pricing import Prices
from tests.llm.doubles import ScriptedClient, ask


class Payer:
    """Requests that are paid for from one budget, and what became of them."""

    def __init__(self, room_for: float) -> None:
        self.client = ScriptedClient([])
        self.request: Request = ask()
        prices = Prices.from_settings({self.client.model: {"input": 1.0, "output": 1.0}})
        most = worst_cost(prices, self.client, self.request)
        assert most is not None
        self.most = most
        self.budget = Budget(prices, max_cost=room_for * most)
        self.sent: list[str] = []
        self.refused: list[str] = []

    async def send(self, name: str, until: asyncio.Event, cost: float = 0.0) -> None:
        """Wait for room, send, and cost that share of the most when ``until`` is set."""
        await self.budget.room(self.client, self.request)
        try:
            reserved = self.budget.reserve(self.client, self.request)
        except LimitReached:
            self.refused.append(name)
            return
        self.budget.live += 1
        self.sent.append(name)
        await until.wait()
        self.budget.live -= 1
        self.budget.settle(reserved, cost * self.most)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await main()

    asyncio.run(bounded())


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_one_after_the_other_where_only_one_fits() -> None:
    async def main() -> None:
        payer, ends = Payer(1.5), [asyncio.Event() for _ in range(4)]
        tasks = [asyncio.create_task(payer.send(str(i), end, 0.1)) for i, end in enumerate(ends)]
        for number, end in enumerate(ends):
            await settled()
            assert payer.sent == [str(i) for i in range(number + 1)]
            end.set()
        await asyncio.gather(*tasks)
        assert payer.refused == []

    run(main)


def test_when_nothing_is_in_flight_all_that_wait_are_refused() -> None:
    async def main() -> None:
        payer, end = Payer(1.5), asyncio.Event()
        tasks = [asyncio.create_task(payer.send(str(i), end, 1.0)) for i in range(5)]
        await settled()
        assert payer.sent == ["0"]
        end.set()
        await asyncio.gather(*tasks)
        assert payer.refused == ["1", "2", "3", "4"]

    run(main)


def test_room_for_several_wakes_several() -> None:
    async def main() -> None:
        payer, first, rest = Payer(3.0), asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(payer.send(str(i), first, 0.0)) for i in range(3)]
        tasks += [asyncio.create_task(payer.send(str(i), rest, 0.0)) for i in range(3, 6)]
        await settled()
        assert payer.sent == ["0", "1", "2"]
        first.set()
        await settled()
        assert payer.sent == ["0", "1", "2", "3", "4", "5"]
        rest.set()
        await asyncio.gather(*tasks)

    run(main)


def test_one_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    async def main() -> None:
        payer, end = Payer(1.0), asyncio.Event()
        payer.budget.take(payer.most)
        payer.budget.live = 1
        tasks = [asyncio.create_task(payer.send(name, end)) for name in ("cancelled", "next")]
        await settled()
        payer.budget.live = 0
        payer.budget.settle(payer.most, 0.0)  # wakes the first, which is cancelled before it can look
        tasks[0].cancel()
        await settled()
        assert payer.sent == ["next"]
        end.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main)
