from __future__ import annotations

import asyncio
import itertools

import pytest

from evalharness.core.scores import Cause
from evalharness.llm.breaker import Breaker
from evalharness.llm.client import ProviderFault, Reply, Usage
from evalharness.llm.pace import AdaptiveLimit, Pace
from evalharness.llm.throttle import Bounds, Limiter, LimiterPool, Ticket
from tests.llm.doubles import FakeClock, ScriptedClient, run

OK = Reply("ok")
DOWN = ProviderFault(Cause.SERVER_ERROR, "status 500", retryable=True)
LIMITED = ProviderFault(Cause.RATE_LIMITED, "status 429", retryable=True, rate_limited=True)
REFUSED = ProviderFault(Cause.BAD_REQUEST, "status 400")
DEAD = ProviderFault(Cause.AUTH, "status 401", fatal=True)


def after(seconds: float) -> ProviderFault:
    return ProviderFault(Cause.RATE_LIMITED, "x", retryable=True, rate_limited=True, retry_after=seconds)


async def take(limiter: Limiter, count: int) -> list[Ticket]:
    return [await limiter.acquire() for _ in range(count)]


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_pace_is_even_after_a_burst() -> None:
    pace = Pace(per_minute=60.0, burst=2.0)
    waits = []
    now = 0.0
    for _ in range(6):
        now += pace.wait(now)
        waits.append(now)
        pace.charge(1, now)
    assert waits == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]


def test_an_unused_budget_does_not_pile_up() -> None:
    pace = Pace(per_minute=60.0, burst=0.0)
    pace.charge(1, 0.0)
    assert pace.wait(1000.0) == 0.0
    pace.charge(1, 1000.0)
    assert pace.wait(1000.0) == 1.0


def test_overestimates_are_given_back() -> None:
    pace = Pace(per_minute=600.0, burst=0.0)
    pace.charge(100, 0.0)
    pace.charge(-90, 0.0)
    assert pace.wait(0.0) == pytest.approx(1.0)


def test_the_limit_halves_once_for_requests_sent_together() -> None:
    limit = AdaptiveLimit(64)
    for number in range(1, 65):
        limit.refused(number, sent=64)
    assert limit.value == 32.0
    limit.refused(65, sent=70)
    assert limit.value == 16.0


def test_the_limit_never_falls_below_one_and_climbs_back() -> None:
    limit = AdaptiveLimit(8)
    for number in range(1, 20):
        limit.refused(number, sent=number)
    assert limit.value == 1.0
    for _ in range(4):
        limit.answered()
    assert 4.0 < limit.value < 8.0
    for _ in range(20):
        limit.answered()
    assert limit.value == 8.0


def test_the_breaker_opens_probes_and_closes() -> None:
    breaker = Breaker(threshold=3, cooldown=5.0, longest=12.0)
    for _ in range(3):
        assert breaker.wait(0.0) == 0.0
        breaker.failed(DOWN, 0.0, probe=False)
    assert breaker.wait(0.0) == 5.0
    assert breaker.wait(5.0) == 0.0
    assert breaker.admitted()
    assert breaker.wait(5.0) == float("inf")
    breaker.failed(DOWN, 6.0, probe=True)
    assert breaker.wait(6.0) == 10.0
    assert breaker.admitted()
    breaker.failed(DOWN, 16.0, probe=True)
    assert breaker.wait(16.0) == 12.0
    assert breaker.silence(28.0) == 28.0
    assert breaker.admitted()
    breaker.succeeded()
    assert breaker.wait(28.0) == 0.0
    assert breaker.silence(28.0) == 0.0
    assert not breaker.admitted()


def test_an_answer_in_between_keeps_the_breaker_closed() -> None:
    breaker = Breaker(threshold=3)
    for _ in range(50):
        breaker.failed(DOWN, 0.0, probe=False)
        breaker.failed(DOWN, 0.0, probe=False)
        breaker.succeeded()
    assert not breaker.is_open


