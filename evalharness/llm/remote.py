"""What all back-ends over HTTP have in common: one attempt, from request to checked reply or fault."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import httpx2

from evalharness.core.canonical import Json
from evalharness.core.scores import Cause
from evalharness.llm.asked import Asked, reasoning_room, settle, takes_logprobs
from evalharness.llm.batches import BatchApi, Call, Row
from evalharness.llm.bodies import MalformedBody
from evalharness.llm.capabilities import Traits
from evalharness.llm.client import Capabilities, ProviderFault, Reply, Request, Usage
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.faults import fault_of_status, protocol_fault
from evalharness.llm.http import header_map
from evalharness.llm.options import RemoteOptions
from evalharness.llm.prompt_cache import PromptCache
from evalharness.llm.retry_after import exhausted_for
from evalharness.llm.sdk_faults import SdkErrors, fault_of
from evalharness.llm.shared_blocks import Marks

_CHARACTERS_PER_TOKEN = 4
_SHORTEST_KEY = 16
"""Characters from which a key is none of the words that servers on this machine take for one, like a model's name."""
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_NEVER_RUN = {"expired": Cause.TIMEOUT, "cancelled": Cause.INCOMPLETE}


class RemoteClient(ABC):
    """A model behind an SDK. Subclasses know their SDK's classes, the wire's body, and how an answer is read.

    ``on_pause`` is called with seconds when a successful answer says that a rate limit is used up.
    """

    backend: ClassVar[str]
    seed_in_api: bool = True

    def __init__(
        self, model: str, endpoint: Endpoint, traits: Traits, options: RemoteOptions, secrets: tuple[str, ...]
    ) -> None:
        self.on_pause: Callable[[float], None] | None = None
        self._model = model
        self._endpoint = endpoint
        self._traits = traits
        self._options = options
        self._secrets = secrets
        self._cache = PromptCache(options.cache)
        self._warnings: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._model} at {self._endpoint.label}>"

    @property
    def model(self) -> str:
        """The model as the user named it."""
        return self._model

    @property
    def endpoint(self) -> str:
        """Host and path that requests go to."""
        return self._endpoint.label

    @property
    def identity(self) -> Mapping[str, Json]:
        """Back-end, model, endpoint, and every option that changes what is asked."""
        facts: dict[str, Json] = {"backend": self.backend, "model": self._model, "endpoint": self.endpoint}
        return {
            **facts,
            "effort": self._options.effort,
            "extra_body": self._options.extra_body,
            **self._identity(),
        }

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of this model at the configured effort."""
        logprobs = takes_logprobs(self._traits, self._options.effort)
        return Capabilities(
            schema=self._traits.schema,
            labels=logprobs,
            logprobs=logprobs,
            context_tokens=self._traits.context_tokens,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Options that were left out so far, one sentence each."""
        return tuple(self._warnings)

    def count_tokens(self, text: str) -> int:
        """An estimate: characters / 4, rounded up."""
        return -(-len(text) // _CHARACTERS_PER_TOKEN)

    def output_limit(self, request: Request) -> int:
        """The most output tokens that a request may be billed for, with reasoning and what ``extra_body`` allows."""
        effort = request.sampling.effort or self._options.effort
        limit = request.max_tokens + reasoning_room(
            self._traits, effort if effort in self._traits.efforts else None
        )
        extra = self._options.extra_body
        limit = max(limit, *(_whole(extra.get(name)) for name in _OUTPUT_LIMITS))
        return limit * max(1, _whole(extra.get("n")))

    @property
    @abstractmethod
    def errors(self) -> SdkErrors:
        """The classes of errors that sending raises."""

    async def complete(self, request: Request) -> Reply:
        """One attempt. Raises ProviderFault for anything but a reply; cancellation passes."""
        asked, dropped = settle(
            request, self._model, self._traits, effort=self._options.effort, seed_in_api=self.seed_in_api
        )
        self._warnings.update(dict.fromkeys(dropped))
        marks = self._cache.marks(asked.shared)
        body = {**self._body(asked, marks), **self._options.extra_body}
        response = await self._answer(body, asked)
        if isinstance(response, ProviderFault):
            # Raised out here, so that it does not lead to the SDK's exception, which holds the key and the prompt.
            raise response
        reply = self._reply(response.content, asked)
        return self._finished(reply, header_map(response), marks, asked)

    @property
    def batches(self) -> BatchApi | None:
        """The provider's batch API; None where there is none."""
        return None

    def batch_body(self, request: Request) -> dict[str, Any]:
        """The request as :meth:`complete` would send it, without what only live requests have."""
        asked, dropped = settle(
            request, self._model, self._traits, effort=self._options.effort, seed_in_api=self.seed_in_api
        )
        self._warnings.update(dict.fromkeys(dropped))
        body = {**self._body(asked, self._cache.unlearned()), **self._options.extra_body}
        if body.pop("service_tier", None) is not None:
            self._warnings["service_tier was left out: batches have none"] = None
        return body

    def batch_answer(
        self, row: Row, labels: tuple[str, ...] = (), private: tuple[str, ...] = ()
    ) -> Reply | ProviderFault:
        """What a row of a batch holds, by the parser of live answers and with its bound on the body."""
        if row.never_run:
            return ProviderFault(_NEVER_RUN[row.never_run], f"{row.never_run} in the batch", retryable=True)
        if row.status != 200:
            return fault_of_status(row.status, {}, row.body, private=private, secrets=self._secrets)
        if len(row.body) > self._options.max_body:
            return protocol_fault(f"the body is longer than {self._options.max_body} bytes")
        try:
            return self._reply(row.body, Asked(self._model, "", "", "", 0, labels=labels))
        except ProviderFault as fault:
            return fault

    async def _called(self, call: Call) -> bytes:
        """One call of the batch API."""
        response = await self._guarded(self._exchange(call))
        if isinstance(response, ProviderFault):
            raise response
        return response.content

    async def _exchange(self, call: Call) -> httpx2.Response:
        """A call through the SDK, which adds the key; raises the SDK's errors."""
        raise NotImplementedError(call.path)

    async def _answer(self, body: Mapping[str, Any], asked: Asked) -> httpx2.Response | ProviderFault:
        return await self._guarded(self._send(body), (asked.shared, asked.ask))

    async def _guarded(
        self, sending: Awaitable[httpx2.Response], private: tuple[str, ...] = ()
    ) -> httpx2.Response | ProviderFault:
        try:
            return await sending
        except Exception as error:
            fault = fault_of(error, self.errors, private=private, secrets=self._secrets)
            if fault is None:
                raise
            return fault

    def _reply(self, raw: bytes, asked: Asked) -> Reply:
        try:
            reply = self._read(raw, asked)
        except MalformedBody as malformed:
            raise protocol_fault(str(malformed)) from None
        if any(secret in reply.model for secret in self._secrets if len(secret) >= _SHORTEST_KEY):
            raise protocol_fault("the answer names the key as its model")
        return reply

    @abstractmethod
    async def close(self) -> None:
        """Give back connections; safe to call twice."""

    @abstractmethod
    def _identity(self) -> Mapping[str, Json]:
        """What else makes answers comparable."""

    @abstractmethod
    def _body(self, asked: Asked, marks: Marks) -> dict[str, Any]:
        """The request on this wire."""

    @abstractmethod
    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response:
        """Send it through the SDK's ``create``; raises the SDK's errors.

        The body goes through ``extra_body``: it is JSON of our own making, and the SDK's walk over typed parameters
        would take a quarter of a request's processor time and refuse fields that it does not know yet.
        """

    @abstractmethod
    def _read(self, raw: bytes, asked: Asked) -> Reply:
        """The reply in a body; raises MalformedBody or ProviderFault."""

    def _finished(self, reply: Reply, headers: Mapping[str, str], marks: Marks, asked: Asked) -> Reply:
        if reply.usage == Usage():
            self._warnings["the server reports no token usage: cost and limits are blind to it"] = None
        self._cache.learn(marks, reply.usage, self.count_tokens(asked.system))
        if self.on_pause is not None:
            pause = exhausted_for(headers)
            if pause is not None:
                self.on_pause(pause)
        request_id = headers.get("x-request-id") or headers.get("request-id")
        return replace(reply, request_id=request_id[:128]) if request_id else reply


class SdkClient(RemoteClient):
    """A client whose SDK is loaded when something is to be sent: loading one takes longer than a start without it."""

    @cached_property
    @abstractmethod
    def _sdk(self) -> Any:
        """The SDK's client, made now."""

    def prepare(self) -> None:
        """Load the SDK."""
        _ = self._sdk

    async def close(self) -> None:
        """Close the connections, if any were opened."""
        if "_sdk" in self.__dict__:
            await self._sdk.close()


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
