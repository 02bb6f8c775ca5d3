"""OpenAI and everything that speaks its APIs.

Responses for OpenAI itself and Azure, chat completions for other hosts, either by the option ``api``. Nothing is
stored at the provider (``store`` is off), retries and redirects are off, and answers are read from their raw bytes.

Prompt caching: models that bill cache writes are told where to write, at the end of the rubric and, where dialogues
are shared between requests, at block ends of the dialogue (see ``prompt_cache``); so the suffix that differs in every
request is never written. Older models cache by themselves and free of charge; they get the cache key alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2

from evalharness.core.canonical import Json, sha256_text
from evalharness.llm import wire_chat, wire_responses
from evalharness.llm.asked import Asked
from evalharness.llm.batches import BatchApi, Call
from evalharness.llm.body_text import BodyText
from evalharness.llm.capabilities import When, traits_of
from evalharness.llm.client import Reply
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.http import use_aiohttp
from evalharness.llm.keys import AZURE, OPENAI, PLACEHOLDER, Key, Provider, Trust, endpoint_for, key_for
from evalharness.llm.options import OpenAIOptions
from evalharness.llm.remote import SdkClient
from evalharness.llm.sdk_faults import SdkErrors
from evalharness.llm.shared_blocks import Marks
from evalharness.llm.wire_batches_openai import OpenAIBatches

if TYPE_CHECKING:
    from evalharness.llm.openai_sdk import Sdk

_AZURE_DOMAINS = ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")


class OpenAIClient(SdkClient):
    """A model behind OpenAI's Responses or chat completions."""

    backend = "openai"

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
        self._address = provider, endpoint, key
        self._text = BodyText()
        use_aiohttp(options.transport)  # says at once when it is not installed

    @cached_property
    def _sdk(self) -> Sdk:
        from evalharness.llm.openai_sdk import sdk_client

        return sdk_client(*self._address, self._settings)

    @cached_property
    def _url(self) -> str:
        """Where requests go: whole addresses spare the SDK the joining of each; Azure's SDK writes the model into the
        path itself."""
        path = "/responses" if self._responses else "/chat/completions"
        return path if self._azure else f"{str(self._sdk.base_url).rstrip('/')}{path}"

    @cached_property
    def _plain(self) -> Any:
        from evalharness.llm.openai_sdk import PLAIN

        return PLAIN

    @property
    def errors(self) -> SdkErrors:
        """What the SDK raises."""
        from evalharness.llm.openai_sdk import ERRORS

        return ERRORS

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
        return await self._sdk.post(self._url, cast_to=httpx2.Response, content=text, options=self._plain)

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
