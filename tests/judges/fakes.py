"""Stand-ins for models and for the engine's side of a judge, with everything that they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.core.dialogue import Dialogue, Item, Message, Unit
from evalharness.core.rubric import Criterion, Level, PassRule, Rubric, Scale
from evalharness.core.scores import Result
from evalharness.llm.client import Capabilities, Client, ProviderFault, Reply, Request, Usage

SECRET = b"a secret of the tests"

Answerer = Callable[[Request], "Reply | ProviderFault | str"]


@dataclass
class FakeClient:
    """A model whose answers are a function of the request, or a list that is used up."""

    answers: Answerer | list[Reply | ProviderFault | str]
    capabilities: Capabilities = field(default_factory=Capabilities)
    model: str = "fake-1"
    backend: str = "fake"
    endpoint: str = ""
    warnings: tuple[str, ...] = ()
    asked: list[Request] = field(default_factory=list)
    closed: int = 0

    @property
    def identity(self) -> Mapping[str, str]:
        return {"backend": self.backend, "model": self.model}

    def count_tokens(self, text: str) -> int:
        return -(-len(text) // 4)

    async def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        answer = self.answers(request) if callable(self.answers) else self.answers.pop(0)
        if isinstance(answer, ProviderFault):
            raise answer
        return Reply(answer, usage=Usage(10, 5)) if isinstance(answer, str) else answer

    async def close(self) -> None:
        self.closed += 1


@dataclass
class FakeAsk:
    """The engine's ``Ask`` without cache or retries: one attempt, and a list of what was asked and kept."""

    secret: bytes = SECRET
    calls: list[tuple[int, str]] = field(default_factory=list)
    kept: list[tuple[Request, Reply, int]] = field(default_factory=list)
    results: dict[tuple[str, str, str], Result] = field(default_factory=dict)
    earlier: tuple[Result, ...] = ()

    async def __call__(self, client: Client, request: Request, *, sample: int = 0, step: str = "") -> Reply:
        self.calls.append((sample, step))
        return await client.complete(request)

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        self.kept.append((request, reply, sample))

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:
        return self.results.get((scorer, rubric, criterion))


def levels(low: int, high: int) -> tuple[Level, ...]:
    return tuple(Level(str(n), f"level {n}", float(n)) for n in range(low, high + 1))


YES_NO = (Level("no", "", 0.0), Level("yes", "", 1.0))


def ordinal(name: str = "quality", high: int = 5, **more: object) -> Criterion:
    return Criterion(name, f"How high is {name}?", Scale.ORDINAL, levels(1, high), **more)


def binary(name: str = "polite", good: str = "yes", **more: object) -> Criterion:
    rule = PassRule("==", 1.0 if good == "yes" else 0.0)
    return Criterion(
        name,
        f"Is it {name}?",
        Scale.BINARY,
        YES_NO,
        passes=rule,
        good=good,
        higher_is_better=good == "yes",
        **more,
    )


def nominal(
    name: str = "tone", labels: Sequence[str] = ("cold", "warm", "rude"), **more: object
) -> Criterion:
    named = tuple(Level(label, f"It is {label}.") for label in labels)
    return Criterion(name, "Which tone?", Scale.NOMINAL, named, higher_is_better=None, **more)


def numeric(name: str = "share", low: float = 0.0, high: float = 9.0, **more: object) -> Criterion:
    return Criterion(name, "How much?", Scale.NUMERIC, minimum=low, maximum=high, **more)


def rubric(*criteria: Criterion, unit: Unit = Unit.TURN, **more: object) -> Rubric:
    return Rubric("r", "1", unit, "A person talks with an assistant.", criteria or (ordinal(),), **more)


def dialogue(*texts: str, name: str = "d1", **more: object) -> Dialogue:
    """User and assistant in turns, the user first."""
    roles = ("user", "assistant")
    messages = tuple(
        Message(roles[i % 2], text) for i, text in enumerate(texts or ("Hello", "Hi, how can I help?"))
    )
    return Dialogue(name, messages, **more)


def turn(*texts: str, **more: object) -> Item:
    """The last reply of a dialogue."""
    made = dialogue(*texts, **more)
    return Item(made, len(made.messages) - 1)


def answer_json(**values: object) -> str:
    """An answer of the asked shape."""
    return json.dumps(
        {
            name: {"evidence": [], "rationale": f"Because of {name}.", "value": value}
            for name, value in values.items()
        }
    )
