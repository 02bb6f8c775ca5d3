"""Running judges: a fixed number of workers per judge pull items from the ledger and commit each outcome.

A verdict that a model was asked for is committed before the next item is taken, so a killed run loses at most what was
in flight. Verdicts that cost nothing (from the cache, a recording, a fitted judge) are committed together, and always
before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Cause, Failure
from evalharness.data.ledger.store import ItemRef, Ledger, StoredDialogue, decode, encode
from evalharness.engine.asking import Asker, Desk
from evalharness.engine.plan import Limits, RunPlan, items_of, needs_of, scorer_key, title
from evalharness.engine.progress import LaneState, Progress, causes
from evalharness.engine.remembering import memory_of
from evalharness.errors import StorageError
from evalharness.judges.interface import Judge
from evalharness.judges.steps import lacks_verdict
from evalharness.llm.client import Client, ProviderFault, prepare

_BLOCK = 64
_HELD = 64
"""Verdicts that cost nothing, at most, until they are committed together."""

TRANSIENT = frozenset(
    {
        Cause.TIMEOUT,
        Cause.CONNECTION,
        Cause.RATE_LIMITED,
        Cause.SERVER_ERROR,
        Cause.PROTOCOL,
        Cause.INCOMPLETE,
    }
)
"""Causes that a later try may not meet again: such items are asked anew when the same command runs again."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A judge that had to stop: its name, and what the provider said."""

    judge: str
    fault: ProviderFault


async def run_judges(
    desk: Desk, plan: RunPlan, progress: Progress, stopped: Callable[[], bool]
) -> tuple[Stopped, ...]:
    """Let every judge of the plan judge what it has not judged yet; returns the judges that had to stop.

    Judges that build on others' values come last, and not before the others are through.
    """
    first = [judge for judge in plan.judges if not needs_of(judge)]
    last = [judge for judge in plan.judges if needs_of(judge)]
    found = await _side_by_side(desk, plan, first, progress, stopped)
    if found or stopped():
        return found
    return await _side_by_side(desk, plan, last, progress, stopped)


async def _side_by_side(
    desk: Desk, plan: RunPlan, judges: Sequence[Judge], progress: Progress, stopped: Callable[[], bool]
) -> tuple[Stopped, ...]:
    return await work_side_by_side([_Lane(desk, plan, judge, progress, stopped) for judge in judges])


class Lane(Protocol):
    """A judge at work: what its workers share."""

    fatal: ProviderFault | None
    """Why it had to stop for good; None while it has not."""

    @property
    def judge_name(self) -> str:
        """The judge's name."""
        ...

    @property
    def workers(self) -> int:
        """How many workers it has."""
        ...

    async def work(self) -> None:
        """One worker: takes tasks until there are none, or the run or this judge is stopped."""
        ...


async def work_side_by_side(lanes: Sequence[Lane]) -> tuple[Stopped, ...]:
    """Let all workers of all lanes work to their end; returns the judges that had to stop.

    A disk that fails is raised as the one StorageError that all of them met.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                for _ in range(lane.workers):
                    group.create_task(lane.work())
    except BaseExceptionGroup as failed:
        storage, others = failed.split(StorageError)
        if storage is None or others is not None:
            raise
        raise first_storage_error(storage) from failed
    return tuple(Stopped(lane.judge_name, lane.fatal) for lane in lanes if lane.fatal is not None)


def first_storage_error(group: BaseExceptionGroup[StorageError]) -> StorageError:
    """The first of the errors that workers met side by side: they share one disk."""
    error = group.exceptions[0]
    return first_storage_error(error) if isinstance(error, BaseExceptionGroup) else error


class _Lane:
    """One judge with its workers, which share one stream of items."""

    def __init__(
        self, desk: Desk, plan: RunPlan, judge: Judge, progress: Progress, stopped: Callable[[], bool]
    ) -> None:
        self.judge = judge
        self.fatal: ProviderFault | None = None
        self.scorer = desk.ledger.scorer(scorer_key(judge.columns), judge.columns)
        self._desk = desk
        self._progress = progress
        self._stopped = stopped
        self._name = title(judge.columns)
        self.workers = self._working = lane_count(plan, judge)
        self._memory = memory_of(desk, plan, self.judge)
        self._held: list[tuple[int, int | None, str]] = []
        self._items = pending_items(desk.ledger, plan, judge, self.scorer)
        total = item_count(desk.ledger, plan, judge)
        live = desk.shelf is None or desk.shelf.collector is None
        done = desk.ledger.outcome_count(self.scorer)
        if done < total and not desk.offline:
            prepare(judge.clients)
        progress.start(self._name, total, done, self._lane_state if live else None)

    @property
    def judge_name(self) -> str:
        """The judge's name."""
        return self.judge.name

    async def work(self) -> None:
        """Take items until there are none, or the run or this judge is stopped."""
        try:
            for ref, item in self._items:
                if self._stopped() or self.fatal is not None:
                    return
                await self._one(ref, item)
        finally:
            self._commit()
            self._working -= 1
            if self._memory is not None and not self._working:
                self._memory.flush()

    def _commit(self) -> None:
        """Store the verdicts that cost nothing."""
        if self._held:
            with self._desk.ledger.transaction():
                self._desk.ledger.put_encoded(self.scorer, self._held)
            self._progress.advance(self._name, len(self._held))
            self._held.clear()

    def _hold(self, ref: ItemRef, body: str) -> None:
        self._held.append((ref.seq, ref.turn, body))
        if len(self._held) >= _HELD:
            self._commit()

    def _lane_state(self) -> LaneState | None:
        """The lanes of the judge's models together; the first that is not open names the state."""
        lanes = [self._desk.limiter(client) for client in self.judge.clients]
        if not lanes:
            return None
        states = [lane.state for lane in lanes]
        return LaneState(
            sum(lane.in_flight for lane in lanes),
            sum(lane.limit for lane in lanes),
            sum(lane.waiting for lane in lanes),
            next((state for state in states if state != "open"), "open"),
        )

    async def _one(self, ref: ItemRef, item: Item) -> None:
        asker = Asker(self._desk, self.scorer, ref, before_sending=self._commit)
        results = await self.judge.judge(item, asker)
        if asker.fatal is not None:
            self.fatal = asker.fatal
            return
        shelf = self._desk.shelf
        failed = causes(results)
        body = encode(results)
        if self._memory is not None and asker.lasting and not failed:
            self._memory.note(ref, body, asker.models, asker.replies)
        if shelf is None and not asker.sent and not failed:
            self._hold(ref, body)
            return
        if shelf is None:
            self._desk.ledger.put_body(self.scorer, ref, body)
        elif asker.waiting:
            shelf.waiting += 1
            return
        else:
            with self._desk.ledger.transaction():
                self._desk.ledger.put(self.scorer, ref, results)
                shelf.store.close(self.scorer, ref)
        self._desk.budget.failures += bool(failed)
        self._desk.ledger.then(partial(self._progress.advance, self._name, 1, failed, asker.cost))


