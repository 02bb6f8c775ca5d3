"""Anthropic's models, at Anthropic, on Bedrock or on Vertex. The only file that imports the ``anthropic`` package.

No sampling parameters are sent: the API refuses them, even at their default values (``legacy_sampling`` sends them by
way of an old API version). Retries, redirects and traces are off, and answers are read from their raw bytes. Cache
breakpoints stand after the rubric and, where dialogues are shared between requests, at block ends of the dialogue.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import anthropic
import httpx2

from evalharness.core.canonical import Json
from evalharness.core.scores import Cause
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.llm import wire_messages
from evalharness.llm.asked import Asked
from evalharness.llm.batches import BatchApi, Call
from evalharness.llm.capabilities import traits_of
from evalharness.llm.client import Reply
from evalharness.llm.endpoint import Endpoint, parse_endpoint
from evalharness.llm.http import SELF_DESCRIPTION, bounded_client, use_aiohttp
from evalharness.llm.keys import ANTHROPIC, PLACEHOLDER, Key, Trust, endpoint_for, key_for
from evalharness.llm.options import AnthropicOptions
from evalharness.llm.remote import RemoteClient
from evalharness.llm.sdk_faults import SdkErrors
from evalharness.llm.shared_blocks import Marks
from evalharness.llm.wire_batches_anthropic import AnthropicBatches

Sdk: TypeAlias = anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock | anthropic.AsyncAnthropicVertex

_LEGACY_VERSION = "2023-06-01"
_LEGACY_SAMPLING = {"temperature": True, "top_p": True}


class AnthropicClient(RemoteClient):
    """A model behind Anthropic's messages."""

    backend = "anthropic"
    errors = SdkErrors(
        base=anthropic.AnthropicError,
        status=anthropic.APIStatusError,
        timeout=anthropic.APITimeoutError,
        connection=anthropic.APIConnectionError,
        invalid=anthropic.APIResponseValidationError,
        other={"CredentialsError": Cause.AUTH, "RetryableError": Cause.CONNECTION},
    )

    seed_in_api = False

    def __init__(self, model: str, endpoint: Endpoint, sdk: Sdk, options: AnthropicOptions, key: str) -> None:
        known = _LEGACY_SAMPLING if options.legacy_sampling else {}
        traits = traits_of("anthropic", model, own_host=True, overrides={**known, **options.capabilities})
        super().__init__(model, endpoint, traits, options, () if key in ("", PLACEHOLDER) else (key,))
        self._settings = options
        self._sdk = sdk
        self._create = sdk.messages.with_raw_response.create

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()

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
        return answer.http_response

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
    sdk = anthropic.AsyncAnthropic(
        api_key=key.value, base_url=endpoint.url, **_common(options, endpoint, key)
    )
    return AnthropicClient(model, endpoint, sdk, options, key.value)


def _on_platform(model: str, sdk: Sdk, options: AnthropicOptions) -> AnthropicClient:
    return AnthropicClient(model, parse_endpoint(str(sdk.base_url)), sdk, options, "")


def _bedrock(
    base_url: str | None, options: AnthropicOptions, trust: Trust
) -> anthropic.AsyncAnthropicBedrock:
    _no_address(base_url, "bedrock")
    if not trust.environment.get("AWS_BEARER_TOKEN_BEDROCK"):
        _need("boto3", "anthropic[bedrock]")
    try:
        return anthropic.AsyncAnthropicBedrock(aws_region=options.region, **_common(options))
    except ValueError:
        raise UsageError("bedrock needs a region", fix="Set AWS_REGION, or the option region.") from None


def _vertex(base_url: str | None, options: AnthropicOptions, trust: Trust) -> anthropic.AsyncAnthropicVertex:
    _no_address(base_url, "vertex")
    _need("google.auth", "anthropic[vertex]")
    region = options.region or trust.environment.get("CLOUD_ML_REGION")
    if not region:
        raise UsageError("vertex needs a region", fix="Set CLOUD_ML_REGION, or the option region.")
    settings = _common(options)
    if options.project:
        settings["project_id"] = options.project
    return anthropic.AsyncAnthropicVertex(region=region, **settings)


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


def _common(
    options: AnthropicOptions, endpoint: Endpoint | None = None, key: Key | None = None
) -> dict[str, Any]:
    own = endpoint is not None and ANTHROPIC.own_host(endpoint)
    headers: dict[str, Any] = {name: anthropic.Omit() for name in SELF_DESCRIPTION}
    if not own:
        headers.update(_without_ambient_headers())
    if key is not None and not own:
        headers["Authorization"] = f"Bearer {key.value}"
    if options.legacy_sampling:
        headers["anthropic-version"] = _LEGACY_VERSION
    return {
        "max_retries": 0,
        "timeout": httpx2.Timeout(options.timeout, connect=options.connect_timeout, pool=None),
        "default_headers": headers,
        "open_telemetry": False,
        "http_client": bounded_client(
            _http_class(options.transport),
            read_timeout=options.timeout,
            connect_timeout=options.connect_timeout,
            max_body=options.max_body,
        ),
    }


def _without_ambient_headers() -> dict[str, anthropic.Omit]:
    """Header settings that keep what the environment adds for Anthropic from going to other hosts."""
    custom = os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "")
    given = [line.partition(":")[0].strip() for line in custom.split("\n") if ":" in line]
    return {name: anthropic.Omit() for name in given}


def _http_class(transport: str) -> type[httpx2.AsyncClient]:
    return anthropic.DefaultAioHttpClient if use_aiohttp(transport) else anthropic.DefaultAsyncHttpxClient
