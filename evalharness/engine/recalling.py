"""Verdicts whose replies are all in the verdict cache, taken from there on every processor before anything is asked.

A copy of this process (see :mod:`evalharness.engine.forks`) reads the cache and judges as the engine would, save that
nothing can be sent: an item with a reply that is not in the cache is left to the engine. This process commits what
comes back. Nothing here is needed for a right result: without it the engine does the same, one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from evalharness.core.dialogue import Item
from evalharness.core.scores import Cause, Result
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import ItemRef, encode
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Desk, cache_key
from evalharness.engine.forks import WORTH, Work, can_copy, copies, processors
from evalharness.engine.judging import item_count, pending_items
from evalharness.engine.plan import RunPlan, needs_of, scorer_key, title
from evalharness.engine.progress import Progress, causes
from evalharness.judges.interface import Judge
from evalharness.llm import replyjson
from evalharness.llm.client import Client, ProviderFault, Reply, Request

_ROUND = 20_000
"""Items that are held in memory at once."""
_PART = 100
_PROBE = 200
"""After this many items a copy gives up if most replies are not there."""


class Recalled(NamedTuple):
    """An item that was judged from the cache: where it stands, its encoded results, which models had answered, and
    how many replies there were."""

    seq: int
    turn: int | None
    body: str
    models: tuple[str, ...]
    replies: int


def recall(desk: Desk, plan: RunPlan, progress: Progress, stopped: Callable[[], bool]) -> None:
    """Commit every outcome that the verdict cache gives, where there is enough to do for it to be worth while."""
    cache = desk.cache
    if not isinstance(cache, VerdictCache) or not can_copy() or cache.empty:
        return
    for judge in plan.judges:
        if needs_of(judge) or not any(client.endpoint for client in judge.clients):
            continue
        scorer = desk.ledger.scorer(scorer_key(judge.columns), judge.columns)
        if item_count(desk.ledger, plan, judge) - desk.ledger.outcome_count(scorer) >= WORTH:
            with cache.closed():
                _recall_judge(desk, plan, judge, scorer, cache.path.parent, progress, stopped)


def _recall_judge(
    desk: Desk,
    plan: RunPlan,
    judge: Judge,
    scorer: int,
    folder: Path,
    progress: Progress,
    stopped: Callable[[], bool],
) -> None:
    """Commit what the cache gives, some thousand items at a time, as long as that is most of them."""
    pending = pending_items(desk.ledger, plan, judge, scorer)
    total = 0
    while (items := list(islice(pending, _ROUND))) and not stopped():
        found = 0
        for part in _recalled(desk, folder, judge, items, stopped):
            kept = [row for row in part if not _another(desk.answering, scorer, row)]
            with desk.ledger.transaction():
                desk.ledger.put_encoded(scorer, [(row.seq, row.turn, row.body) for row in kept])
            replies = sum(row.replies for row in kept)
            desk.cached[scorer] = desk.cached.get(scorer, 0) + replies
            found += len(kept)
        total += found
        if found < len(items) // 2:
            break
    if total:
        progress.note(f"{title(judge.columns)}: {total:,} items judged from the verdict cache")


def _another(answering: Answering, scorer: int, row: Recalled) -> bool:
    """Whether a reply comes from a model that may not answer this judge."""
    return any(answering.is_another(scorer, Reply("", model=model)) for model in row.models)


def _recalled(
    desk: Desk,
    folder: Path,
    judge: Judge,
    items: Sequence[tuple[ItemRef, Item]],
    stopped: Callable[[], bool],
) -> Iterator[Sequence[Recalled]]:
    """What copies of this process find in the cache of a folder, some items at a time."""

    def work(number: int) -> Work:
        own = items[number::workers]
        return lambda send: asyncio.run(_judge_all(own, judge, desk.epoch, desk.secret, folder, send))

    workers = min(processors(), 1 + len(items) // WORTH)
    with copies([work(number) for number in range(workers)]) as running:
        for result in running.results():
            yield result
            if stopped():
                return


async def _judge_all(
    items: Sequence[tuple[ItemRef, Item]],
    judge: Judge,
    epoch: str,
    secret: bytes,
    folder: Path,
    send: Callable[[Sequence[Recalled]], None],
) -> None:
    cache = VerdictCache(folder)
    rows: list[Recalled] = []
    missed = 0
    for number, (ref, item) in enumerate(items, 1):
        ask = _Recall(cache, epoch, secret)
        results = await judge.judge(item, ask)
        if ask.missed or causes(results):
            missed += 1
        else:
            rows.append(
                Recalled(ref.seq, ref.turn, encode(results), tuple(sorted(ask.models)), len(ask.hits))
            )
        if number == _PROBE and missed > _PROBE // 2:
            break
        if len(rows) == _PART:
            send(rows)
            rows = []
    send(rows)


class _Recall:
    """Answers a judge from the cache; implements ``judges.interface.Ask``."""

    def __init__(self, cache: VerdictCache, epoch: str, secret: bytes) -> None:
        self.secret = secret
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
