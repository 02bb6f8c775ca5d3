"""Outcomes that were read from cached verdicts once are not read again, and never stand in for others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from evalharness.core.dialogue import Dialogue, Item, Message, TurnChoice
from evalharness.core.scores import Result
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import Ledger
from evalharness.engine import recalling, remembering
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Desk
from evalharness.engine.budget import Budget
from evalharness.engine.judging import run_judges
from evalharness.engine.plan import Limits, RunPlan
from evalharness.engine.progress import Silent
from evalharness.judges.interface import Ask
from evalharness.llm.client import Request
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import LimiterPool
from tests.engine.fakes import FakeClient, FakeJudge, dialogues

Open = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Makes desks that share a cache, each with a ledger of its own; no verdict is read but through what is remembered."""
    with ExitStack() as stack:
        cache = VerdictCache(tmp_path / "cache")
        stack.callback(cache.close)

        def make(rows: list[Dialogue] | None = None) -> Desk:
            ledger = stack.enter_context(Ledger(tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite"))
            for dialogue in dialogues(6, turns=2) if rows is None else rows:
                ledger.add_dialogue(dialogue, "f", 1)
            return Desk(ledger, cache, LimiterPool(), RetryPolicy(), Budget(Prices()), b"secret")

        yield make


def _plan(judge: FakeJudge, **facts: object) -> RunPlan:
    return replace(RunPlan(judges=(judge,), limits=Limits(concurrency=4)), **facts)


def _judge(desk: Desk, judge: FakeJudge, **facts: object) -> None:
    plan = _plan(judge, **facts)
    desk.epoch = plan.epoch
    asyncio.run(run_judges(desk, plan, Silent(), lambda: False))


def _recall(desk: Desk, judge: FakeJudge, **facts: object) -> list[tuple[str, int | None, object]]:
    plan = _plan(judge, **facts)
    desk.epoch = plan.epoch
    recalling.recall(desk, plan, Silent(), lambda: False)
    return _outcomes(desk)


def _outcomes(desk: Desk) -> list[tuple[str, int | None, object]]:
    return [(row.dialogue, row.turn, row.results) for row in desk.ledger.outcomes()]


def test_what_was_judged_is_known_in_another_run(opened: Open):
    judge = FakeJudge(FakeClient())
    first, second = opened(), opened()
    _judge(first, judge)
    assert _recall(second, judge) == _outcomes(first)
    assert second.cached == {1: 12}
    _judge(second, judge)
    assert len(judge.client.calls) == 12


def test_what_a_run_has_is_neither_counted_nor_replaced(opened: Open):
    judge = FakeJudge(FakeClient())
    _judge(opened(), judge)
    desk = opened()
    assert len(_recall(desk, judge)) == 12
    assert len(_recall(desk, judge)) == 12
    assert desk.cached == {1: 12}


@dataclass(frozen=True)
class Otherwise:
    """A change after which nothing may be known."""

    judge: Callable[[FakeJudge], FakeJudge] = lambda judge: judge
    dialogue: Callable[[Dialogue], Dialogue] = lambda dialogue: dialogue
    epoch: str = ""
    turns: TurnChoice = TurnChoice.ALL
    code: str = "as it was"


@pytest.mark.parametrize(
    "other",
    [
        Otherwise(judge=lambda judge: replace(judge, client=FakeClient(model="fake-2"))),
        Otherwise(judge=lambda judge: replace(judge, name="other")),
        Otherwise(
            dialogue=lambda d: replace(d, messages=(*d.messages[:-1], Message("assistant", "another")))
        ),
        Otherwise(dialogue=lambda d: replace(d, metadata={"system": "other"})),
        Otherwise(dialogue=lambda d: replace(d, id=f"{d.id}x")),
        Otherwise(epoch="again"),
        Otherwise(turns=TurnChoice.LAST),
        Otherwise(code="another version"),
    ],
    ids=["model", "judge", "reply", "metadata", "id", "epoch", "turns", "code"],
)
def test_nothing_is_known_of_anything_else(opened: Open, other: Otherwise, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remembering, "reader", lambda: "as it was")
    judge = FakeJudge(FakeClient())
    _judge(opened(), judge)
    assert len(_recall(opened(), judge)) == 12, "the same is known"
    monkeypatch.setattr(remembering, "reader", lambda: other.code)
    desk = opened([other.dialogue(dialogue) for dialogue in dialogues(6, turns=2)])
    assert _recall(desk, other.judge(judge), epoch=other.epoch, turns=other.turns) == []


def test_the_code_that_reads_replies_is_part_of_what_is_known():
    assert remembering.reader() == remembering.reader()
    assert len(remembering.reader()) == 64
    parts = [name for name, _ in remembering._sources(remembering.files("evalharness") / "judges", "judges")]
    assert "judges/verdict.py" in parts


class Repairing(FakeJudge):
    """Asks once more where the first reply is no verdict."""

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        results = await super().judge(item, ask)
        if item.turn == 1:
            await ask(self.client, Request("judge", item.dialogue.id, "not kept"))
        return results


def test_an_outcome_with_a_reply_that_was_not_kept_is_not_remembered(opened: Open):
    judge = Repairing(FakeClient())
    _judge(opened(), judge)
    assert {turn for _, turn, _ in _recall(opened(), judge)} == {3}


def test_failures_are_not_remembered(opened: Open):
    judge = FakeJudge(FakeClient(lambda question, attempt: "4" if ":1:" in question else "nonsense"))
    _judge(opened(), judge)
    assert {turn for _, turn, _ in _recall(opened(), judge)} == {1}


def test_an_answer_of_another_model_is_not_taken(opened: Open):
    judge = FakeJudge(FakeClient())
    _judge(opened(), judge)
    desk = opened()
    desk.answering = Answering({1: 1}, {1: {"fake-2"}})
    assert _recall(desk, judge) == []


def test_a_stop_ends_it_between_blocks(opened: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remembering, "_BLOCK", 5)
    judge = FakeJudge(FakeClient())
    _judge(opened(), judge)
    desk = opened()
    recalling.recall(desk, _plan(judge), Silent(), lambda: bool(_outcomes(desk)))
    assert len(_outcomes(desk)) == 5


def test_pruning_verdicts_takes_what_was_read_from_them(opened: Open):
    judge = FakeJudge(FakeClient())
    _judge(opened(), judge)
    desk = opened()
    assert isinstance(desk.cache, VerdictCache)
    assert desk.cache.stats().outcomes == 12
    assert desk.cache.prune(older_than=3600.0) == 0
    assert desk.cache.stats().outcomes == 0
    assert _recall(desk, judge) == []
    _judge(desk, judge)
    assert len(judge.client.calls) == 12, "the verdicts themselves are there"
    assert desk.cache.stats().outcomes == 12
    assert desk.cache.clear() == 12
    assert desk.cache.stats().outcomes == 0
