"""The OpenAI SDK, set up as this package uses it. The only file that imports the ``openai`` package.

Importing it takes longer than all else of a start, so the back-end loads this module when something is to be sent.
"""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import httpx2
import openai

from evalharness.core.scores import Cause
from evalharness.llm.endpoint import Endpoint
from evalharness.llm.http import SELF_DESCRIPTION, bounded_client, use_aiohttp
from evalharness.llm.keys import AZURE, OPENAI, Key, Provider
from evalharness.llm.options import OpenAIOptions
from evalharness.llm.sdk_faults import SdkErrors

_AZURE_CHAT_VERSION = "2024-10-21"
_OPENAI_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
_UNSENT = {name: openai.Omit() for name in SELF_DESCRIPTION}
PLAIN: Any = {
    "headers": {"x-stainless-retry-count": openai.Omit(), "x-stainless-read-timeout": openai.Omit()}
}
"""Options of a request without what the SDK tells about it in headers."""
Sdk: TypeAlias = openai.AsyncOpenAI

ERRORS = SdkErrors(
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
"""The SDK's errors, and what those of them mean that say nothing of the answer."""


def sdk_client(provider: Provider, endpoint: Endpoint, key: Key, options: OpenAIOptions) -> Sdk:
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
