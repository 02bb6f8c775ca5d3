"""Scoring blocks of dialogues away from the ledger: metrics, checks and judges of one worker process.

What the worker needs of the run it asks of the :class:`Keeper`, which may be in another process on another machine.
A block that is scored again, because its first worker died, is scored only where it has no outcome yet.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Item, TurnChoice
from evalharness.core.metric import Metric
from evalharness.core.rubric import Rubric
from evalharness.data.ledger.store import ItemRef, StoredDialogue, encode
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Asker, Counter, Place
from evalharness.engine.budget import Budget, LimitReached
from evalharness.engine.judging import ask_again
from evalharness.engine.keeping import Keeper
from evalharness.engine.measure import Block, score_block
from evalharness.engine.plan import Limits, items_of, needs_of
from evalharness.engine.progress import causes
from evalharness.judges.interface import Judge
from evalharness.judges.options import JudgeOptions
from evalharness.judges.spec import make_judges
from evalharness.llm.client import Client, Request, prepare
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import Bounds, LimiterPool

Row = tuple[int, str]
"""A dialogue's number in the ledger, and its stored text."""


@dataclass(frozen=True)
class WorkerJob:
    """What every worker of a run is told. Keys are not part of it: they come from the worker's own environment.

    ``judges`` are specifications, since clients can't be sent; ``limits`` is one worker's share; ``folder`` is where
    relative paths begin.
    """

    metrics: tuple[Metric, ...] = ()
    metric_numbers: tuple[int, ...] = ()
    judges: tuple[str, ...] = ()
    rubrics: tuple[Rubric, ...] = ()
    judge_numbers: tuple[int, ...] = ()
    judge_options: JudgeOptions = field(default_factory=JudgeOptions)
    model_options: Mapping[str, Json] = field(default_factory=dict)
    composed_judges: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)
    turns: TurnChoice = TurnChoice.ALL
    limits: Limits = field(default_factory=Limits)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    secret: bytes = b""
    epoch: str = ""
    retry_failed: bool = False
    offline: bool = False
    use_cache: bool = True
    folder: str = ""


