from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.core.scores import Cause
from evalharness.llm.backoff import Backoff
from evalharness.llm.client import ProviderFault, Reply, Request
from evalharness.llm.retry import NoLog, RetryPolicy, attempt_until_done, expected_tokens
from evalharness.llm.throttle import Bounds, Limiter, LimiterPool
from tests.faultd import (
    MALFORMED,
    RETRYABLE,
    Answer,
    Drip,
    Faultd,
    Hang,
    Raw,
    Seen,
    Status,
    always,
    mixed,
    once,
)
from tests.llm.doubles import KINDS, FakeClock, ListLog, ScriptedClient, ask, client_of, run

OK = Reply("ok")


def fault(cause: Cause = Cause.SERVER_ERROR, **flags: object) -> ProviderFault:
    return ProviderFault(cause, "x", **{"retryable": True, **flags})  # type: ignore[arg-type]


class Call:
    """One call with a scripted client on a clock that jumps."""

    def __init__(
        self, outcomes: Iterable[Reply | Exception], policy: RetryPolicy | None = None, seconds: float = 0.0
    ):
        self.clock = FakeClock()
        self.client = ScriptedClient(outcomes, self.clock, seconds)
        self.log = ListLog()
        self.limiter = Limiter(Bounds(concurrency=4, breaker_threshold=100), self.clock)
        self.policy = policy or RetryPolicy(backoff=Backoff(random=Random(0)))
        self.start = self.clock.now()

    async def attempt(self) -> Reply:
        return await attempt_until_done(
            self.client, ask(), policy=self.policy, log=self.log, limiter=self.limiter, clock=self.clock
        )

    def result(self) -> Reply | ProviderFault:
        try:
            return run(self.attempt)
        except ProviderFault as error:
            return error

    @property
    def waits(self) -> list[float]:
        times = [self.start, *self.client.seen]
        return [later - before for before, later in itertools.pairwise(times)]


def test_a_good_first_attempt_is_all() -> None:
    call = Call([OK])
    assert call.result() is OK
    assert (call.log.begun, call.log.ended) == ([1], [(101, OK)])
    assert call.limiter.in_flight == 0


def test_faults_are_tried_again_and_all_are_recorded() -> None:
    first, second = fault(), fault(Cause.TIMEOUT, unknown_outcome=True)
    call = Call([first, second, OK])
    assert call.result() is OK
    assert call.log.begun == [1, 2, 3]
    assert call.log.ended == [(101, first), (102, second), (103, OK)]


def test_back_off_is_drawn_below_growing_ceilings() -> None:
    call = Call([fault()] * 4)
    call.result()
    first, *waits = call.waits
    assert first == 0.0
    expected = Random(0)
    assert waits == pytest.approx([expected.uniform(0, 0.5 * 2**n) for n in range(4)])


@pytest.mark.parametrize(
    "final", [fault(Cause.BAD_REQUEST, retryable=False), fault(Cause.AUTH, retryable=False, fatal=True)]
)
def test_what_can_not_be_mended_is_not_tried_again(final: ProviderFault) -> None:
    call = Call([final])
    assert call.result() is final
    assert call.log.begun == [1]


def test_attempts_are_capped_and_the_last_fault_is_told() -> None:
    faults = [fault() for _ in range(9)]
    call = Call(faults, RetryPolicy(attempts=4))
    assert call.result() is faults[3]
    assert call.log.begun == [1, 2, 3, 4]


def test_protocol_faults_are_tried_again_once() -> None:
    faults = [fault(Cause.PROTOCOL) for _ in range(3)]
    call = Call(faults)
    assert call.result() is faults[1]
    mixed_call = Call([fault(Cause.PROTOCOL), fault(), fault(Cause.PROTOCOL), OK])
    assert isinstance(mixed_call.result(), ProviderFault)
    assert mixed_call.log.begun == [1, 2, 3]
    assert Call([fault(Cause.PROTOCOL), fault(), OK]).result() is OK


@pytest.mark.parametrize("asked", [0.25, 2.0, 90.0])
def test_a_named_wait_is_kept_to(asked: float) -> None:
    call = Call([fault(Cause.RATE_LIMITED, rate_limited=True, retry_after=asked), OK])
    assert call.result() is OK
    assert asked <= call.waits[1] <= asked * 1.2