def lane_count(plan: RunPlan, judge: Judge) -> int:
    """How many items of a judge are worked on at once."""
    return workers_of(plan.limits, judge.clients)


def workers_of(limits: Limits, clients: Iterable[Client]) -> int:
    """How many requests a judge that asks these models has in flight at most."""
    parallel = [client.capabilities.max_parallel for client in clients]
    return min([limits.concurrency, *(bound for bound in parallel if bound is not None)])


def pending_items(ledger: Ledger, plan: RunPlan, judge: Judge, scorer: int) -> Iterator[tuple[ItemRef, Item]]:
    """The items that the judge has no lasting outcome for, turns of a dialogue next to each other."""
    for stored, done in pending_dialogues(ledger, plan, judge, scorer):
        yield from items_left(stored, done, judge, plan)


def pending_dialogues(
    ledger: Ledger, plan: RunPlan, judge: Judge, scorer: int
) -> Iterator[tuple[StoredDialogue, frozenset[int | None]]]:
    """The dialogues with such items, each with the turns that have a lasting outcome (None for the whole)."""
    if ledger.outcome_count(scorer) == item_count(ledger, plan, judge) and not ledger.has_failures(scorer):
        return
    for block in ledger.dialogue_blocks(_BLOCK):
        done: dict[int, set[int | None]] = {}
        for ref, body in ledger.done(scorer, block[0].seq, block[-1].seq).items():
            if not ask_again(body, plan.retry_failed):
                done.setdefault(ref.seq, set()).add(ref.turn)
        for stored in block:
            lasting = frozenset(done.get(stored.seq, ()))
            if not lasting or len(lasting) != _items_in(stored, judge, plan):
                yield stored, lasting


def _items_in(stored: StoredDialogue, judge: Judge, plan: RunPlan) -> int:
    return 1 if judge.unit is Unit.DIALOGUE else stored.turns(plan.turns)


def items_left(
    stored: StoredDialogue, done: frozenset[int | None], judge: Judge, plan: RunPlan
) -> Iterator[tuple[ItemRef, Item]]:
    """The items of a dialogue but for those that are done."""
    for item in items_of(stored.load(), judge.unit, plan.turns):
        if item.turn not in done:
            yield ItemRef(stored.seq, item.turn), item


def item_count(ledger: Ledger, plan: RunPlan, judge: Judge) -> int:
    """How many items the judge has to judge in all."""
    if judge.unit is Unit.DIALOGUE:
        return ledger.dialogue_count()
    return ledger.turn_count(plan.turns)


def ask_again(body: str, retry_failed: bool) -> bool:
    """Whether a stored outcome is to be asked for anew: a failure that may pass, or any if ``retry_failed``, that of a
    member of a panel which has a verdict without it included."""
    if '"failed"' not in body:
        return False
    results = decode(body)
    if retry_failed and any(map(lacks_verdict, results)):
        return True
    failures = [result for result in results if isinstance(result, Failure)]
    own = [failure.cause for failure in failures if failure.cause is not Cause.INCOMPLETE]
    return any(cause in TRANSIENT for cause in own)
