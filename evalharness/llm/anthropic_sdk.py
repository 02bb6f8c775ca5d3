"""The Anthropic SDK, set up as this package uses it. The only file that imports the ``anthropic`` package.

Importing it takes longer than all else of a start, so the back-end loads this module when something is to be sent.
"""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import anthropic
import httpx2

from evalharness.core.scores import Cause
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.http import SELF_DESCRIPTION, bounded_client, use_aiohttp
from evalharness.llm.keys import ANTHROPIC, Key
from evalharness.llm.options import AnthropicOptions
from evalharness.llm.sdk_faults import SdkErrors

Sdk: TypeAlias = anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock | anthropic.AsyncAnthropicVertex

_LEGACY_VERSION = "2023-06-01"

ERRORS = SdkErrors(
    base=anthropic.AnthropicError,
    status=anthropic.APIStatusError,
    timeout=anthropic.APITimeoutError,
    connection=anthropic.APIConnectionError,
    invalid=anthropic.APIResponseValidationError,
    other={"CredentialsError": Cause.AUTH, "RetryableError": Cause.CONNECTION},
)
"""The SDK's errors, and what those of them mean that say nothing of the answer."""


def own_client(endpoint: Endpoint, key: Key, options: AnthropicOptions) -> Sdk:
    """The SDK's client for Anthropic, or a server that speaks its API."""
    return anthropic.AsyncAnthropic(
        api_key=key.value, base_url=endpoint.url, **_common(options, endpoint, key)
    )


def bedrock_client(options: AnthropicOptions) -> Sdk:
    """The SDK's client for Bedrock; a ``ValueError`` where no region is known."""
    return anthropic.AsyncAnthropicBedrock(aws_region=options.region, **_common(options))


def vertex_client(region: str, options: AnthropicOptions) -> Sdk:
    """The SDK's client for Vertex."""
    settings = _common(options)
    if options.project:
        settings["project_id"] = options.project
    return anthropic.AsyncAnthropicVertex(region=region, **settings)


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
