"""After all items are judged: judges whose verdicts depend on all of them are settled in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalharness.core.scores import Result
from evalharness.data.ledger.store import Ledger, decode, encode
from evalharness.engine.plan import RunPlan, scorer_key
from evalharness.errors import UsageError
from evalharness.judges.interface import Settled

_BLOCK = 500


def check_settling(plan: RunPlan) -> None:
    """A piece of a run can't settle what depends on all its items: a :class:`UsageError`."""
    for judge in plan.judges:
        if plan.shard and isinstance(judge, Settled) and judge.needs_all_items:
            raise UsageError(
                f"{judge.name} weighs its members by all items; a piece of them would weigh otherwise",
                fix="Score without --shard, or combine by mean, median or majority.",
            )


def settle(ledger: Ledger, plan: RunPlan) -> None:
    """Settle every judge of the plan that asks for it, on all outcomes that are there; once more changes nothing."""
    for judge in plan.judges:
        if isinstance(judge, Settled) and judge.needs_all_items:
            scorer = ledger.scorer(scorer_key(judge.columns), judge.columns)
            learned = judge.learn(row.results for row in ledger.outcomes([scorer]))
            for block in _blocks(ledger, scorer):
                ledger.put_encoded(
                    scorer,
                    [(seq, turn, encode(judge.settled(results, learned))) for seq, turn, results in block],
                )


def _blocks(ledger: Ledger, scorer: int) -> Iterator[Sequence[tuple[int, int | None, tuple[Result, ...]]]]:
    for block in ledger.dialogue_blocks(_BLOCK):
        done = ledger.done(scorer, block[0].seq, block[-1].seq)
        yield [(ref.seq, ref.turn, decode(body)) for ref, body in done.items()]
