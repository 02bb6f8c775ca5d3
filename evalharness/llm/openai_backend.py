"""OpenAI and everything that speaks its APIs. The only file that imports the ``openai`` package.

Responses for OpenAI itself and Azure, chat completions for other hosts, either by the option ``api``. Nothing is
stored at the provider (``store`` is off), retries and redirects are off, and answers are read from their raw bytes.

Prompt caching: models that bill cache writes are told where to write, at the end of the rubric and, where dialogues
are shared between requests, at block ends of the dialogue (see ``prompt_cache``); so the suffix that differs in every
request is never written. Older models cache by themselves and free of charge; they get the cache key alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import openai

from evalharness.core.canonical import Json, sha256_text
from evalharness.core.scores import Cause
from evalharness.llm import wire_chat, wire_responses
from evalharness.llm.asked import Asked
from evalharness.llm.batches import BatchApi, Call
from evalharness.llm.body_text import BodyText
from evalharness.llm.capabilities import When, traits_of
from evalharness.llm.client import Reply
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.http import SELF_DESCRIPTION, bounded_client, use_aiohttp
from evalharness.llm.keys import AZURE, OPENAI, PLACEHOLDER, Key, Provider, Trust, endpoint_for, key_for
from evalharness.llm.options import OpenAIOptions
from evalharness.llm.remote import RemoteClient
from evalharness.llm.sdk_faults import SdkErrors
from evalharness.llm.shared_blocks import Marks
from evalharness.llm.wire_batches_openai import OpenAIBatches

_AZURE_DOMAINS = ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")
_AZURE_CHAT_VERSION = "2024-10-21"
_OPENAI_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
_UNSENT = {name: openai.Omit() for name in SELF_DESCRIPTION}
_PLAIN: Any = {
    "headers": {"x-stainless-retry-count": openai.Omit(), "x-stainless-read-timeout": openai.Omit()}
}


class OpenAIClient(RemoteClient):
    """A model behind OpenAI's Responses or chat completions."""

    backend = "openai"
    errors = SdkErrors(
        base=openai.OpenAIError,
        status=openai.APIStatusError,
        timeout=openai.APITimeoutError,
        connection=openai.APIConnectionError,
        invalid=openai.APIResponseValidationError,
        other={
            "LengthFinishReasonError": Cause.TRUNCATED,
            "ContentFilterFinishReasonError": Cause.FILTERED,
            "SubjectTokenProviderError": Cause.AUTH,
            "WebSocketConnectionClosedError": Cause.CONNECTION,
            "WebSocketQueueFullError": Cause.CONNECTION,
            "InvalidWebhookSignatureError": Cause.PROTOCOL,
        },
    )

    def __init__(
        self, model: str, provider: Provider, endpoint: Endpoint, key: Key, options: OpenAIOptions
    ) -> None:
        self._own = OPENAI.own_host(endpoint) or options.platform == "openai"
        official = self._own or provider is AZURE
        traits = traits_of("openai", model, own_host=official, overrides=options.capabilities)
        self._responses = options.api == "responses" or (options.api == "auto" and official)
        if self._responses and not official and "logprobs" not in options.capabilities:
            # servers that imitate Responses take other fields for log-probabilities and answer 400 to OpenAI's
            traits = replace(traits, logprobs=When.NEVER)
        super().__init__(model, endpoint, traits, options, () if key.value == PLACEHOLDER else (key.value,))
        self._official = official
        self._azure = provider is AZURE
        self._settings = options
        self.seed_in_api = not self._responses
        self._sdk = sdk_client(provider, endpoint, key, options)
        self._text = BodyText()
        path = "/responses" if self._responses else "/chat/completions"
        # whole addresses spare the SDK the joining of each; Azure's SDK writes the model into the path itself
        self._url = path if provider is AZURE else f"{str(self._sdk.base_url).rstrip('/')}{path}"

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()

    def _identity(self) -> Mapping[str, Json]:
        settings = self._settings
        return {
            "api": "responses" if self._responses else "chat",
            "verbosity": settings.verbosity,
            "service_tier": settings.service_tier,
        }

    def _body(self, asked: Asked, marks: Marks) -> dict[str, Any]:
        marks = marks if self._marks_cache else Marks()
        body = wire_responses.body(asked, marks) if self._responses else self._chat_body(asked, marks)
        if self._own and self._settings.cache != "off":
            body["prompt_cache_key"] = sha256_text(asked.system)[:32]
        if self._marks_cache:
            body["prompt_cache_options"] = {"mode": "explicit"}
        if self._settings.service_tier is not None:
            body["service_tier"] = self._settings.service_tier
        self._set_verbosity(body)
        return body

    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response:
        if self._azure:  # its SDK looks into the body for the model
            return await self._sdk.post(self._url, cast_to=httpx2.Response, body=body)
        text = self._text.encode(body)
        return await self._sdk.post(self._url, cast_to=httpx2.Response, content=text, options=_PLAIN)

    def _read(self, raw: bytes, asked: Asked) -> Reply:
        read = wire_responses.read if self._responses else wire_chat.read
        return read(raw, asked.labels)

    @property
    def batches(self) -> BatchApi | None:
        """Batches of Responses or of chat completions; Azure's are another API."""
        if self._azure:
            return None
        endpoint = "/v1/responses" if self._responses else "/v1/chat/completions"
        return OpenAIBatches(self._called, endpoint, expires=self._own)

    async def _exchange(self, call: Call) -> httpx2.Response:
        options: Any = {"params": dict(call.query)}
        if call.method == "GET":
            return await self._sdk.get(call.path, cast_to=httpx2.Response, options=options)
        files = None
        if call.file is not None:
            files = {"file": (*call.file, "application/jsonl")}
            options["headers"] = {"Content-Type": "multipart/form-data"}
        return await self._sdk.post(
            call.path, cast_to=httpx2.Response, body=call.body, files=files, options=options
        )

    @property
    def _marks_cache(self) -> bool:
        return self._own and self._traits.explicit_cache

    def _chat_body(self, asked: Asked, marks: Marks) -> dict[str, Any]:
        settings = self._settings
        limit = settings.limit_field or ("max_completion_tokens" if self._official else "max_tokens")
        body = wire_chat.body(asked, marks, limit_field=limit, parts=self._official)
        if self._official:
            body["store"] = False
        return body

    def _set_verbosity(self, body: dict[str, Any]) -> None:
        verbosity = self._settings.verbosity
        if verbosity is None:
            return
        if self._responses:
            body["text"] = {**body.get("text", {}), "verbosity": verbosity}
        else:
            body["verbosity"] = verbosity


