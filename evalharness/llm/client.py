"""What a judge asks of a model, what comes back, and what can go wrong: one interface for every back-end.

A client makes exactly one attempt per call. Retrying, waiting, limiting, caching and recording attempts belong to the
engine, which is why every fault says whether another attempt makes sense and whether this one may have been billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Protocol, TypeAlias, runtime_checkable

from evalharness.core.canonical import Json, canonical_json, sha256_text
from evalharness.core.scores import Cause
from evalharness.llm.questions import Answered, Part, Question

_FENCE_IN_HASH = "<fence>"


class Finish(StrEnum):
    """Why the model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt as the provider counts them; ``input_tokens`` includes cached and cache-written ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling wishes. A back-end drops what the model refuses and records a warning; None means the default."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model, in the order that lets prefix caches hit.

    ``system`` holds our instructions and the rubric, never dialogue text. ``shared`` is the fenced dialogue: equal, or
    a growing prefix, for items of one dialogue. ``ask`` points at the item and repeats what to do. ``fence`` is the
    secret marker that stands in ``shared`` and ``ask``; it is left out of the hash.

    ``schema`` asks for JSON of that shape. ``labels`` instead asks for one short answer among these, with the
    probability of each (back-ends that can't give probabilities ignore it and answer in text).

    ``questions`` are for decision models, which answer nothing else; ``parts`` is the dialogue in their native form
    (``shared`` holds the same for those that take text).
    """

    system: str
    shared: str
    ask: str
    fence: str = ""
    schema: Mapping[str, Json] | None = None
    labels: tuple[str, ...] = ()
    max_tokens: int = 1024
    logprobs: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    questions: tuple[Question, ...] = ()
    parts: tuple[Part, ...] = ()
    _hash: str = field(default="", init=False, repr=False, compare=False)

    def content_hash(self) -> str:
        """SHA-256 (hex) of everything that is sent, the fence marker replaced by a constant; worked out once."""
        if not self._hash:
            object.__setattr__(self, "_hash", self._hashed())
        return self._hash

    def _hashed(self) -> str:
        ask, shared = self._unfenced(self.ask), self._unfenced(self.shared)
        if self.questions:
            questions = [question.to_json() for question in self.questions]
            parts = [replace(part, text=self._unfenced(part.text)).to_json() for part in self.parts]
            whole = {
                "ask": ask,
                "parts": parts,
                "questions": questions,
                "shared": shared,
                "system": self.system,
            }
            return sha256_text(canonical_json({**whole, **_common(*self._asked())}))
        begin, middle, end = _frame(self.system, *self._asked())
        return sha256_text(f"{begin}{_quoted(ask)}{middle}{_quoted(shared)}{end}")

    def _asked(self) -> _Asked:
        wishes = self.sampling
        schema = None if self.schema is None else _BySelf(self.schema)
        sampling = (wishes.temperature, wishes.top_p, wishes.seed, wishes.effort)
        return schema, self.labels, self.max_tokens, self.logprobs, *sampling

    def _unfenced(self, text: str) -> str:
        return text.replace(self.fence, _FENCE_IN_HASH) if self.fence else text


class _BySelf:
    """A mapping as a key of a cache: equal to itself alone. It is never changed once a request holds it."""

    __slots__ = ("mapping",)

    def __init__(self, mapping: Mapping[str, Json]) -> None:
        self.mapping = mapping

    def __hash__(self) -> int:
        return id(self.mapping)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BySelf) and self.mapping is other.mapping


_Asked: TypeAlias = tuple[
    _BySelf | None, tuple[str, ...], int, bool, float | None, float | None, int | None, str | None
]


def _common(
    schema: _BySelf | None,
    labels: tuple[str, ...],
    max_tokens: int,
    logprobs: bool,
    *sampling: float | str | None,
) -> dict[str, Json]:
    """What requests of one kind have in common, as it is hashed."""
    return {
        "schema": None if schema is None else dict(schema.mapping),
        "labels": list(labels),
        "max_tokens": max_tokens,
        "logprobs": logprobs,
        "sampling": list(sampling),
    }


@lru_cache(maxsize=256, typed=True)  # typed: 1 and 1.0 are written differently
def _frame(system: str, *asked: Any) -> tuple[str, str, str]:
    """The canonical JSON of a request around its ``ask`` and ``shared``, which alone differ from item to item."""
    common = canonical_json(_common(*asked))
    return '{"ask":', f',{common[1:-1]},"shared":', f',"system":{_quoted(system)}}}'


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token with its log-probability and the likeliest alternatives (text, log-probability)."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    ``label_probs`` is the distribution over ``Request.labels`` (sums to 1) and ``label_mass`` the probability that the
    model gave to any of them before renormalising; ``tokens`` are there when log-probabilities were asked and
    returned. ``answers`` are a decision model's, one per question. ``model`` is the model that the provider says
    answered.
    """

    text: str
    finish: Finish = Finish.STOP
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    request_id: str = ""
    label_probs: Mapping[str, float] | None = None
    label_mass: float | None = None
    tokens: tuple[Token, ...] = ()
    refusal: str = ""
    answers: tuple[Answered, ...] = ()


class ProviderFault(Exception):
    """An attempt without a usable reply.

    ``retryable``: another attempt may help. ``fatal``: no request to this provider and model can work (key, quota,
    model name), so the lane must stop. ``unknown_outcome``: the request was sent and may have been billed.
    ``retry_after``: seconds that the provider asked to wait. ``rate_limited``: the provider is overloaded or we are
    over a limit, so concurrency should fall. ``detail`` never holds a key or dialogue text.
    """

    def __init__(
        self,
        cause: Cause,
        detail: str,
        *,
        retryable: bool = False,
        fatal: bool = False,
        unknown_outcome: bool = False,
        rate_limited: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        self.cause = cause
        self.detail = detail
        self.retryable = retryable
        self.fatal = fatal
        self.unknown_outcome = unknown_outcome
        self.rate_limited = rate_limited
        self.retry_after = retry_after
        self.status = status
        super().__init__(f"{cause.value}: {detail}")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a back-end and model can do, as far as a judge must know.

    ``labels``: answers ``Request.labels`` with probabilities. ``decides``: answers ``Request.questions`` and nothing
    else. ``toy``: whatever shows its scores must say that it is
    for trying things out. ``max_parallel``: requests that it usefully serves at once; None means no bound of its own.
    """

    schema: bool = True
    labels: bool = False
    logprobs: bool = False
    context_tokens: int | None = None
    one_criterion_at_a_time: bool = False
    decides: bool = False
    toy: bool = False
    max_parallel: int | None = None


@runtime_checkable
class Preparing(Protocol):
    """A client that loads much before it sends anything."""

    def prepare(self) -> None:
        """Load it now, so that no request waits for it."""
        ...


def prepare(clients: Iterable[Client]) -> None:
    """Let clients load what sending takes."""
    for client in clients:
        if isinstance(client, Preparing):
            client.prepare()


class Client(Protocol):
    """A model behind a provider's API, or in this process. One call is one attempt."""

    @property
    def backend(self) -> str:
        """The back-end's name: ``openai``, ``anthropic``, ``local`` …"""
        ...

    @property
    def model(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def endpoint(self) -> str:
        """Host (and path) that requests go to, without credentials; empty for in-process models."""
        ...

    @property
    def identity(self) -> Mapping[str, Json]:
        """What makes answers comparable: back-end, model, API flavour, options, weights' hash. Part of cache keys."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of this model."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Options that were dropped because the model does not take them, one sentence each."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of the text: exact in process, elsewhere an estimate (characters / 4, rounded up)."""
        ...

    async def complete(self, request: Request) -> Reply:
        """One attempt. Raises :class:`ProviderFault` for anything but a reply; cancellation passes."""
        ...

    async def close(self) -> None:
        """Give back connections and threads; safe to call twice."""
        ...
