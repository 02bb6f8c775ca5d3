"""Running metrics and checks: whole blocks of dialogues at a time, on several processes when there is much to do.

Scoring a block is a pure function of the block (:func:`score_block`), so any executor can run it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from evalharness.core import native
from evalharness.core.dialogue import Item, TurnChoice
from evalharness.core.metric import Metric
from evalharness.core.scores import Cause, Failure, Result
from evalharness.data.ledger.store import ItemRef, Ledger, StoredDialogue, encode
from evalharness.engine.plan import RunPlan, items_of, scorer_key, title
from evalharness.engine.progress import Progress

_BLOCK = 200
_WORTH_PROCESSES = 20_000
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Block:
    """Dialogues to score, as stored text, with the items that each metric has scored already."""

    rows: tuple[tuple[int, str], ...]
    done: tuple[frozenset[ItemRef], ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """Encoded outcomes of a block: for each metric (dialogue number, turn, encoded results)."""

    rows: tuple[tuple[tuple[int, int | None, str], ...], ...]
    dialogues: int


def score_block(metrics: tuple[Metric, ...], turns: TurnChoice, block: Block) -> Scored:
    """Score a block with every metric. A metric that raises gives failures, never a lost block."""
    dialogues = [(seq, native.from_json(json.loads(body))) for seq, body in block.rows]
    scored = []
    for metric, done in zip(metrics, block.done, strict=True):
        pending = [
            (seq, item)
            for seq, dialogue in dialogues
            for item in items_of(dialogue, metric.unit, turns)
            if not done or ItemRef(seq, item.turn) not in done
        ]
        results = score_safely(metric, [item for _, item in pending])
        scored.append(
            tuple((seq, item.turn, encode(row)) for (seq, item), row in zip(pending, results, strict=True))
        )
    return Scored(tuple(scored), len(dialogues))


def score_safely(metric: Metric, items: list[Item]) -> list[tuple[Result, ...]]:
    """The metric's results; if it raises, each item is tried alone and the culprits become failures."""
    try:
        return metric.score_many(items)
    except Exception:
        return [_score_one(metric, item) for item in items]


def _score_one(metric: Metric, item: Item) -> tuple[Result, ...]:
    try:
        return metric.score_many([item])[0]
    except Exception as error:
        failure = Failure(Cause.SCORER_ERROR, f"{type(error).__name__}: {error}"[:300])
        return tuple(failure for _ in metric.columns)


def run_metrics(ledger: Ledger, plan: RunPlan, progress: Progress, stopped: Callable[[], bool]) -> None:
    """Score every dialogue with every metric of the plan, skipping what is done, committing block by block."""
    if not plan.metrics:
        return
    numbers = [ledger.scorer(scorer_key(metric.columns), metric.columns) for metric in plan.metrics]
    total = ledger.dialogue_count()
    name = " · ".join(title(metric.columns) for metric in plan.metrics)
    progress.start(name, total, 0)
    blocks = _blocks(ledger, numbers, stopped)
    for scored in _scored_blocks(plan, blocks, parallel=total >= _WORTH_PROCESSES):
        with ledger.transaction():
            for number, rows in zip(numbers, scored.rows, strict=True):
                ledger.put_encoded(number, rows)
        progress.advance(name, scored.dialogues)


def _blocks(ledger: Ledger, numbers: list[int], stopped: Callable[[], bool]) -> Iterator[Block]:
    fresh = all(ledger.outcome_count(number) == 0 for number in numbers)
    for dialogues in ledger.dialogue_blocks(_BLOCK):
        if stopped():
            return
        yield _block(ledger, dialogues, numbers, fresh)


def _block(ledger: Ledger, dialogues: list[StoredDialogue], numbers: list[int], fresh: bool) -> Block:
    rows = tuple((dialogue.seq, dialogue.body) for dialogue in dialogues)
    if fresh:
        return Block(rows, tuple(frozenset[ItemRef]() for _ in numbers))
    first, last = rows[0][0], rows[-1][0]
    return Block(rows, tuple(frozenset(ledger.done(number, first, last)) for number in numbers))


def _scored_blocks(plan: RunPlan, blocks: Iterable[Block], *, parallel: bool) -> Iterator[Scored]:
    workers = os.cpu_count() or 1
    if not parallel or workers == 1:
        for block in blocks:
            yield score_block(plan.metrics, plan.turns, block)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[Scored]] = deque()
        for block in blocks:
            waiting.append(pool.submit(score_block, plan.metrics, plan.turns, block))
            if len(waiting) >= workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