def test_a_named_wait_is_capped_by_the_lanes_bound() -> None:
    call = Call([fault(Cause.RATE_LIMITED, rate_limited=True, retry_after=3600.0), OK])
    assert call.result() is OK
    assert call.waits[1] == pytest.approx(120.0)


def test_the_deadline_counts_attempts_and_waits() -> None:
    call = Call(
        [fault() for _ in range(9)],
        RetryPolicy(attempts=9, deadline=25.0, attempt_timeout=30.0),
        seconds=10.0,
    )
    assert isinstance(call.result(), ProviderFault)
    assert call.log.begun == [1, 2, 3]


def test_waiting_for_leave_does_not_count() -> None:
    async def main() -> None:
        call = Call([OK], RetryPolicy(deadline=5.0))
        call.limiter.pause(100.0)
        assert await call.attempt() is OK
        assert call.clock.now() - call.start == pytest.approx(100.0)

    run(main)


def test_an_attempt_that_takes_too_long_is_ended_as_unknown() -> None:
    class Hanging(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> ListLog:
        log, limiter = ListLog(), Limiter()
        policy = RetryPolicy(attempts=2, attempt_timeout=0.01, backoff=Backoff(base=0.0))
        with pytest.raises(ProviderFault) as error:
            await attempt_until_done(Hanging(), ask(), policy=policy, log=log, limiter=limiter)
        assert (error.value.cause, error.value.unknown_outcome) == (Cause.TIMEOUT, True)
        assert limiter.in_flight == 0
        return log

    log = run(main)
    assert log.begun == [1, 2]
    assert all(isinstance(end, ProviderFault) and end.unknown_outcome for _, end in log.ended)


def test_a_cancelled_attempt_is_recorded_as_unknown() -> None:
    async def main() -> ListLog:
        call = Call([], seconds=1e9)
        call.client._clock = _Stuck()
        task = asyncio.create_task(call.attempt())
        while not call.log.begun:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.limiter.in_flight == 0
        return call.log

    [(_, end)] = run(main).ended
    assert isinstance(end, ProviderFault)
    assert (end.cause, end.unknown_outcome) == (Cause.INCOMPLETE, True)


class _Stuck(FakeClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


def test_a_bug_is_recorded_and_raised() -> None:
    call = Call([ZeroDivisionError("bug")])
    with pytest.raises(ZeroDivisionError):
        run(call.attempt)
    assert len(call.log.ended) == 1
    assert call.limiter.in_flight == 0


def test_a_foreign_time_out_is_a_bug_not_a_deadline() -> None:
    call = Call([TimeoutError("of something else")])
    with pytest.raises(TimeoutError):
        run(call.attempt)


def test_nothing_is_sent_when_the_record_can_not_be_made() -> None:
    class Full(ListLog):
        def begin(self, number: int) -> int:
            raise OSError(28, "no space left")

    async def main() -> None:
        call = Call([OK])
        call.log = Full()
        with pytest.raises(OSError, match="no space"):
            await call.attempt()
        assert call.client.seen == []
        assert call.limiter.in_flight == 0

    run(main)


def test_a_lane_that_ended_sends_nothing_more() -> None:
    async def main() -> None:
        call = Call([fault(Cause.QUOTA, retryable=False, fatal=True)] * 99)
        results = await asyncio.gather(*(call.attempt() for _ in range(50)), return_exceptions=True)
        assert all(isinstance(result, ProviderFault) and result.cause is Cause.QUOTA for result in results)
        assert len(call.client.seen) <= 4

    run(main)


def test_expected_tokens_are_prompt_and_allowed_output() -> None:
    request = Request("abc", "de", "f", max_tokens=10)
    assert expected_tokens(ScriptedClient(), request) == 16


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda cause, retryable, limited, wait: fault(
                cause, retryable=retryable, rate_limited=limited, retry_after=wait
            ),
            st.sampled_from(list(Cause)),
            st.booleans(),
            st.booleans(),
            st.none() | st.floats(0.001, 1e6),
        )
        | st.just(OK),
        max_size=12,
    ),
    st.integers(1, 8),
)
def test_whatever_happens_every_attempt_is_begun_and_ended_once(
    outcomes: list[Reply | ProviderFault], cap: int
) -> None:
    call = Call(outcomes, RetryPolicy(attempts=cap, deadline=1e9, backoff=Backoff(random=Random(1))))
    result = call.result()
    assert [100 + number for number in call.log.begun] == [token for token, _ in call.log.ended]
    assert len(call.log.begun) == len(call.client.seen) <= cap
    assert call.log.ended[-1][1] is result
    assert call.limiter.in_flight == 0


