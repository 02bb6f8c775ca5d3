"""Recorded preferences: what a judge once said of two replies, or of all answers to a scenario, in each order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from evalharness.core.dialogue import Item
from evalharness.core.pairs import OWN_ID, Order, Pair
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.data.recordings import ListKey, Output, PairKey, Recordings
from evalharness.errors import UsageError
from evalharness.judges.aggregate import RAW_LIMIT, Reading, combine_samples, failed_reading
from evalharness.judges.columns import rubric_columns
from evalharness.judges.interface import Ask
from evalharness.judges.listwise import read_ranks
from evalharness.judges.preference import check_pair_rubric, pair_skip, pair_transcript, turned, with_order
from evalharness.judges.transcript import shared_text, whole
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Client


@dataclass(frozen=True)
class _Replay(ABC):
    """What recordings of pairs and of rankings have in common; implements ``pairwise.PairJudge``."""

    name: str
    rubric: Rubric
    recordings: Recordings = field(repr=False)

    protocol: ClassVar[str]
    recorded: ClassVar[str]
    """What the file lacks where it has nothing on a pair."""

    def __post_init__(self) -> None:
        check_pair_rubric(self.rubric, self.name)

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
            "protocol": f"replay,{self.protocol}",
        }
        return rubric_columns(self.name, self.rubric, protocol)[:-1]

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:  # noqa: ARG002 - nothing is asked
        """One result per criterion, from the file."""
        return tuple(self._result(pair, criterion) for criterion in self.rubric.criteria)

    def _result(self, pair: Pair, criterion: Criterion) -> Result:
        skip = pair_skip(pair, criterion)
        if skip is not None:
            return skip
        outputs = self._outputs(pair, criterion.id)
        if outputs is None:
            return Failure(Cause.NOT_RECORDED, f"{self.recordings.source} has no {self.recorded} and order")
        return with_order(self._read(pair, criterion, outputs), pair.order)

    @abstractmethod
    def _outputs(self, pair: Pair, criterion: str) -> tuple[Output, ...] | None:
        """The answers recorded for what was shown, whichever way round the recording names it."""

    @abstractmethod
    def _read(self, pair: Pair, criterion: Criterion, outputs: tuple[Output, ...]) -> Result:
        """What the answers say of the pair."""


@dataclass(frozen=True)
class PairReplay(_Replay):
    """Recorded preferences, by the ids of both dialogues and the order shown.

    A recording about (A, B) in order ``ba`` and one about (B, A) in order ``ab`` are the same question. Outputs are
    what the judge said of the first and second it was shown.
    """

    protocol = "pairwise"
    recorded = "answer for this pair"

    def _outputs(self, pair: Pair, criterion: str) -> tuple[Output, ...] | None:
        for (first, second), order in _ways((pair.a, pair.b), pair.order):
            for turn in _turn_names(first):
                key = PairKey(_recorded_id(first), _recorded_id(second), turn, criterion, order.value)
                found = self.recordings.pair_outputs(key)
                if found is not None:
                    return found
        return None

    def _read(self, pair: Pair, criterion: Criterion, outputs: tuple[Output, ...]) -> Result:
        shown = Shown(lambda: pair_transcript(pair, "", [criterion]))
        readings = [turned(_preference(criterion, output, shown), pair.order) for output in outputs]
        return combine_samples(criterion, readings, {})


@dataclass(frozen=True)
class ListReplay(_Replay):
    """Recorded rankings, by the ids of the dialogues in the order shown.

    A recording of (A, B, C) in order ``ba`` and one of (C, B, A) in order ``ab`` are the same question. Ranks are those
    of the assistants as they were shown, numbered from 1.
    """

    protocol = "listwise"
    recorded = "ranking of this list"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.recordings.list_count:
            raise UsageError(
                f"{self.recordings.source} holds no rankings",
                fix='Record lines with "dialogues": [ids as shown], or leave out --listwise.',
            )

    def _outputs(self, pair: Pair, criterion: str) -> tuple[Output, ...] | None:
        for items, order in _ways(pair.listed, pair.order):
            names = tuple(_recorded_id(item) for item in items)
            for turn in _turn_names(items[0]):
                found = self.recordings.list_outputs(ListKey(names, turn, criterion, order.value))
                if found is not None:
                    return found
        return None

    def _read(self, pair: Pair, criterion: Criterion, outputs: tuple[Output, ...]) -> Result:
        items = pair.listed if pair.order is Order.AB else tuple(reversed(pair.listed))
        shown = Shown(lambda: "".join(shared_text(item, "", whole(item)) for item in items))
        places = items.index(pair.a), items.index(pair.b)
        readings = [_ranking(output, shown, criterion, places, len(items)) for output in outputs]
        return combine_samples(criterion, readings, {"listed": len(items)})


def _ways(listed: Sequence[Item], order: Order) -> Iterator[tuple[Sequence[Item], Order]]:
    """The items and the order of a question: itself, and turned round where the ids tell the two apart."""
    yield listed, order
    turned_round = tuple(reversed(listed))
    if [_recorded_id(item) for item in turned_round] != [_recorded_id(item) for item in listed]:
        yield turned_round, Order.BA if order is Order.AB else Order.AB


def _turn_names(item: Item) -> tuple[int | str | None, ...]:
    """How a recording may name the turn."""
    return (None,) if item.turn is None else (item.turn, f"reply {item.dialogue.reply_number(item.turn)}")


def _recorded_id(item: Item) -> str:
    """The id under which the dialogue came in (see :data:`evalharness.core.pairs.OWN_ID`)."""
    own = item.dialogue.metadata.get(OWN_ID)
    return own if isinstance(own, str) else item.dialogue.id


def _preference(criterion: Criterion, output: Output, shown: Shown) -> Reading:
    if not isinstance(output, str):
        return failed_reading(Cause.EMPTY if output is None else Cause.OUT_OF_RANGE, "no preference in words")
    return Reading(read_answers(output, [criterion], shown=shown)[criterion.id], raw=output[:RAW_LIMIT])


def _ranking(
    output: Output, shown: Shown, criterion: Criterion, places: tuple[int, int], count: int
) -> Reading:
    if not isinstance(output, str):
        return failed_reading(Cause.EMPTY if output is None else Cause.OUT_OF_RANGE, "no ranking in words")
    return read_ranks(output, shown, [criterion], places, count)[criterion.id]
