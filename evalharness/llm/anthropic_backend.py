"""Anthropic's models, at Anthropic, on Bedrock or on Vertex.

No sampling parameters are sent: the API refuses them, even at their default values (``legacy_sampling`` sends them by
way of an old API version). Retries, redirects and traces are off, and answers are read from their raw bytes. Cache
breakpoints stand after the rubric and, where dialogues are shared between requests, at block ends of the dialogue.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2

from evalharness.core.canonical import Json
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.llm import wire_messages
from evalharness.llm.asked import Asked
from evalharness.llm.batches import BatchApi, Call
from evalharness.llm.capabilities import traits_of
from evalharness.llm.client import Reply
from evalharness.llm.endpoint import Endpoint, parse_endpoint
from evalharness.llm.http import use_aiohttp
from evalharness.llm.keys import ANTHROPIC, PLACEHOLDER, Trust, endpoint_for, key_for
from evalharness.llm.options import AnthropicOptions
from evalharness.llm.remote import SdkClient
from evalharness.llm.sdk_faults import SdkErrors
from evalharness.llm.shared_blocks import Marks
from evalharness.llm.wire_batches_anthropic import AnthropicBatches

if TYPE_CHECKING:
    from evalharness.llm.anthropic_sdk import Sdk

_LEGACY_SAMPLING = {"temperature": True, "top_p": True}


class AnthropicClient(SdkClient):
    """A model behind Anthropic's messages; ``make_sdk`` gives the SDK's client when it is first needed."""

    backend = "anthropic"
    seed_in_api = False

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        make_sdk: Callable[[], Sdk],
        options: AnthropicOptions,
        key: str,
    ) -> None:
        known = _LEGACY_SAMPLING if options.legacy_sampling else {}
        traits = traits_of("anthropic", model, own_host=True, overrides={**known, **options.capabilities})
        super().__init__(model, endpoint, traits, options, () if key in ("", PLACEHOLDER) else (key,))
        self._settings = options
        self._make_sdk = make_sdk
        use_aiohttp(options.transport)  # says at once when it is not installed

    @cached_property
    def _sdk(self) -> Sdk:
        return self._make_sdk()

    @cached_property
    def _create(self) -> Any:
        return self._sdk.messages.with_raw_response.create

    @property
    def errors(self) -> SdkErrors:
        """What the SDK raises."""
        from evalharness.llm.anthropic_sdk import ERRORS

        return ERRORS

    def _identity(self) -> Mapping[str, Json]:
        settings = self._settings
        return {
            "api": "messages",
            "platform": settings.platform,
            "thinking": settings.thinking,
            "legacy_sampling": settings.legacy_sampling,
        }

    def _body(self, asked: Asked, marks: Marks) -> dict[str, Any]:
        settings = self._settings
        body = wire_messages.body(asked, marks)
        if settings.thinking is not None:
            body["thinking"] = {"type": settings.thinking}
        if settings.service_tier is not None:
            body["service_tier"] = settings.service_tier
        sampling = {"temperature": asked.temperature, "top_p": asked.top_p}
        body.update({name: value for name, value in sampling.items() if value is not None})
        return body

    async def _send(self, body: Mapping[str, Any]) -> httpx2.Response:
        answer = await self._create(
            model=str(body["model"]), max_tokens=body["max_tokens"], messages=[], extra_body=body
        )
        response: httpx2.Response = answer.http_response
        return response

    @property
    def batches(self) -> BatchApi | None:
        """Message batches, which Anthropic itself has."""
        return AnthropicBatches(self._called) if self._settings.platform == "anthropic" else None

    async def _exchange(self, call: Call) -> httpx2.Response:
        options: Any = {"params": dict(call.query), "headers": {"Content-Type": "application/json"}}
        if call.method == "GET":
            return await self._sdk.get(call.path, cast_to=httpx2.Response, options=options)
        content = call.body if isinstance(call.body, bytes) else None
        return await self._sdk.post(call.path, cast_to=httpx2.Response, content=content, options=options)

    def _read(self, raw: bytes, asked: Asked) -> Reply:  # noqa: ARG002 (this API has no probabilities)
        return wire_messages.read(raw)


def make_anthropic(
    model: str, base_url: str | None, options: AnthropicOptions, trust: Trust
) -> AnthropicClient:
    """A client for the model; UsageError when the address, region or key can't be used."""
    if options.platform == "bedrock":
        return _on_platform(model, _bedrock(base_url, options, trust), options)
    if options.platform == "vertex":
        return _on_platform(model, _vertex(base_url, options, trust), options)
    endpoint = endpoint_for(ANTHROPIC, base_url, trust)
    key = key_for(ANTHROPIC, endpoint, trust, options.api_key_env)

    def make_sdk() -> Sdk:
        from evalharness.llm.anthropic_sdk import own_client

        return own_client(endpoint, key, options)

    return AnthropicClient(model, endpoint, make_sdk, options, key.value)


def _on_platform(model: str, sdk: Sdk, options: AnthropicOptions) -> AnthropicClient:
    return AnthropicClient(model, parse_endpoint(str(sdk.base_url)), lambda: sdk, options, "")


def _bedrock(base_url: str | None, options: AnthropicOptions, trust: Trust) -> Sdk:
    from evalharness.llm.anthropic_sdk import bedrock_client

    _no_address(base_url, "bedrock")
    if not trust.environment.get("AWS_BEARER_TOKEN_BEDROCK"):
        _need("boto3", "anthropic[bedrock]")
    try:
        return bedrock_client(options)
    except ValueError:
        raise UsageError("bedrock needs a region", fix="Set AWS_REGION, or the option region.") from None


def _vertex(base_url: str | None, options: AnthropicOptions, trust: Trust) -> Sdk:
    from evalharness.llm.anthropic_sdk import vertex_client

    _no_address(base_url, "vertex")
    _need("google.auth", "anthropic[vertex]")
    region = options.region or trust.environment.get("CLOUD_ML_REGION")
    if not region:
        raise UsageError("vertex needs a region", fix="Set CLOUD_ML_REGION, or the option region.")
    return vertex_client(region, options)


def _no_address(base_url: str | None, platform: str) -> None:
    """A platform's credentials go to the platform's own address alone."""
    if base_url is not None:
        raise UsageError(
            f"an address can't be given together with platform {platform}", fix="Leave out @http…."
        )


def _need(module: str, package: str) -> None:
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise MissingDependencyError(f"{module} is not installed", fix=f"Run: pip install '{package}'")