async def many(
    kind: str, root: str, rows: int, policy: RetryPolicy, width: int = 8
) -> tuple[dict[str, str], ListLog]:
    """What each row came to, over one client and one limiter."""
    client = client_of(kind, root, timeout=30.0)
    limiter = LimiterPool(Bounds(concurrency=width, breaker_threshold=1000), FakeClock()).of(client)
    log = ListLog()
    found: dict[str, str] = {}
    names = iter([str(row) for row in range(rows)])

    async def worker() -> None:
        for name in names:
            try:
                reply = await attempt_until_done(
                    client, ask(name), policy=policy, log=log, limiter=limiter, clock=FakeClock()
                )
                found[name] = reply.text
            except ProviderFault as failed:
                found[name] = failed.cause.value

    await asyncio.gather(*(worker() for _ in range(width)))
    await client.close()
    return found, log


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_faults_change_no_verdict(kind: str) -> None:
    policy = RetryPolicy(attempts=5, deadline=1e9)
    with Faultd() as server:
        expected, _ = run(lambda: many(kind, server.root, 40, policy))
    with Faultd(mixed(RETRYABLE, 0.3), seed=3) as server:
        found, log = run(lambda: many(kind, server.root, 40, policy))
        assert found == expected
        assert server.count == len(log.begun) > 40
        assert len(log.ended) == len(log.begun)


def test_dead_rows_fail_with_their_cause_and_the_others_live() -> None:
    broken = {"3": Status(500), "5": Raw(200, MALFORMED["html"]), "7": Status(400, "context_length_exceeded")}
    with Faultd(lambda seen: broken.get(seen.row, Answer())) as server:
        found, _ = run(lambda: many("chat", server.root, 10, RetryPolicy(attempts=3)))
        counts = {row: server.attempts[row] for row in broken}
    assert {row: found[row] for row in broken} == {"3": "server_error", "5": "protocol", "7": "too_long"}
    assert counts == {"3": 3, "5": 2, "7": 1}
    assert all(found[row].startswith("{") for row in found if row not in broken)


@pytest.mark.parametrize("status", [Status(401), Status(402), Status(404), Status(429, "insufficient_quota")])
def test_a_fatal_fault_costs_at_most_what_is_in_flight(status: Raw) -> None:
    with Faultd(always(status)) as server:
        found, log = run(lambda: many("chat", server.root, 60, RetryPolicy(), width=6))
        assert server.count <= 6
        assert len(log.begun) == server.count
    assert len(set(found.values())) == 1


def test_drips_and_hangs_end_at_the_attempts_deadline() -> None:
    def script(seen: Seen) -> Answer | Drip | Hang:
        return Answer() if seen.attempt > 2 else (Drip(0.02) if seen.attempt == 1 else Hang())

    with Faultd(script) as server:
        found, log = run(lambda: many("chat", server.root, 3, RetryPolicy(attempts=20, attempt_timeout=0.15)))
    assert all(text.startswith("{") for text in found.values())
    assert log.begun.count(3) == 3
    ended = [end for _, end in log.ended if isinstance(end, ProviderFault)]
    assert len(ended) == len(log.begun) - 3 >= 6
    assert all(end.cause is Cause.TIMEOUT and end.unknown_outcome for end in ended)


def test_no_log_counts() -> None:
    log = NoLog()
    log.end(log.begin(3), OK)
    assert log.begin(7) == 7


def test_a_retry_asks_the_same_again() -> None:
    with Faultd(once(Status(503))) as server:
        run(lambda: many("responses", server.root, 1, RetryPolicy()))
        first, second = server.requests
    assert first.raw == second.raw