def test_requests_sent_before_do_not_prolong_the_opening() -> None:
    breaker = Breaker(threshold=1, cooldown=5.0)
    breaker.failed(DOWN, 0.0, probe=False)
    breaker.failed(DOWN, 4.0, probe=False)
    assert breaker.wait(5.0) == 0.0


def test_an_abandoned_probe_lets_another_one_go() -> None:
    breaker = Breaker(threshold=1, cooldown=5.0)
    breaker.failed(DOWN, 0.0, probe=False)
    assert breaker.admitted()
    breaker.abandoned(probe=True)
    assert breaker.wait(5.0) == 0.0


def test_no_more_in_flight_than_allowed_and_first_come_first_served() -> None:
    async def main() -> None:
        limiter = Limiter(Bounds(concurrency=2))
        order: list[int] = []
        held = await take(limiter, 2)

        async def one(number: int) -> None:
            ticket = await limiter.acquire()
            order.append(number)
            assert limiter.in_flight <= 2
            await asyncio.sleep(0)
            limiter.release(ticket, OK)

        tasks = [asyncio.create_task(one(number)) for number in range(10)]
        await settled()
        assert (order, limiter.waiting) == ([], 10)
        for ticket in held:
            limiter.release(ticket, OK)
        await asyncio.gather(*tasks)
        assert order == list(range(10))
        assert limiter.in_flight == 0

    run(main)


def test_a_cancelled_waiter_gives_its_turn_away() -> None:
    async def main() -> None:
        limiter = Limiter(Bounds(concurrency=1))
        held = await limiter.acquire()
        waiters = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await settled()
        waiters[0].cancel()
        await settled()
        limiter.release(held, OK)
        waiters[1].cancel()  # it has leave already, but has not run yet
        ticket = await asyncio.wait_for(waiters[2], 1.0)
        limiter.release(ticket, OK)
        assert limiter.in_flight == 0
        assert waiters[0].cancelled()
        assert waiters[1].cancelled()

    run(main)


def test_the_limit_falls_on_rate_limits_only() -> None:
    async def main() -> None:
        limiter = Limiter(Bounds(concurrency=8, breaker_threshold=100), FakeClock())
        for outcome in (DOWN, REFUSED, OK, None):
            limiter.release(await limiter.acquire(), outcome)
        assert limiter.limit == 8
        limiter.release(await limiter.acquire(), LIMITED)
        assert limiter.limit == 4

    run(main)


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (3600.0, 120.0)])
def test_a_wait_pauses_the_whole_lane_and_is_capped(asked: float, waited: float) -> None:
    async def main() -> None:
        clock = FakeClock()
        limiter = Limiter(Bounds(concurrency=8, max_wait=120.0), clock)
        first = await limiter.acquire()
        start = clock.now()
        limiter.release(first, after(asked))
        assert limiter.state == "paused"
        tickets = await asyncio.gather(*(limiter.acquire() for _ in range(4)))
        assert clock.now() - start == pytest.approx(waited)
        assert len(tickets) == 4
        assert limiter.state == "open"

    run(main)


def test_a_longer_pause_wins_and_a_shorter_one_changes_nothing() -> None:
    async def main() -> None:
        clock = FakeClock()
        limiter = Limiter(clock=clock)
        start = clock.now()
        limiter.pause(5.0)
        waiter = asyncio.create_task(limiter.acquire())
        limiter.pause(9.0)
        limiter.pause(1.0)
        await waiter
        assert clock.now() - start == pytest.approx(9.0)

    run(main)


def test_requests_per_minute() -> None:
    async def main() -> None:
        clock = FakeClock()
        limiter = Limiter(Bounds(rpm=120.0), clock)
        start = clock.now()
        for _ in range(63):
            limiter.release(await limiter.acquire(), OK)
        assert clock.now() - start == pytest.approx(30.0, abs=0.6)

    run(main)


def test_tokens_per_minute_count_what_was_really_used() -> None:
    async def main(used: int) -> float:
        clock = FakeClock()
        limiter = Limiter(Bounds(tpm=6000.0), clock)
        assert limiter.counts_tokens
        start = clock.now()
        for _ in range(11):
            ticket = await limiter.acquire(1000)
            limiter.release(ticket, Reply("x", usage=Usage(used, 0)))
        return clock.now() - start

    assert run(lambda: main(1000)) == pytest.approx(99.0, abs=1.5)
    assert run(lambda: main(100)) == pytest.approx(9.0, abs=1.5)


