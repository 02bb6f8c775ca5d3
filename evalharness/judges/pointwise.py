"""Pointwise judging: a model answers every criterion of a rubric about one item at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Item, Unit
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.judges.aggregate import (
    Reading,
    combine_samples,
    combine_windows,
    failed_reading,
    window_aggregate,
)
from evalharness.judges.answers import Unreadable
from evalharness.judges.columns import (
    TOY_NOTE,
    model_parts,
    rubric_columns,
    sampling_text,
    with_overall,
)
from evalharness.judges.interface import Ask, PlannedRequest
from evalharness.judges.needs import askable
from evalharness.judges.options import JudgeOptions
from evalharness.judges.prompt import Prompt, Window, repair_text
from evalharness.judges.reading import read_reply
from evalharness.judges.windows import plan_windows, window_facts
from evalharness.llm.client import Client, ProviderFault, Reply, Request

REPAIRABLE = {
    Cause.NO_VERDICT: "it held no answer that could be read with certainty",
    Cause.TWO_VERDICTS: "it gave more than one answer to a question",
    Cause.OUT_OF_RANGE: "a value was none of those that the question lists",
    Cause.EMPTY: "it was empty",
}
"""What a second request may mend, as the model is told. A refusal is an answer; a cut-off answer would be cut again."""

_SMALL_TOKENS = 8
_TOKENS = 2048
_TOKENS_PER_CRITERION = 512


@dataclass(frozen=True)
class Pointwise:
    """A judge that asks ``client`` about one item at a time; implements ``interface.Judge`` and ``Planned``."""

    name: str
    rubric: Rubric
    client: Client
    options: JudgeOptions = field(default_factory=JudgeOptions)

    @property
    def unit(self) -> Unit:
        """The unit of the rubric."""
        return self.rubric.unit

    @property
    def clients(self) -> tuple[Client, ...]:
        """The one model that is asked."""
        return (self.client,)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``."""
        note = TOY_NOTE if self.client.capabilities.toy else ""
        return rubric_columns(self.name, self.rubric, self._signature(), note=note)

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column."""
        asked, skipped = askable(item, self.rubric)
        results: dict[str, Result] = {**skipped}
        line = _Line(ask)
        for criteria in self._batches(asked):
            results.update(await self._batch(item, criteria, line))
        return with_overall(self.rubric, results)

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests for an item, before any repair."""
        asked, _ = askable(item, self.rubric)
        batches = [(criteria, self._windows(item, criteria, secret)) for criteria in self._batches(asked)]
        return tuple(
            PlannedRequest(self.client, self._prompt.request(item, criteria, secret, window), sample)
            for criteria, windows in batches
            for sample in range(self.options.samples)
            for window in windows
        )

    @cached_property
    def _prompt(self) -> Prompt:
        traits = self.client.capabilities
        small = traits.one_criterion_at_a_time
        return Prompt(
            self.rubric,
            split=small or self.options.per_criterion or self.options.questions_last,
            small=small,
            max_tokens=self._max_tokens(),
            logprobs=self.options.expectation and traits.logprobs and not small,
            sampling=self.options.sampling,
            variant=self.options.variant,
        )

    def _max_tokens(self) -> int:
        if self.options.max_tokens is not None:
            return self.options.max_tokens
        traits = self.client.capabilities
        if traits.one_criterion_at_a_time:
            return _SMALL_TOKENS
        batch = 1 if self.options.per_criterion else len(self.rubric.criteria)
        wanted = max(_TOKENS, _TOKENS_PER_CRITERION * batch)
        return wanted if traits.context_tokens is None else min(wanted, traits.context_tokens // 4)

    def _signature(self) -> dict[str, str]:
        options, prompt = self.options, self._prompt
        single = "criterion" if options.per_criterion else "joint"
        asked = "label" if prompt.small else single
        expectation = options.expectation and (prompt.logprobs or prompt.small)
        return {
            **model_parts(self.client),
            "prompt": prompt.hash,
            "protocol": f"pointwise,{asked},n={options.samples},repair={int(options.repair)},"
            f"expectation={int(expectation)},max_tokens={prompt.max_tokens}",
            "sampling": sampling_text(options.sampling),
        }

    def _batches(self, asked: Sequence[Criterion]) -> Iterator[list[Criterion]]:
        """The criteria of each request: all at once, or one by one."""
        if self._prompt.small or self.options.per_criterion:
            yield from ([criterion] for criterion in asked)
        elif asked:
            yield list(asked)

    def _windows(self, item: Item, criteria: Sequence[Criterion], secret: bytes) -> tuple[Window, ...]:
        planned = plan_windows(self._prompt, item, criteria, secret, self.client)
        return () if isinstance(planned, Failure) else planned

    async def _batch(self, item: Item, criteria: list[Criterion], line: _Line) -> dict[str, Result]:
        """The results of criteria that are asked together: every sample, each from every window."""
        windows = plan_windows(self._prompt, item, criteria, line.ask.secret, self.client)
        if isinstance(windows, Failure):
            return dict.fromkeys([criterion.id for criterion in criteria], windows)
        call = _Call(self, item, criteria, line)
        samples: dict[str, list[Reading]] = {criterion.id: [] for criterion in criteria}
        for sample in range(self.options.samples):
            parts = [await call.read(window, sample) for window in windows]
            for criterion in criteria:
                readings = [part[criterion.id] for part in parts]
                samples[criterion.id].append(combine_windows(criterion, readings))
        repairs: dict[str, Json] = {"repairs": call.repairs} if call.repairs else {}
        return {
            c.id: combine_samples(
                c, samples[c.id], {**window_facts(item, windows, window_aggregate(c)), **repairs}
            )
            for c in criteria
        }


class _Line:
    """The way to the model for one item. After a fault for good (key, quota, model) nothing more is asked."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._dead: ProviderFault | None = None

    async def send(self, client: Client, request: Request, sample: int, step: str) -> Reply | ProviderFault:
        """The reply, or why there is none."""
        if self._dead is not None:
            return self._dead
        try:
            return await self.ask(client, request, sample=sample, step=step)
        except ProviderFault as fault:
            self._dead = fault if fault.fatal else None
            return fault


class _Call:
    """The calls for one item and one set of criteria; counts the repairs."""

    def __init__(self, judge: Pointwise, item: Item, criteria: Sequence[Criterion], line: _Line) -> None:
        self.repairs = 0
        self._judge = judge
        self._item = item
        self._criteria = criteria
        self._line = line

    async def read(self, window: Window, sample: int) -> dict[str, Reading]:
        """The readings of one window and sample by criterion, repaired once where that may help.

        What the first answer holds is never replaced; what neither holds keeps the first answer's cause.
        """
        request = self._judge._prompt.request(self._item, self._criteria, self._line.ask.secret, window)
        step = "" if window.of == 1 else f"window {window.number}"
        readings = await self._ask_once(request, window, sample, step)
        broken = self._broken(readings)
        if broken is None:
            return readings
        self.repairs += 1
        again = replace(request, ask=request.ask + repair_text(REPAIRABLE[broken]))
        second = await self._ask_once(again, window, sample, f"{step} repair".strip())
        return {
            name: second[name] if _cause(reading) is not None and _cause(second[name]) is None else reading
            for name, reading in readings.items()
        }

    async def _ask_once(self, request: Request, window: Window, sample: int, step: str) -> dict[str, Reading]:
        judge = self._judge
        reply = await self._line.send(judge.client, request, sample, step)
        if isinstance(reply, ProviderFault):
            return {c.id: failed_reading(reply.cause, reply.detail) for c in self._criteria}
        readings = read_reply(
            reply, request, self._item, window, self._criteria, expectation=judge.options.expectation
        )
        if all(_cause(reading) is None for reading in readings.values()):
            self._line.ask.keep(judge.client, request, reply, sample=sample)
        return readings

    def _broken(self, readings: dict[str, Reading]) -> Cause | None:
        """The cause of the first answer that a repair may mend, if repairs are wanted."""
        if not self._judge.options.repair or self._judge._prompt.small:
            return None
        return next((cause for cause in map(_cause, readings.values()) if cause in REPAIRABLE), None)


def _cause(reading: Reading) -> Cause | None:
    return reading.answer.cause if isinstance(reading.answer, Unreadable) else None
