"""Decision models behind HTTP: ``decisions`` through OpenAI's SDK, ``systemone`` for hosts of that wire.

Both answer ``Request.questions`` with probabilities and write no text. The OpenAI SDK carries ``/v1/decisions``; the
System One wire belongs to no SDK that is needed here, so its requests go through the bounded HTTP client itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2

from evalharness.core.canonical import Json, sha256_text
from evalharness.llm import wire_decisions, wire_systemone
from evalharness.llm.asked import Asked
from evalharness.llm.capabilities import Traits, When
from evalharness.llm.client import Capabilities, Reply
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.http import bounded_client
from evalharness.llm.keys import OPENAI, PLACEHOLDER, TYPESAFE, Key, Trust, endpoint_for, key_for
from evalharness.llm.openai_backend import OpenAIClient
from evalharness.llm.options import DecisionOptions, OpenAIOptions
from evalharness.llm.remote import RemoteClient, SdkClient
from evalharness.llm.sdk_faults import SdkErrors
from evalharness.llm.shared_blocks import Marks

if TYPE_CHECKING:
    from evalharness.llm.openai_sdk import Sdk

_TRAITS = Traits(
    temperature=When.NEVER, top_p=When.NEVER, seed=False, logprobs=When.NEVER, efforts=(), schema=False
)


class DecisionClient(RemoteClient):
    """What both wires share: a decision model's capabilities, and that output costs nothing to bound."""

    def __init__(
        self, model: str, endpoint: Endpoint, key: Key, options: DecisionOptions, native: bool
    ) -> None:
        super().__init__(model, endpoint, _TRAITS, options, () if key.value == PLACEHOLDER else (key.value,))
        self._native = native
        self._window = options.context_tokens

    @property
    def capabilities(self) -> Capabilities:
        """Questions with probabilities, nothing else."""
        return Capabilities(schema=False, decides=True, context_tokens=self._window)

    def _identity(self) -> Mapping[str, Json]:
        return {"state": "native" if self._native else "text"}

    @abstractmethod
    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response: ...


class DecisionsClient(DecisionClient, SdkClient):
    """A model behind OpenAI's Decisions, or a server of the same wire."""

    backend = "decisions"
    errors = OpenAIClient.errors

    def __init__(self, model: str, endpoint: Endpoint, key: Key, options: DecisionOptions) -> None:
        own = OPENAI.own_host(endpoint)
        super().__init__(model, endpoint, key, options, _native(options, default=own))
        self._own = own
        self._address = endpoint, key, _sdk_options(options)

    @cached_property
    def _sdk(self) -> Sdk:
        from evalharness.llm.openai_sdk import sdk_client

        return sdk_client(OPENAI, *self._address)

    @cached_property
    def _create(self) -> Any:
        return self._sdk.decisions.with_raw_response.create

    def _body(self, asked: Asked, marks: Marks) -> dict[str, Any]:  # noqa: ARG002 (one state, nothing to mark)
        body = wire_decisions.body(asked, native=self._native)
        if self._own:
            body["prompt_cache_key"] = sha256_text(asked.system)[:32]
        return body

    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response:
        sent = await self._create(model=str(body["model"]), input="", questions=[], extra_body=body)
        response: httpx2.Response = sent.http_response
        return response

    def _read(self, raw: bytes, asked: Asked) -> Reply:
        return wire_decisions.read(raw, asked.questions)


class _StatusError(Exception):
    """An answer with a status other than 200."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response
        self.status_code = response.status_code


_STATUS_ERRORS = SdkErrors(
    base=_StatusError,
    status=_StatusError,
    timeout=httpx2.TimeoutException,
    connection=httpx2.TransportError,
    invalid=_StatusError,
)


class SystemOneClient(DecisionClient):
    """A model behind a server of the System One wire."""

    backend = "systemone"
    errors = _STATUS_ERRORS

    def __init__(self, model: str, endpoint: Endpoint, key: Key, options: DecisionOptions) -> None:
        super().__init__(model, endpoint, key, options, _native(options, default=False))
        self._key = key
        self._http = bounded_client(
            httpx2.AsyncClient,
            read_timeout=options.timeout,
            connect_timeout=options.connect_timeout,
            max_body=options.max_body,
        )
        self._url = endpoint.url if endpoint.path.endswith("/v1") else f"{endpoint.url}/v1"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _body(self, asked: Asked, marks: Marks) -> dict[str, Any]:  # noqa: ARG002 (this wire caches by itself)
        return wire_systemone.body(asked, native=self._native)

    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._key.value}"}
        response = await self._http.post(f"{self._url}/systemone", json=dict(body), headers=headers)
        if response.status_code != 200:
            raise _StatusError(response)
        return response

    def _read(self, raw: bytes, asked: Asked) -> Reply:
        return wire_systemone.read(raw, asked.questions)


def make_decisions(
    model: str, base_url: str | None, options: DecisionOptions, trust: Trust
) -> DecisionsClient:
    """A client of the Decisions wire; UsageError when the address or the key can't be used."""
    endpoint = endpoint_for(OPENAI, base_url, trust)
    return DecisionsClient(model, endpoint, key_for(OPENAI, endpoint, trust, options.api_key_env), options)


def make_systemone(
    model: str, base_url: str | None, options: DecisionOptions, trust: Trust
) -> SystemOneClient:
    """A client of the System One wire; UsageError when the address or the key can't be used."""
    endpoint = endpoint_for(TYPESAFE, base_url, trust)
    return SystemOneClient(model, endpoint, key_for(TYPESAFE, endpoint, trust, options.api_key_env), options)


MAKERS: Mapping[str, Callable[..., DecisionClient]] = {
    "decisions": make_decisions,
    "systemone": make_systemone,
}


def _native(options: DecisionOptions, *, default: bool) -> bool:
    return default if options.state == "auto" else options.state == "native"


def _sdk_options(options: DecisionOptions) -> OpenAIOptions:
    return OpenAIOptions(
        timeout=options.timeout,
        connect_timeout=options.connect_timeout,
        max_body=options.max_body,
        transport=options.transport,
    )