def make_openai(model: str, base_url: str | None, options: OpenAIOptions, trust: Trust) -> OpenAIClient:
    """A client for the model; UsageError when the address or the key can't be used."""
    provider = _provider(base_url, options, trust)
    endpoint = endpoint_for(provider, base_url, trust)
    return OpenAIClient(
        model, provider, endpoint, key_for(provider, endpoint, trust, options.api_key_env), options
    )


def _provider(base_url: str | None, options: OpenAIOptions, trust: Trust) -> Provider:
    if options.platform != "auto":
        return AZURE if options.platform == "azure" else OPENAI
    endpoint = endpoint_for(OPENAI, base_url, trust)
    return AZURE if any(endpoint.within(domain) for domain in _AZURE_DOMAINS) else OPENAI


def sdk_client(
    provider: Provider, endpoint: Endpoint, key: Key, options: OpenAIOptions
) -> openai.AsyncOpenAI:
    """The SDK's client for an endpoint: its retries and redirects off, bodies bounded, headers for its host only."""
    common: dict[str, Any] = {
        "api_key": key.value,
        "max_retries": 0,
        "timeout": httpx2.Timeout(options.timeout, connect=options.connect_timeout, pool=None),
        "http_client": bounded_client(
            _http_class(options.transport),
            read_timeout=options.timeout,
            connect_timeout=options.connect_timeout,
            max_body=options.max_body,
        ),
    }
    if provider is AZURE:
        common.update(_azure_address(endpoint, options))
        common["default_headers"] = {**_UNSENT, **_without_ambient_headers()}
        return openai.AsyncAzureOpenAI(**common)
    headers: dict[str, Any] = dict(_UNSENT)
    if not OPENAI.own_host(endpoint):
        headers.update(_without_ambient_headers(), Authorization=f"Bearer {key.value}")
    return openai.AsyncOpenAI(base_url=endpoint.url, default_headers=headers, **common)


def _azure_address(endpoint: Endpoint, options: OpenAIOptions) -> dict[str, str]:
    """Azure's version-less API for Responses; the dated one for chat, or when a date is asked for."""
    root = f"{endpoint.scheme}://{endpoint.netloc}"
    version = options.api_version or os.environ.get("OPENAI_API_VERSION")
    if version is None and options.api != "chat":
        return {"base_url": f"{root}/openai/v1", "api_version": "preview"}
    return {"azure_endpoint": root, "api_version": version or _AZURE_CHAT_VERSION}


def _without_ambient_headers() -> dict[str, openai.Omit]:
    """Header settings that keep what the environment adds for OpenAI from going to other hosts."""
    custom = os.environ.get("OPENAI_CUSTOM_HEADERS", "")
    given = [line.partition(":")[0].strip() for line in custom.split("\n") if ":" in line]
    return {name: openai.Omit() for name in (*given, *_OPENAI_HEADERS)}


def _http_class(transport: str) -> type[httpx2.AsyncClient]:
    return openai.DefaultAioHttpClient if use_aiohttp(transport) else openai.DefaultAsyncHttpxClient
