"""A run by way of batches: look at what is in flight, judge what has come, submit what is still to be asked.

One round per command, or round after round (``wait``). What the user does not want to wait for is asked live, by the
same workers as in any other run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from evalharness.data.ledger.batches import OPEN, BatchState, StoredBatch
from evalharness.engine.asking import Desk
from evalharness.engine.batch_collect import Gatherer
from evalharness.engine.batch_submit import Submitter, give_back
from evalharness.engine.batching import DEFAULT_LIMITS, Collector, Shelf, batch_api, lane_of
from evalharness.engine.budget import LimitReached
from evalharness.engine.judging import Stopped, run_judges
from evalharness.engine.plan import RunPlan
from evalharness.engine.progress import Progress
from evalharness.errors import UsageError
from evalharness.llm.batches import BatchClient, BatchLimits
from evalharness.llm.client import ProviderFault

_SLICE = 0.2
"""Seconds between two looks at whether the user wants to stop."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How batches are used.

    ``submit``: what is not answered goes into batches, else it is asked live. ``wait``: go on every ``poll`` seconds
    until all is in. ``cancel``: stop batches in flight first. ``give_up``: ask again what was in batches that the
    provider does not know, and in those of which it is not known whether they arrived.
    """

    submit: bool
    wait: bool = False
    poll: float = 60.0
    cancel: bool = False
    give_up: bool = False
    limits: BatchLimits = DEFAULT_LIMITS


def check_batchable(plan: RunPlan) -> None:
    """Every judge must have a batch API; a :class:`UsageError` names those that have none."""
    without = [
        judge.name
        for judge in plan.judges
        if not judge.clients or any(batch_api(client) is None for client in judge.clients)
    ]
    if not plan.judges:
        raise UsageError(
            "--batch needs a judge", fix="Add --judge openai:MODEL or anthropic:MODEL and --rubric."
        )
    if without:
        raise UsageError(
            f"--batch: {', '.join(without)} can't be asked in batches",
            fix="Only openai:… and anthropic:… (at Anthropic itself) can; leave --batch out to ask live.",
        )


async def run_batched(
    desk: Desk, plan: RunPlan, progress: Progress, stopped: Callable[[], bool], how: Batching
) -> tuple[Stopped, ...]:
    """Go through the rounds; returns the judges that had to stop. ``desk.shelf.waiting`` items have no answer yet."""
    rounds = _Rounds(desk, plan, progress, stopped, how)
    rounds.sweep()
    if how.submit:
        return await rounds.go()
    return await rounds.go_live()


class _Rounds:
    def __init__(
        self, desk: Desk, plan: RunPlan, progress: Progress, stopped: Callable[[], bool], how: Batching
    ) -> None:
        self._desk = desk
        self._plan = plan
        self._progress = progress
        self._stopped = stopped
        self._how = how
        self._store = desk.ledger.batches
        self._stops: dict[str, ProviderFault] = {}
        self._clients = {
            lane_of(client): cast(BatchClient, client)
            for judge in plan.judges
            for client in judge.clients
            if batch_api(client) is not None
        }
        self._submitter = Submitter(desk, progress, self._stops)
        self._gatherer = Gatherer(desk, progress, self._stops)
        self._shelf = desk.shelf = Shelf(self._store, desk.policy, shared=desk.cache is not None)

    def sweep(self) -> None:
        """Forget what was planned by a process that died before it sent anything."""
        for batch in self._store.all((BatchState.PLANNED,)):
            self._store.drop(batch.no)

    async def go(self) -> tuple[Stopped, ...]:
        """Rounds of looking, judging and submitting: one, or as many as it takes."""
        fresh = True
        failed: tuple[Stopped, ...] = ()
        while True:
            self._forget_passing_stops()
            came = await self._look()
            if self._how.give_up:
                came += self._give_up()
            if fresh or came or self._unsent:
                failed = await self._judge()
                fresh = False
            if not self._shelf.waiting or not self._how.wait or self._stopped() or not self._hope():
                return (*failed, *self._stopped_judges())
            await self._rest()

    async def go_live(self) -> tuple[Stopped, ...]:
        """Take what has come, and ask live what is in no batch in flight (after cancelling those, if wished)."""
        await self._look()
        if self._how.cancel:
            await self._cancel()
            self._give_up()
        stops = self._stopped_judges()
        return (*await run_judges(self._desk, self._plan, self._progress, self._stopped), *stops)

    def _forget_passing_stops(self) -> None:
        """Try again what may work by now: a provider that did not answer, a limit that answers have made room under."""
        for lane, fault in list(self._stops.items()):
            if fault.retryable or isinstance(fault, LimitReached):
                del self._stops[lane]

    async def _look(self) -> int:
        """Trace, poll and collect every open batch; how many have ended."""
        came = 0
        for states in ((BatchState.SENDING,), (BatchState.RUNNING, BatchState.MISSING)):
            for batch in self._open(*states):
                if self._stopped():
                    return came
                try:
                    came += await self._look_at(batch)
                except ProviderFault as fault:
                    self._stops[batch.lane] = fault
        return came

    async def _look_at(self, batch: StoredBatch) -> bool:
        """Whether a batch has ended, or (one that was being sent) what became of it is known now."""
        client = self._clients[batch.lane]
        api = batch_api(client)
        assert api is not None
        if batch.state is BatchState.SENDING:
            return await self._submitter.trace(batch, api)
        return await self._gatherer.look(batch, client, api)

    def _open(self, *states: BatchState) -> list[StoredBatch]:
        """Open batches of models that this run asks; those of others are left alone."""
        return [batch for batch in self._store.all(states or OPEN) if batch.lane in self._clients]

    async def _judge(self) -> tuple[Stopped, ...]:
        """Judge what has its answers, and submit what has none."""
        collector = Collector(
            self._desk.budget, self._how.limits, self._submitter.submit, shared=self._shelf.shared
        )
        collector.stops = self._stops
        self._shelf.collector = collector
        self._shelf.waiting = 0
        failed = await run_judges(self._desk, self._plan, self._progress, self._stopped)
        if self._stopped():
            collector.empty()
        else:
            await collector.finish()
        self._shelf.collector = None
        return failed

    @property
    def _unsent(self) -> bool:
        """Whether something could not be submitted for a reason that may have passed."""
        return any(fault.retryable for fault in self._stops.values()) or not self._open()

    def _hope(self) -> bool:
        """Whether waiting can bring anything."""
        moving = self._open(BatchState.SENDING, BatchState.RUNNING)
        return bool(moving) or any(fault.retryable for fault in self._stops.values())

    async def _rest(self) -> None:
        """Until the next round, or until the user wants to stop."""
        left = self._how.poll
        while left > 0 and not self._stopped():
            await asyncio.sleep(min(_SLICE, left))
            left -= _SLICE

    async def _cancel(self) -> None:
        """Have the provider stop every batch in flight, and take what it has answered until then."""
        for batch in self._open(BatchState.RUNNING):
            api = batch_api(self._clients[batch.lane])
            assert api is not None
            try:
                await api.cancel(batch.remote)
                self._progress.note(f"batch {batch.remote}: cancelling")
            except ProviderFault as fault:
                if not (fault.status is not None and 400 <= fault.status < 500):
                    self._stops[batch.lane] = fault
        while not self._stopped():
            await self._look()
            if not self._open(BatchState.RUNNING) or self._stops:
                return
            await self._rest()

    def _give_up(self) -> int:
        """Let go of batches that are missing or may never have arrived; how many there were."""
        lost = self._open(BatchState.MISSING, BatchState.SENDING)
        for batch in lost:
            count = len(give_back(self._desk.ledger, batch, BatchState.GIVEN_UP, unknown=True))
            name = batch.remote or batch.marker
            self._progress.note(f"batch {name}: given up, {count:,} requests are asked again")
        return len(lost)

    def _stopped_judges(self) -> tuple[Stopped, ...]:
        """The judges whose models can't be asked for more."""
        return tuple(
            Stopped(judge.name, self._stops[lane])
            for judge in self._plan.judges
            for lane in {lane_of(client) for client in judge.clients}
            if lane in self._stops
        )
