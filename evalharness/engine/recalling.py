"""Verdicts whose replies are all in the verdict cache, taken from there before anything is asked.

What was read from them before comes first (see :mod:`evalharness.engine.remembering`). The rest, where it is much, is
read on every processor: a copy of this process (see :mod:`evalharness.engine.forks`) reads the cache and judges as the
engine would, save that nothing can be sent: an item with a reply that is not in the cache is left to the engine. This
process commits what comes back. Nothing here is needed for a right result: without it the engine does the same, one
after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from evalharness.core.dialogue import Item
from evalharness.core.scores import Cause, Result
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import ItemRef, StoredDialogue, encode
from evalharness.engine.asking import Desk, cache_key
from evalharness.engine.forks import WORTH, Work, can_copy, copies, processors
from evalharness.engine.judging import item_count, items_left, pending_dialogues
from evalharness.engine.plan import RunPlan, scorer_key, title
from evalharness.engine.progress import Progress, causes
from evalharness.engine.remembering import Memory, memory_of
from evalharness.judges.interface import Judge
from evalharness.llm import replyjson
from evalharness.llm.client import Client, ProviderFault, Reply, Request

_ROUND = 20_000
"""Dialogues that are held in memory at once."""
_PART = 100
_PROBE = 200
"""From this many items on a copy gives up when most replies were not there."""


class Recalled(NamedTuple):
    """An item that was judged from the cache: where it stands, its encoded results, which models had answered, and
    how many replies there were."""

    seq: int
    turn: int | None
    body: str
    models: tuple[str, ...]
    replies: int


def recall(desk: Desk, plan: RunPlan, progress: Progress, stopped: Callable[[], bool]) -> None:
    """Commit every outcome that the verdict cache gives at once."""
    cache = desk.cache
    if not isinstance(cache, VerdictCache) or cache.empty:
        return
    for judge in plan.judges:
        memory = memory_of(desk, plan, judge)
        scorer = desk.ledger.scorer(scorer_key(judge.columns), judge.columns)
        if memory is None or desk.ledger.has_failures(scorer):  # what failed may build on what it has
            continue
        found, replies = memory.recall(scorer, desk.answering, stopped)
        desk.cached[scorer] = desk.cached.get(scorer, 0) + replies
        if can_copy() and any(client.endpoint for client in judge.clients) and not stopped():
            left = item_count(desk.ledger, plan, judge) - desk.ledger.outcome_count(scorer)
            if left >= WORTH:
                recaller = _Recaller(desk, plan, judge, scorer, memory, cache, stopped)
                found += recaller.run()
        if found:
            progress.note(f"{title(judge.columns)}: {found:,} items judged from the verdict cache")


_Pending = tuple[StoredDialogue, frozenset[int | None]]


@dataclass(frozen=True, slots=True)
class _Recaller:
    """Commits what the cache in a folder gives for one judge."""

    desk: Desk
    plan: RunPlan
    judge: Judge
    scorer: int
    memory: Memory
    cache: VerdictCache
    stopped: Callable[[], bool]

    def run(self) -> int:
        """Some thousand dialogues at a time, as long as the cache has about half of them; how many items there were."""
        pending = pending_dialogues(self.desk.ledger, self.plan, self.judge, self.scorer)
        total = 0
        while (block := list(islice(pending, _ROUND))) and not self.stopped():
            with self.cache.closed():
                found = sum(map(self._commit, self._recalled(block)))
            self.memory.flush()
            total += found
            if found < len(block) // 2:
                break
        return total

    def _commit(self, recalled: Sequence[Recalled]) -> int:
        kept = [row for row in recalled if not self._another(row)]
        with self.desk.ledger.transaction():
            self.desk.ledger.put_encoded(self.scorer, [(row.seq, row.turn, row.body) for row in kept])
        for row in kept:
            self.memory.hold(ItemRef(row.seq, row.turn), row.body, row.models, row.replies)
        replies = sum(row.replies for row in kept)
        self.desk.cached[self.scorer] = self.desk.cached.get(self.scorer, 0) + replies
        return len(kept)

    def _another(self, row: Recalled) -> bool:
        """Whether a reply comes from a model that may not answer this judge."""
        return any(self.desk.answering.is_another(self.scorer, model) for model in row.models)

    def _recalled(self, block: Sequence[_Pending]) -> Iterator[Sequence[Recalled]]:
        """What copies of this process find, some items at a time."""
        workers = min(processors(), 1 + len(block) // WORTH)
        with copies([self._work(block[number::workers]) for number in range(workers)]) as running:
            for result in running.results():
                yield result
                if self.stopped():
                    return

    def _work(self, block: Sequence[_Pending]) -> Work:
        return lambda send: asyncio.run(self._judge_all(block, send))

    async def _judge_all(self, block: Sequence[_Pending], send: Callable[[Sequence[Recalled]], None]) -> None:
        cache = VerdictCache(self.cache.path.parent)
        rows: list[Recalled] = []
        tried = missed = 0
        for stored, done in block:
            for ref, item in items_left(stored, done, self.judge, self.plan):
                recalled = await self._judged(cache, ref, item)
                tried += 1
                if recalled is None:
                    missed += 1
                else:
                    rows.append(recalled)
            if tried >= _PROBE and missed * 2 > tried:
                break
            if len(rows) >= _PART:
                send(rows)
                rows = []
        send(rows)

    async def _judged(self, cache: VerdictCache, ref: ItemRef, item: Item) -> Recalled | None:
        """The item's outcome, None where it takes more than the cache."""
        ask = _Recall(cache, self.desk.epoch, self.desk.secret)
        results = await self.judge.judge(item, ask)
        if ask.missed or causes(results):
            return None
        return Recalled(ref.seq, ref.turn, encode(results), tuple(sorted(ask.models)), len(ask.hits))


class _Recall:
    """Answers a judge from the cache; implements ``judges.interface.Ask``."""

    def __init__(self, cache: VerdictCache, epoch: str, secret: bytes) -> None:
        self.secret = secret
        self.earlier: Sequence[Result] = ()
        self.missed = False
        self.models: set[str] = set()
        self.hits: set[str] = set()
        self._cache = cache
        self._epoch = epoch

    async def __call__(
        self,
        client: Client,
        request: Request,
        *,
        sample: int = 0,
        step: str = "",  # noqa: ARG002 - of attempts, of which there are none
    ) -> Reply:
        """The reply; a fault for good where it is not there, after which the judge asks nothing more."""
        if not self.missed:
            key = cache_key(client, request, sample, self._epoch)
            row = self._cache.get(key)
            try:
                reply = None if row is None else replyjson.from_json(row)
            except (KeyError, TypeError, ValueError):
                reply = None
            if reply is not None:
                self.hits.add(key)
                self.models.add(reply.model)
                return reply
        self.missed = True
        raise ProviderFault(Cause.INCOMPLETE, "not in the cache", fatal=True)

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        """It is there already."""

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:  # noqa: ARG002
        """Judges that build on others are left to the engine."""
        self.missed = True
        return None
