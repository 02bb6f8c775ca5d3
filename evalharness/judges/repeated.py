"""A whole judge asked several times: what a panel, a cascade or claims say again when all of it is done again.

`samples` repeats single questions within a judge; this repeats the judge. The value is the mean of the repetitions, of
labels their majority, and every one is kept, so the spread is the judge's own noise.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from evalharness.core import scorejson
from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.fitted import ScoreInput
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason, Value
from evalharness.errors import UsageError
from evalharness.judges.columns import rubric_columns, with_overall
from evalharness.judges.interface import Ask, Judge, PlannedRequest, Settled
from evalharness.judges.options import MOST_SAMPLES
from evalharness.judges.steps import Shifted, Stepped, all_needs, planned_requests
from evalharness.llm.client import Client

REPETITIONS = "repetitions"
"""Under this name the facts of a score hold the whole result of each repetition."""


@dataclass(frozen=True)
class Repeated:
    """Asks ``judge`` about every item ``times`` times; implements ``interface.Judge`` and ``Planned``."""

    name: str
    rubric: Rubric
    repeated: Judge
    times: int

    def __post_init__(self) -> None:
        if not 1 <= self.times <= MOST_SAMPLES:
            raise UsageError(f"{self.name}: times is {self.times}", fix=f"Write 1 to {MOST_SAMPLES}.")
        asked = [criterion.id for criterion in self.rubric.criteria]
        if [column.criterion for column in self.repeated.columns[:-1]] != asked:
            raise UsageError(
                f"{self.name}: {self.repeated.name} gives places, of which there is no mean",
                fix="Repeat the judge that it asks.",
            )
        if isinstance(self.repeated, Settled) and self.repeated.needs_all_items:
            raise UsageError(
                f"{self.name}: {self.repeated.name} weighs its members by all items, not by one time",
                fix="Combine by mean, median or majority.",
            )

    @property
    def unit(self) -> Unit:
        """The unit of the judge."""
        return self.repeated.unit

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models of the judge."""
        return self.repeated.clients

    @property
    def needs(self) -> tuple[ScoreInput, ...]:
        """The other scorers that the judge builds on."""
        return all_needs([self.repeated])

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with the judge's signatures and the number of times."""
        signatures: list[Json] = [column.signature for column in self.repeated.columns]
        protocol = {
            "judge": "repeat",
            "repeated": self.repeated.name,
            "identity": content_hash(signatures, 16),
            "protocol": f"repeat,n={self.times}",
        }
        return rubric_columns(self.name, self.rubric, protocol, note=self.repeated.columns[0].note)

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column, from all repetitions."""
        rows = []
        for number in range(self.times):
            step = Stepped(Shifted(ask, number * MOST_SAMPLES), f"repetition {number + 1}")
            rows.append(await self.repeated.judge(item, step))
        results = {
            criterion.id: combine_repetitions(criterion, [row[place] for row in rows])
            for place, criterion in enumerate(self.rubric.criteria)
        }
        return with_overall(self.rubric, results)

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests of all repetitions."""
        planned = planned_requests([self.repeated], item, secret)
        return tuple(
            replace(one, sample=one.sample + number * MOST_SAMPLES)
            for number in range(self.times)
            for one in planned
        )


def combine_repetitions(criterion: Criterion, results: Sequence[Result]) -> Result:
    """The result of all repetitions, which stand in ``samples`` (a cause where there was none) and in the facts.

    A skip where most are skipped, a failure under the commonest cause where none has a verdict.
    """
    if len(results) == 1:
        return results[0]
    skips = [result for result in results if isinstance(result, Skip)]
    if len(skips) * 2 > len(results):
        return skips[0] if len(skips) == len(results) else _mostly_skipped(len(skips), len(results))
    told = [result for result in results if not isinstance(result, Skip)]
    samples = tuple(result.value if isinstance(result, Score) else result.cause for result in told)
    scores = [result for result in told if isinstance(result, Score)]
    extra: dict[str, Json] = {REPETITIONS: [scorejson.to_json(result) for result in results]}
    if not scores:
        return _all_failed([result for result in told if isinstance(result, Failure)], samples, extra)
    value = _value(criterion, [score.value for score in scores])
    if value is None:
        return Failure(
            Cause.TWO_VERDICTS, "no answer has a majority among the repetitions", samples=samples, extra=extra
        )
    nearest = min(scores, key=lambda score: _far(score.value, value))
    return replace(
        nearest,
        value=value,
        probabilities=_mean_probabilities(scores),
        samples=samples,
        extra={**(nearest.extra or {}), **extra},
    )


def _mostly_skipped(skipped: int, asked: int) -> Skip:
    return Skip(SkipReason.CANNOT_ASSESS, f"said by {skipped} of {asked} repetitions")


def _all_failed(
    failures: Sequence[Failure], samples: tuple[Value | Cause, ...], extra: dict[str, Json]
) -> Failure:
    cause = Counter(failure.cause for failure in failures).most_common(1)[0][0]
    first = next(failure for failure in failures if failure.cause is cause)
    return replace(first, samples=samples, extra=extra)


def _value(criterion: Criterion, values: Sequence[Value]) -> Value | None:
    """The mean; of labels the majority, None where two lead."""
    if criterion.scale is Scale.NOMINAL:
        leading = statistics.multimode(values)
        return leading[0] if len(leading) == 1 else None
    return math.fsum(float(value) for value in values) / len(values)


def _mean_probabilities(scores: Sequence[Score]) -> dict[str, float] | None:
    """The mean distribution where every repetition has one."""
    known = [score.probabilities for score in scores if score.probabilities is not None]
    if len(known) < len(scores):
        return None
    labels = dict.fromkeys(label for probabilities in known for label in probabilities)
    return {label: math.fsum(p.get(label, 0.0) for p in known) / len(known) for label in labels}


def _far(one: Value, other: Value) -> float:
    if isinstance(one, str) or isinstance(other, str):
        return float(one != other)
    return abs(one - other)
