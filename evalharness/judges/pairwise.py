"""Pairwise judging: a judge says which of two replies (or dialogues) is better, asked in both orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from evalharness.core.canonical import Json
from evalharness.core.pairs import Pair
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.judges.aggregate import Reading, combine_samples, failed_reading
from evalharness.judges.answers import Unreadable, answer_of
from evalharness.judges.columns import TOY_NOTE, model_parts, rubric_columns, sampling_text
from evalharness.judges.decision import NOTE as DECISION_NOTE
from evalharness.judges.decision import criterion_question, read_decision
from evalharness.judges.interface import Ask, PlannedRequest
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pointwise import REPAIRABLE
from evalharness.judges.preference import (
    SMALL_SYSTEM,
    check_pair_rubric,
    pair_fence,
    pair_prompt_hash,
    pair_request,
    pair_skip,
    pair_transcript,
    read_preferences,
    small_pair_text,
    turned,
    with_order,
)
from evalharness.judges.probabilities import of_labels
from evalharness.judges.prompt import repair_text
from evalharness.llm.client import Client, ProviderFault, Reply, Request

_TOKENS = 1024
_SMALL_TOKENS = 8


class PairJudge(Protocol):
    """Compares two items by one rubric; values are ``a``, ``b`` or ``tie`` in the run's own order of systems."""

    @property
    def name(self) -> str:
        """The judge's name in outcome lines."""
        ...

    @property
    def rubric(self) -> Rubric:
        """What is asked."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion of the rubric, in its order."""
        ...

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models that this judge calls."""
        ...

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:
        """One result per column. Provider faults become failures."""
        ...


@dataclass(frozen=True)
class Pairwise:
    """A judge that asks a model about one pair in one order at a time; implements :class:`PairJudge`."""

    name: str
    rubric: Rubric
    client: Client
    options: JudgeOptions = field(default_factory=JudgeOptions)

    def __post_init__(self) -> None:
        check_pair_rubric(self.rubric, self.name)

    @property
    def clients(self) -> tuple[Client, ...]:
        """The one model that is asked."""
        return (self.client,)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion."""
        traits = self.client.capabilities
        note = TOY_NOTE if traits.toy else DECISION_NOTE if traits.decides else ""
        protocol = {
            **model_parts(self.client),
            "prompt": pair_prompt_hash(),
            "protocol": f"pairwise,n={self.options.samples},repair={int(self.options.repair)}",
            "sampling": sampling_text(self.options.sampling),
        }
        return rubric_columns(self.name, self.rubric, protocol, note=note)[:-1]

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:
        """One result per criterion."""
        results: dict[str, Result] = {}
        asked: list[Criterion] = []
        for criterion in self.rubric.criteria:
            skip = pair_skip(pair, criterion)
            if skip is None:
                asked.append(criterion)
            else:
                results[criterion.id] = skip
        for criteria in self._batches(asked):
            results.update(await self._batch(pair, criteria, ask))
        return tuple(results[criterion.id] for criterion in self.rubric.criteria)

    def requests(self, pair: Pair, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests about a pair, before any repair."""
        asked = [c for c in self.rubric.criteria if pair_skip(pair, c) is None]
        return tuple(
            PlannedRequest(self.client, self._request(pair, criteria, secret), sample)
            for criteria in self._batches(asked)
            for sample in range(self.options.samples)
        )

    def _batches(self, asked: Sequence[Criterion]) -> list[list[Criterion]]:
        small = self.client.capabilities.one_criterion_at_a_time
        if small or self.options.per_criterion:
            return [[criterion] for criterion in asked]
        return [list(asked)] if asked else []

    async def _batch(self, pair: Pair, criteria: list[Criterion], ask: Ask) -> dict[str, Result]:
        request = self._request(pair, criteria, ask.secret)
        too_long = self._too_long(request)
        if too_long is not None:
            return dict.fromkeys([criterion.id for criterion in criteria], too_long)
        samples: dict[str, list[Reading]] = {criterion.id: [] for criterion in criteria}
        repairs = 0
        for sample in range(self.options.samples):
            readings, repaired = await self._sample(request, criteria, ask, sample)
            repairs += repaired
            for criterion in criteria:
                samples[criterion.id].append(turned(readings[criterion.id], pair.order))
        extra: dict[str, Json] = {"repairs": repairs} if repairs else {}
        return {c.id: with_order(combine_samples(c, samples[c.id], extra), pair.order) for c in criteria}

    async def _sample(
        self, request: Request, criteria: Sequence[Criterion], ask: Ask, sample: int
    ) -> tuple[dict[str, Reading], int]:
        readings = await self._once(request, criteria, ask, sample, "")
        broken = self._broken(readings)
        if broken is None:
            return readings, 0
        again = replace(request, ask=request.ask + repair_text(REPAIRABLE[broken]))
        second = await self._once(again, criteria, ask, sample, "repair")
        mended = {
            name: second[name] if _cause(reading) is not None and _cause(second[name]) is None else reading
            for name, reading in readings.items()
        }
        return mended, 1

    async def _once(
        self, request: Request, criteria: Sequence[Criterion], ask: Ask, sample: int, step: str
    ) -> dict[str, Reading]:
        try:
            reply = await ask(self.client, request, sample=sample, step=step)
        except ProviderFault as fault:
            return {criterion.id: failed_reading(fault.cause, fault.detail) for criterion in criteria}
        readings = _read(reply, request, criteria)
        if all(_cause(reading) is None for reading in readings.values()):
            ask.keep(self.client, request, reply, sample=sample)
        return readings

    def _broken(self, readings: Mapping[str, Reading]) -> Cause | None:
        traits = self.client.capabilities
        if not self.options.repair or traits.one_criterion_at_a_time or traits.decides:
            return None
        return next((cause for cause in map(_cause, readings.values()) if cause in REPAIRABLE), None)

    def _request(self, pair: Pair, criteria: Sequence[Criterion], secret: bytes) -> Request:
        traits = self.client.capabilities
        if traits.decides:
            marker = pair_fence(pair, secret)
            questions = tuple(criterion_question(c, self.rubric, _PAIR_POINTER) for c in criteria)
            shared = pair_transcript(pair, marker, criteria)
            return Request("", shared, "", marker, max_tokens=1, questions=questions)
        if traits.one_criterion_at_a_time:
            shared, question = small_pair_text(self.rubric, criteria[0], pair)
            return Request(
                SMALL_SYSTEM, shared, question, labels=criteria[0].labels, max_tokens=_SMALL_TOKENS
            )
        return pair_request(
            self.rubric,
            criteria,
            pair,
            secret,
            max_tokens=self.options.max_tokens or _TOKENS * max(1, len(criteria) // 2),
            sampling=self.options.sampling,
        )

    def _too_long(self, request: Request) -> Failure | None:
        limit = self.client.capabilities.context_tokens
        needed = self.client.count_tokens(request.system + request.shared + request.ask) + request.max_tokens
        if limit is None or needed <= limit:
            return None
        return Failure(Cause.TOO_LONG, f"about {needed:,} tokens; the model reads {limit:,}")


_PAIR_POINTER = "This compares the first assistant (a) with the second (b)."


def _read(reply: Reply, request: Request, criteria: Sequence[Criterion]) -> dict[str, Reading]:
    if request.questions:
        return read_decision(reply, criteria)
    found = of_labels(reply.label_probs, reply.label_mass) if request.labels else None
    if found is None:
        return read_preferences(reply, request, criteria)
    likeliest = max(found.probabilities, key=lambda label: found.probabilities[label])
    return {
        c.id: Reading(
            answer_of(c, found.fit(c), likeliest), (), dict(found.probabilities), found.mass, reply.text
        )
        for c in criteria
    }


def _cause(reading: Reading) -> Cause | None:
    return reading.answer.cause if isinstance(reading.answer, Unreadable) else None
