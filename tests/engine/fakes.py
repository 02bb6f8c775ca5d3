"""A scripted model and a judge on it, for tests of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Item, Message, Unit
from evalharness.core.scores import Cause, Column, Failure, Result, Score
from evalharness.judges.interface import Ask
from evalharness.llm.client import Capabilities, Client, ProviderFault, Reply, Request, Usage

Answer = Callable[[str, int], str | ProviderFault]


@dataclass
class FakeClient:
    """Answers from a function of (question, attempt number); counts every call."""

    answer: Answer = lambda question, attempt: "4"
    model: str = "fake-1"
    backend: str = "fake"
    endpoint: str = "nowhere"
    max_parallel: int | None = None
    calls: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    closed: bool = False

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"backend": self.backend, "model": self.model}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_parallel=self.max_parallel)

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def count_tokens(self, text: str) -> int:
        return len(text) // 4 + 1

    async def complete(self, request: Request) -> Reply:
        self.calls.append(request.ask)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            answer = self.answer(request.ask, self.calls.count(request.ask))
            if isinstance(answer, ProviderFault):
                raise answer
            return Reply(answer, usage=Usage(10, 2), model=self.model)
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class FakeJudge:
    """One numeric criterion; the model's text is the value, anything else is a failure."""

    client: Client
    name: str = "fake"
    unit: Unit = Unit.TURN

    @property
    def columns(self) -> tuple[Column, ...]:
        signature = f"fake|{self.client.model}"
        return (
            Column(self.name, "quality", self.unit, signature, rubric="r", low=1.0, high=5.0, judged=True),
        )

    @property
    def clients(self) -> tuple[Client, ...]:
        return (self.client,)

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        request = Request("judge", item.dialogue.id, f"{item.dialogue.id}:{item.turn}:{_text(item)}")
        try:
            reply = await ask(self.client, request)
        except ProviderFault as fault:
            return (Failure(fault.cause, fault.detail),)
        try:
            value = float(reply.text)
        except ValueError:
            return (Failure(Cause.NO_VERDICT, raw=reply.text),)
        ask.keep(self.client, request, reply)
        return (Score(value),)


def _text(item: Item) -> str:
    return item.message.content if item.turn is not None else ""


def dialogues(count: int, turns: int = 1, prefix: str = "d") -> list[Dialogue]:
    """Short dialogues ``d0`` … with ``turns`` replies each."""
    return [
        Dialogue(
            f"{prefix}{n}",
            tuple(
                m for t in range(turns) for m in (Message("user", f"q{t}"), Message("assistant", f"r{n}-{t}"))
            ),
        )
        for n in range(count)
    ]
