"""Judges run by the engine: every item once, resumable, cached, stopped in good order."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evalharness.core.scores import Cause, Failure, Score
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import Ledger
from evalharness.engine.asking import Desk
from evalharness.engine.budget import Budget
from evalharness.engine.judging import Stopped, run_judges
from evalharness.engine.plan import Limits, RunPlan
from evalharness.engine.progress import Silent
from evalharness.engine.run import execute
from evalharness.llm.backoff import Backoff
from evalharness.llm.client import ProviderFault, Reply, Request
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import LimiterPool
from tests.engine.fakes import FakeClient, FakeJudge, dialogues

NO_WAIT = RetryPolicy(attempts=3, backoff=Backoff(base=0.0, cap=0.0))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "run.sqlite") as opened:
        for dialogue in dialogues(6, turns=2):
            opened.add_dialogue(dialogue, "f", 1)
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[VerdictCache]:
    opened = VerdictCache(tmp_path / "cache")
    yield opened
    opened.close()


def _run(
    ledger: Ledger, *judges: FakeJudge, cache: VerdictCache | None = None, **plan: object
) -> tuple[Stopped, ...]:
    desk = Desk(
        ledger, cache, LimiterPool(), NO_WAIT, Budget(Prices()), b"secret", epoch=str(plan.get("epoch", ""))
    )
    whole = RunPlan(judges=judges, limits=Limits(concurrency=4), **plan)  # type: ignore[arg-type]
    return asyncio.run(run_judges(desk, whole, Silent(), lambda: False))


def _values(ledger: Ledger) -> list[float | str]:
    return [
        r.value if isinstance(r, Score) else r.cause.value for row in ledger.outcomes() for r in row.results
    ]


def test_every_item_is_judged_once_and_committed(ledger: Ledger):
    client = FakeClient()
    assert _run(ledger, FakeJudge(client)) == ()
    assert _values(ledger) == [4.0] * 12
    assert len(client.calls) == 12
    totals = ledger.attempt_totals()
    assert [(t.state, t.attempts, t.input_tokens) for t in totals] == [("ok", 12, 120)]


def test_nothing_is_sent_before_its_record_is_stored_for_good(ledger: Ledger):
    """In the whole engine, where writes that come close together are committed together."""
    seen: list[tuple[int, int]] = []

    class Watching(FakeClient):
        async def complete(self, request: Request) -> Reply:
            with closing(sqlite3.connect(ledger.path)) as other:  # what is there if this process dies now
                (begun,) = other.execute("SELECT count(*) FROM attempts").fetchone()
            seen.append((begun, len(self.calls) + 1))
            return await super().complete(request)

    client = Watching()
    desk = Desk(ledger, None, LimiterPool(), NO_WAIT, Budget(Prices()), b"secret")
    plan = RunPlan(judges=(FakeJudge(client),), limits=Limits(concurrency=4))
    assert execute(ledger, desk, plan, Silent()).complete
    assert len(seen) == 12
    assert all(begun >= sent for begun, sent in seen)
    assert _values(ledger) == [4.0] * 12


def test_a_second_run_asks_nothing(ledger: Ledger):
    client = FakeClient()
    _run(ledger, FakeJudge(client))
    _run(ledger, FakeJudge(client))
    assert len(client.calls) == 12


def test_the_number_of_workers_is_bounded_by_the_client(ledger: Ledger):
    client = FakeClient(max_parallel=2)
    _run(ledger, FakeJudge(client))
    assert client.most_in_flight == 2


def test_turns_of_a_dialogue_are_asked_next_to_each_other(ledger: Ledger):
    client = FakeClient(max_parallel=1)
    _run(ledger, FakeJudge(client))
    assert [call.split(":")[0] for call in client.calls] == [f"d{n // 2}" for n in range(12)]


def test_transient_failures_are_asked_again_by_the_next_run_and_others_not(ledger: Ledger):
    down = {"on": True}

    def answer(question: str, attempt: int) -> str | ProviderFault:
        if question.startswith("d1:") and down["on"]:
            return ProviderFault(Cause.SERVER_ERROR, "503", retryable=True)
        return "nonsense" if question.startswith("d2:") else "4"

    client = FakeClient(answer)
    _run(ledger, FakeJudge(client))
    assert _values(ledger).count("server_error") == 2
    assert _values(ledger).count("no_verdict") == 2
    down["on"] = False
    before = len(client.calls)
    _run(ledger, FakeJudge(client))
    assert len(client.calls) - before == 2
    assert _values(ledger).count("server_error") == 0
    _run(ledger, FakeJudge(client), retry_failed=True)
    assert len(client.calls) - before == 4


def test_retries_are_counted(ledger: Ledger):
    def answer(question: str, attempt: int) -> str | ProviderFault:
        return (
            ProviderFault(Cause.TIMEOUT, "slow", retryable=True, unknown_outcome=True) if attempt < 2 else "4"
        )

    _run(ledger, FakeJudge(FakeClient(answer)))
    assert _values(ledger) == [4.0] * 12
    totals = {(t.state, t.cause): t.attempts for t in ledger.attempt_totals()}
    assert totals == {("ok", None): 12, ("unknown", "timeout"): 12}


def test_a_fatal_fault_stops_its_judge_and_no_other(ledger: Ledger):
    def refuse(question: str, attempt: int) -> str | ProviderFault:
        return ProviderFault(Cause.AUTH, "key rejected", fatal=True)

    bad, good = FakeClient(refuse, model="bad"), FakeClient()
    stopped = _run(ledger, FakeJudge(bad, "bad"), FakeJudge(good, "good"))
    assert [(s.judge, s.fault.cause) for s in stopped] == [("bad", Cause.AUTH)]
    assert len(bad.calls) <= 4
    assert _values(ledger) == [4.0] * 12


def test_verdicts_come_from_the_cache_in_another_run(ledger: Ledger, cache: VerdictCache, tmp_path: Path):
    client = FakeClient()
    _run(ledger, FakeJudge(client), cache=cache)
    with Ledger(tmp_path / "other.sqlite") as other:
        for dialogue in dialogues(6, turns=2):
            other.add_dialogue(dialogue, "f", 1)
        _run(other, FakeJudge(client), cache=cache)
        assert _values(other) == [4.0] * 12
        assert other.attempt_totals() == []
        assert len(client.calls) == 12


@pytest.mark.parametrize("change", [{"model": "fake-2"}, {"epoch": "again"}])
def test_another_model_or_epoch_shares_no_cache(
    ledger: Ledger, cache: VerdictCache, tmp_path: Path, change: dict[str, str]
):
    _run(ledger, FakeJudge(FakeClient()), cache=cache)
    client = FakeClient(model=change.get("model", "fake-1"))
    with Ledger(tmp_path / "other.sqlite") as other:
        for dialogue in dialogues(6, turns=2):
            other.add_dialogue(dialogue, "f", 1)
        _run(other, FakeJudge(client), cache=cache, epoch=change.get("epoch", ""))
    assert len(client.calls) == 12


def test_failures_are_never_cached(ledger: Ledger, cache: VerdictCache):
    _run(ledger, FakeJudge(FakeClient(lambda question, attempt: "nonsense")), cache=cache)
    assert cache.stats().entries == 0


def test_equal_requests_at_the_same_time_are_paid_once(tmp_path: Path, cache: VerdictCache):
    class SameQuestion(FakeJudge):
        async def judge(self, item, ask):
            return await FakeJudge.judge(
                self, type(item)(item.dialogue.__class__("same", item.dialogue.messages), 1), ask
            )

    client = FakeClient()
    with Ledger(tmp_path / "run.sqlite") as ledger:
        for dialogue in dialogues(8):
            same = type(dialogue)(dialogue.id, dialogues(1)[0].messages)
            ledger.add_dialogue(same, "f", 1)
        _run(ledger, SameQuestion(client), cache=cache)
        assert _values(ledger) == [4.0] * 8
    assert len(client.calls) == 1


def test_a_stopped_run_keeps_what_it_has_and_goes_on_later(ledger: Ledger):
    client = FakeClient(max_parallel=1)
    desk = Desk(ledger, None, LimiterPool(), NO_WAIT, Budget(Prices()), b"secret")
    plan = RunPlan(judges=(FakeJudge(client),))
    asyncio.run(run_judges(desk, plan, Silent(), lambda: len(client.calls) >= 5))
    assert len(_values(ledger)) == 5
    _run(ledger, FakeJudge(client))
    assert len(_values(ledger)) == 12
    assert len(client.calls) == 12


def test_a_bug_in_a_judge_is_raised(ledger: Ledger):
    class Broken(FakeJudge):
        async def judge(self, item, ask):
            raise ZeroDivisionError

    with pytest.raises(BaseExceptionGroup) as caught:
        _run(ledger, Broken(FakeClient()))
    assert caught.group_contains(ZeroDivisionError)


def test_results_in_the_ledger_are_whole(ledger: Ledger):
    _run(ledger, FakeJudge(FakeClient(lambda question, attempt: "nonsense")))
    row = next(iter(ledger.outcomes()))
    assert row.results == (Failure(Cause.NO_VERDICT, raw="nonsense"),)
