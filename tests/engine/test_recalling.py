"""Verdicts taken from the cache on every processor: the same outcomes as one after the other, nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import Ledger
from evalharness.engine import recalling
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Desk
from evalharness.engine.budget import Budget
from evalharness.engine.forks import can_copy
from evalharness.engine.judging import run_judges
from evalharness.engine.plan import Limits, RunPlan
from evalharness.engine.progress import Silent
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import LimiterPool
from tests.engine.fakes import FakeClient, FakeJudge, dialogues

pytestmark = pytest.mark.skipif(
    not can_copy(), reason="this machine has one processor or can't copy processes"
)


@pytest.fixture(autouse=True)
def little_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "WORTH", 4)
    monkeypatch.setattr(recalling, "_PART", 3)
    monkeypatch.setattr(recalling, "_ROUND", 7)


def _desk(tmp_path: Path, name: str, rows: int) -> Desk:
    ledger = Ledger(tmp_path / f"{name}.sqlite")
    for dialogue in dialogues(rows, turns=2):
        ledger.add_dialogue(dialogue, "f", 1)
    cache = VerdictCache(tmp_path / "cache")
    cache.outcomes.clear()  # what is remembered needs no copies
    return Desk(ledger, cache, LimiterPool(), RetryPolicy(), Budget(Prices()), b"secret")


def _plan(judge: FakeJudge) -> RunPlan:
    return RunPlan(judges=(judge,), limits=Limits(concurrency=4))


def _outcomes(desk: Desk) -> list[tuple[str, int | None, object]]:
    return [(row.dialogue, row.turn, row.results) for row in desk.ledger.outcomes()]


def _asked(desk: Desk, judge: FakeJudge) -> None:
    asyncio.run(run_judges(desk, _plan(judge), Silent(), lambda: False))


def test_what_the_cache_holds_is_committed_and_only_the_rest_is_asked(tmp_path: Path):
    client = FakeClient()
    first = _desk(tmp_path, "first", 10)
    _asked(first, FakeJudge(client=client))
    assert len(client.calls) == 20
    second = _desk(tmp_path, "second", 13)
    judge = FakeJudge(client=client)
    recalling.recall(second, _plan(judge), Silent(), lambda: False)
    assert _outcomes(second) == _outcomes(first)
    assert second.cached == {1: 20}
    _asked(second, judge)
    assert len(client.calls) == 26
    assert len(_outcomes(second)) == 26


def test_a_reply_of_another_model_is_left_to_the_engine(tmp_path: Path):
    judge = FakeJudge(client=FakeClient())
    _asked(_desk(tmp_path, "first", 5), judge)
    second = _desk(tmp_path, "second", 5)
    second.answering = Answering({1: 1}, {1: {"fake-2"}})
    recalling.recall(second, _plan(judge), Silent(), lambda: False)
    assert _outcomes(second) == []
    assert second.cached == {1: 0}


def test_little_to_do_and_an_empty_cache_copy_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[object] = []
    judge = FakeJudge(client=FakeClient())
    monkeypatch.setattr(recalling, "copies", made.append)
    recalling.recall(_desk(tmp_path, "first", 5), _plan(judge), Silent(), lambda: False)
    _asked(_desk(tmp_path, "second", 5), judge)
    recalling.recall(_desk(tmp_path, "third", 1), _plan(judge), Silent(), lambda: False)
    assert made == []


def test_copies_give_up_where_most_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recalling, "_PROBE", 2)
    judge = FakeJudge(client=FakeClient())
    _asked(_desk(tmp_path, "first", 1), judge)
    second = _desk(tmp_path, "second", 30)
    recalling.recall(second, _plan(judge), Silent(), lambda: False)
    assert len(_outcomes(second)) <= 2


def test_a_stop_ends_it(tmp_path: Path):
    judge = FakeJudge(client=FakeClient())
    _asked(_desk(tmp_path, "first", 20), judge)
    second = _desk(tmp_path, "second", 20)
    recalling.recall(second, _plan(judge), Silent(), lambda: bool(_outcomes(second)))
    assert 0 < len(_outcomes(second)) < 40