def test_a_fatal_fault_ends_the_lane_for_everybody() -> None:
    async def main() -> None:
        limiter = Limiter(Bounds(concurrency=1))
        held = await limiter.acquire()
        waiters = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await settled()
        limiter.release(held, DEAD)
        results = await asyncio.gather(*waiters, limiter.acquire(), return_exceptions=True)
        assert [type(result) for result in results] == [ProviderFault] * 4
        assert len({id(result) for result in results}) == 4
        assert all(result.fatal and result.cause is Cause.AUTH for result in results)  # type: ignore[union-attr]
        assert limiter.state == "ended"

    run(main)


def test_a_dead_provider_is_probed_now_and_then_and_found_again() -> None:
    async def main() -> list[float]:
        clock = FakeClock()
        limiter = Limiter(Bounds(concurrency=8, breaker_threshold=4, breaker_cooldown=5.0), clock)
        start = clock.now()
        sent: list[float] = []

        async def worker() -> None:
            while True:
                ticket = await limiter.acquire()
                now = clock.now() - start
                sent.append(now)
                await clock.sleep(0.1)
                limiter.release(ticket, DOWN if now < 600 else OK)
                if now >= 600:
                    return

        await asyncio.gather(*(worker() for _ in range(8)))
        return sent

    sent = run(main)
    outage = [moment for moment in sent if moment < 600]
    assert len(outage) < 30
    assert max(b - a for a, b in itertools.pairwise(outage)) < 61
    assert len([moment for moment in sent if moment >= 600]) == 8
    assert max(sent) < 662


def test_patience_ends() -> None:
    async def main() -> None:
        clock = FakeClock()
        limiter = Limiter(Bounds(concurrency=4, breaker_threshold=2, patience=300.0), clock)
        start = clock.now()

        async def worker() -> None:
            while True:
                limiter.release(await limiter.acquire(), DOWN)

        results = await asyncio.gather(*(worker() for _ in range(4)), return_exceptions=True)
        assert all(isinstance(result, ProviderFault) and result.fatal for result in results)
        assert "no answer for 300 s, the last failure: status 500" in str(results[0])
        assert 300 < clock.now() - start < 400

    run(main)


def test_an_early_recovery_is_not_slept_through() -> None:
    """A request sent before the breaker opened is answered: the lane opens at once, not at the end of the cooldown."""

    async def main() -> None:
        clock = FakeClock()
        limiter = Limiter(Bounds(concurrency=4, breaker_threshold=2, rpm=600.0), clock)
        tickets = await take(limiter, 3)
        limiter.release(tickets[0], DOWN)
        limiter.release(tickets[1], DOWN)
        assert limiter.state == "broken"
        waiters = [asyncio.create_task(limiter.acquire()) for _ in range(20)]
        start = clock.now()
        await asyncio.sleep(0)
        limiter.release(tickets[2], OK)
        for waiter in waiters:
            limiter.release(await waiter, OK)
        assert clock.now() - start < 3.0

    run(main)


def test_one_limiter_per_backend_endpoint_and_model() -> None:
    pool = LimiterPool(Bounds(concurrency=3))
    first, second, other = ScriptedClient(), ScriptedClient(), ScriptedClient()
    other.model = "another"
    assert pool.of(first) is pool.of(second)
    assert pool.of(first) is not pool.of(other)
    assert len(pool.all()) == 2
    assert pool.of(first).limit == 3


def test_clients_that_see_limits_can_pause_their_lane() -> None:
    class Seeing(ScriptedClient):
        on_pause = None

    pool = LimiterPool(clock=FakeClock())
    clients = [Seeing(), Seeing()]
    limiter, _ = (pool.of(client) for client in clients)
    assert limiter.state == "open"
    assert clients[1].on_pause is not None
    clients[1].on_pause(3.0)
    assert limiter.state == "paused"