def share_of(limits: Limits, workers: int) -> Limits:
    """One of ``workers`` equal shares of what may be in flight and sent a minute; at least one request in flight."""
    return replace(
        limits,
        concurrency=max(1, limits.concurrency // workers),
        rpm=None if limits.rpm is None else limits.rpm / workers,
        tpm=None if limits.tpm is None else limits.tpm / workers,
    )


class BlockScorer:
    """One worker: judges and connections are made once, blocks come one after the other."""

    def __init__(self, job: WorkerJob, keeper: Keeper) -> None:
        if job.folder:
            with suppress(OSError):  # on another machine it need not exist
                os.chdir(job.folder)
        self._job = job
        self._keeper = keeper
        self._judges = make_judges(
            job.judges, job.rubrics, job.judge_options, job.model_options, job.composed_judges
        )
        limits = job.limits
        self._counter = Counter(
            ledger=_Book(keeper),
            cache=_Replies(keeper) if job.use_cache else None,
            limiters=LimiterPool(Bounds(limits.concurrency, limits.rpm, limits.tpm, limits.max_wait)),
            policy=job.policy,
            budget=_budget(job, keeper),
            secret=job.secret,
            epoch=job.epoch,
            offline=job.offline,
            answering=_SharedAnswering(keeper=keeper),
            places=self._places(),
        )
        self._loop = asyncio.new_event_loop()

    def score(self, rows: Sequence[Row]) -> int:
        """Score a block with everything that is not stopped; how many dialogues it had."""
        over, halted = self._keeper.halted()
        if over or not rows:
            return len(rows)
        if self._job.metrics:
            self._measure(rows)
        numbered = list(zip(self._judges, self._job.judge_numbers, strict=True))
        first = [
            (judge, number) for judge, number in numbered if not needs_of(judge) and number not in halted
        ]
        last = [(judge, number) for judge, number in numbered if needs_of(judge) and number not in halted]
        if first:
            self._loop.run_until_complete(self._judge_all(rows, first))
        if last and self._keeper.halted() == (False, frozenset()):  # they build on what the others said
            self._loop.run_until_complete(self._judge_all(rows, last))
        return len(rows)

    def _places(self) -> dict[Place, tuple[int, int]]:
        """Where the outcome of each column of the run stands."""
        job = self._job
        sets = [
            (metric.columns, number) for metric, number in zip(job.metrics, job.metric_numbers, strict=True)
        ]
        sets += [
            (judge.columns, number) for judge, number in zip(self._judges, job.judge_numbers, strict=True)
        ]
        return {
            (column.scorer, column.rubric, column.criterion): (number, at)
            for columns, number in sets
            for at, column in enumerate(columns)
        }

    def close(self) -> None:
        """Give back connections."""
        for client in {id(c): c for judge in self._judges for c in judge.clients}.values():
            self._loop.run_until_complete(client.close())
        self._loop.close()

    def _measure(self, rows: Sequence[Row]) -> None:
        job = self._job
        done = self._keeper.done(job.metric_numbers, rows[0][0], rows[-1][0])
        block = Block(tuple(rows), tuple(frozenset(of_metric) for of_metric in done))
        scored = score_block(job.metrics, job.turns, block)
        self._keeper.keep_metrics(job.metric_numbers, scored.rows, scored.dialogues)

    async def _judge_all(self, rows: Sequence[Row], wanted: Sequence[tuple[Judge, int]]) -> None:
        done = self._keeper.done([number for _, number in wanted], rows[0][0], rows[-1][0])
        if not self._job.offline:
            prepare(client for judge, _ in wanted for client in judge.clients)
        async with asyncio.TaskGroup() as group:
            for (judge, number), of_judge in zip(wanted, done, strict=True):
                lane = _Lane(self._counter, self._keeper, judge, number, self._pending(judge, rows, of_judge))
                for _ in range(lane.width(self._job.limits.concurrency)):
                    group.create_task(lane.work())
        self._keeper.warn([w for judge, _ in wanted for client in judge.clients for w in client.warnings])

    def _pending(
        self, judge: Judge, rows: Sequence[Row], done: Mapping[ItemRef, str]
    ) -> Iterator[tuple[ItemRef, Item]]:
        for seq, body in rows:
            dialogue = StoredDialogue(seq, "", 0, body).load()
            for item in items_of(dialogue, judge.unit, self._job.turns):
                ref = ItemRef(seq, item.turn)
                if ref not in done or ask_again(done[ref], self._job.retry_failed):
                    yield ref, item


class _Lane:
    """One judge on one block."""

    def __init__(
        self,
        counter: Counter[_Book],
        keeper: Keeper,
        judge: Judge,
        scorer: int,
        items: Iterator[tuple[ItemRef, Item]],
    ) -> None:
        self._counter = counter
        self._keeper = keeper
        self._judge = judge
        self._scorer = scorer
        self._items = items
        self._over = False

    def width(self, concurrency: int) -> int:
        """How many items are worked on at once."""
        bounds = [client.capabilities.max_parallel for client in self._judge.clients]
        return min([concurrency, *(bound for bound in bounds if bound is not None)])

    async def work(self) -> None:
        """Take items until there are none, or the judge has to stop."""
        for ref, item in self._items:
            if self._over:
                return
            await self._one(ref, item)

    async def _one(self, ref: ItemRef, item: Item) -> None:
        asker = Asker(self._counter, self._scorer, ref)
        results = await self._judge.judge(item, asker)
        if asker.fatal is not None:
            self._over = True
            self._keeper.halt(self._scorer, asker.fatal.cause.value, asker.fatal.detail)
            return
        self._keeper.keep_verdict(
            self._scorer, ref, encode(results), causes(results), asker.cost, asker.from_cache
        )


class _Book:
    """The record of attempts, kept by the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def begin_attempt(
        self, scorer: int, item: ItemRef, *, sample: int, step: str, request: str, possible: float | None
    ) -> int:
        facts = {"sample": sample, "step": step, "request": request, "possible": possible}
        number = self._keeper.begin(scorer, item, facts)
        if isinstance(number, str):
            raise LimitReached(number)
        return number

    def end_attempt(self, number: int, **facts: Any) -> None:
        self._keeper.end(number, facts)

    def done(self, scorer: int, first: int, last: int) -> Mapping[ItemRef, str]:
        return self._keeper.done([scorer], first, last)[0]


class _Replies:
    """The verdict cache, kept by the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self._keeper.reply(key)

    def put(self, key: str, value: Mapping[str, Json]) -> None:
        self._keeper.keep_reply(key, value)


@dataclass(slots=True)
class _SharedAnswering(Answering):
    """The models that answer the judges of the whole run, which the keeper knows."""

    keeper: Keeper | None = None

    def is_another(self, scorer: int, model: str) -> bool:
        assert self.keeper is not None
        known = self.models.setdefault(scorer, set())
        if not model or model in known:
            return False
        before = self.keeper.another(scorer, model)
        if before:
            self.models[scorer] = set(before)
            return True
        known.add(model)
        return False


@dataclass(slots=True)
class _SharedBudget(Budget):
    """The limits on cost and failures of the whole run, which the keeper counts."""

    keeper: Keeper | None = None

    async def room(self, client: Client, request: Request) -> None:
        """At once: requests in flight are those of all workers, and nobody tells when one has ended."""

    def take(self, most: float | None) -> None:
        assert self.keeper is not None
        refused = self.keeper.take(most)
        if refused:
            raise LimitReached(refused)

    def settle(self, reserved: float | None, cost: float | None) -> None:
        assert self.keeper is not None
        self.keeper.settle(reserved, cost)


def _budget(job: WorkerJob, keeper: Keeper) -> Budget:
    """A budget that asks the keeper; one of its own where there is nothing to hold to."""
    prices = Prices.from_settings(job.prices)
    limited = job.limits.max_cost is not None or job.limits.max_failures is not None
    return _SharedBudget(prices, keeper=keeper) if limited else Budget(prices)
