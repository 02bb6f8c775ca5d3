"""What is really sent of a request's wishes, once the model's traits have had their say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from evalharness.core.canonical import Json
from evalharness.llm.bodies import clean_text
from evalharness.llm.capabilities import Traits, When
from evalharness.llm.client import Request
from evalharness.llm.questions import Part, Question

TOP_LOGPROBS = 20
"""Alternatives asked for per token; the most that OpenAI and vLLM give."""

REASONING_ROOM: Mapping[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 4096,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
"""Output tokens allowed on top of ``Request.max_tokens`` for reasoning, which counts toward the provider's limit.

Without it a thinking model spends the whole limit before its first visible word. It is a bound, not a price: unused
tokens cost nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the wires send it: clean texts, and only options that the model takes."""

    model: str
    system: str
    shared: str
    ask: str
    max_tokens: int
    schema: Mapping[str, Json] | None = None
    labels: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    effort: str | None = None
    top_logprobs: int = 0
    questions: tuple[Question, ...] = ()
    parts: tuple[Part, ...] = ()


def settle(
    request: Request, model: str, traits: Traits, *, effort: str | None = None, seed_in_api: bool = True
) -> tuple[Asked, tuple[str, ...]]:
    """The request as it can be sent to the model, and one sentence for each option that was left out.

    ``effort`` is used where the request names none; ``seed_in_api`` is False for APIs that have no seed.
    """
    sampling = request.sampling
    wishes = _Wishes(model, traits, sampling.effort or effort)
    wants_logprobs = request.logprobs or bool(request.labels)
    asked = Asked(
        model=model,
        system=clean_text(request.system),
        shared=clean_text(request.shared),
        ask=clean_text(request.ask),
        max_tokens=request.max_tokens + reasoning_room(traits, wishes.effort),
        schema=wishes.take("the JSON schema", request.schema, _when(traits.schema)),
        labels=request.labels,
        temperature=wishes.take("temperature", sampling.temperature, traits.temperature),
        top_p=wishes.take("top_p", sampling.top_p, traits.top_p),
        seed=wishes.take("seed", sampling.seed, _when(traits.seed and seed_in_api)),
        effort=wishes.effort,
        top_logprobs=wishes.take("logprobs", TOP_LOGPROBS if wants_logprobs else None, traits.logprobs) or 0,
        questions=request.questions,
        parts=request.parts,
    )
    return asked, tuple(wishes.dropped)


T = TypeVar("T")


class _Wishes:
    """Takes options over or leaves them out, and remembers why."""

    def __init__(self, model: str, traits: Traits, effort: str | None) -> None:
        self.dropped: list[str] = []
        self._model = model
        self.effort = effort if effort in traits.efforts else None
        if effort is not None and self.effort is None:
            self.dropped.append(f"effort {effort} was left out: {model} does not take it")

    def take(self, name: str, value: T | None, when: When) -> T | None:
        """The value if it is given and the model takes it now."""
        if value is None or when is When.ALWAYS or (when is When.NO_EFFORT and self.effort == "none"):
            return value
        reason = "takes it only with effort none" if when is When.NO_EFFORT else "does not take it"
        self.dropped.append(f"{name} was left out: {self._model} {reason}")
        return None


def _when(taken: bool) -> When:
    return When.ALWAYS if taken else When.NEVER


def reasoning_room(traits: Traits, effort: str | None) -> int:
    """Output tokens to allow for reasoning at this effort; None is the model's own default."""
    if effort is not None:
        return REASONING_ROOM.get(effort, 0)
    return REASONING_ROOM["medium"] if traits.reasons else 0


def takes_logprobs(traits: Traits, effort: str | None) -> bool:
    """Whether log-probabilities come back when requests leave the effort to the client's default."""
    return traits.logprobs is When.ALWAYS or (traits.logprobs is When.NO_EFFORT and effort == "none")
