"""Recorded rankings: what a judge once said of all answers to a scenario, in one order and in its reverse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evalharness.core.dialogue import Item
from evalharness.core.pairs import Order, Pair
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.data.recordings import ListKey, Output, Recordings
from evalharness.errors import UsageError
from evalharness.judges.aggregate import Reading, combine_samples, failed_reading
from evalharness.judges.columns import rubric_columns
from evalharness.judges.interface import Ask
from evalharness.judges.listwise import read_ranks
from evalharness.judges.pairwise import recorded_id, turn_names
from evalharness.judges.preference import check_pair_rubric, pair_skip, with_order
from evalharness.judges.transcript import shared_text, whole
from evalharness.judges.verdict import Shown
from evalharness.llm.client import Client


@dataclass(frozen=True)
class ListReplay:
    """Recorded rankings, by the ids of the dialogues in the order shown; implements ``pairwise.PairJudge``.

    A recording of (A, B, C) in order ``ba`` and one of (C, B, A) in order ``ab`` are the same question. Ranks are those
    of the assistants as they were shown, numbered from 1.
    """

    name: str
    rubric: Rubric
    recordings: Recordings = field(repr=False)

    def __post_init__(self) -> None:
        check_pair_rubric(self.rubric, self.name)
        if not self.recordings.list_count:
            raise UsageError(
                f"{self.recordings.source} holds no rankings",
                fix='Record lines with "dialogues": [ids as shown], or leave out --listwise.',
            )

    @property
    def clients(self) -> tuple[Client, ...]:
        """None: nothing is asked."""
        return ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion; signed with the recorded judge and the content's hash."""
        found = self.recordings
        protocol = {
            "judge": found.judge or "unnamed",
            "recording": found.digest,
            "protocol": "replay,listwise",
        }
        return rubric_columns(self.name, self.rubric, protocol)[:-1]

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:  # noqa: ARG002 - nothing is asked
        """One result per criterion: what the recorded ranking says of this pair."""
        return tuple(self._result(pair, criterion) for criterion in self.rubric.criteria)

    def _result(self, pair: Pair, criterion: Criterion) -> Result:
        skip = pair_skip(pair, criterion)
        if skip is not None:
            return skip
        outputs = self._outputs(pair.listed, pair.order, criterion.id)
        if outputs is None:
            return Failure(
                Cause.NOT_RECORDED, f"{self.recordings.source} has no ranking of this list and order"
            )
        items = pair.listed if pair.order is Order.AB else tuple(reversed(pair.listed))
        shown = Shown(lambda: "".join(shared_text(item, "", whole(item)) for item in items))
        places = items.index(pair.a), items.index(pair.b)
        readings = [_read(output, shown, criterion, places, len(items)) for output in outputs]
        return with_order(combine_samples(criterion, readings, {"listed": len(items)}), pair.order)

    def _outputs(self, listed: Sequence[Item], order: Order, criterion: str) -> tuple[Output, ...] | None:
        """The answers recorded for a list as shown, whichever way round the recording names it."""
        for items, named in _ways(listed, order):
            names = tuple(recorded_id(item) for item in items)
            for turn in turn_names(items[0]):
                found = self.recordings.list_outputs(ListKey(names, turn, criterion, named.value))
                if found is not None:
                    return found
        return None


def _ways(listed: Sequence[Item], order: Order) -> Iterator[tuple[Sequence[Item], Order]]:
    """The list and the order of a question: itself, and turned round where the ids tell the two apart."""
    yield listed, order
    turned = tuple(reversed(listed))
    if [recorded_id(item) for item in turned] != [recorded_id(item) for item in listed]:
        yield turned, Order.BA if order is Order.AB else Order.AB


def _read(output: Output, shown: Shown, criterion: Criterion, places: tuple[int, int], count: int) -> Reading:
    if not isinstance(output, str):
        return failed_reading(Cause.EMPTY if output is None else Cause.OUT_OF_RANGE, "no ranking in words")
    return read_ranks(output, shown, [criterion], places, count)[criterion.id]
