"""Exceptions of the SDKs, and of what lies below them, to faults: nothing is left unmapped but bugs of ours."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2

from evalharness.core.scores import Cause
from evalharness.llm.client import ProviderFault
from evalharness.llm.faults import (
    auth_fault,
    connection_fault,
    fault_of_status,
    protocol_fault,
    timeout_fault,
)
from evalharness.llm.http import BodyRefusedError

_LINKS = 12
_NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "InvalidURL",
)
_AIOHTTP_NEVER_SENT = (
    "ClientConnector",
    "ConnectionTimeout",
    "ClientProxyConnection",
    "InvalidUrl",
    "NonHttpUrl",
)
_CREDENTIAL_MODULES = ("google.auth", "botocore", "boto3", "azure.identity", "azure.core")
_TRANSPORT_ERRORS = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    OSError,
    anyio.EndOfStream,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    anyio.BusyResourceError,
)


@dataclass(frozen=True, slots=True)
class SdkErrors:
    """The exception classes of one SDK. ``other`` maps names of rarer ones to the cause that they mean."""

    base: type[Exception]
    status: type[Exception]
    timeout: type[Exception]
    connection: type[Exception]
    invalid: type[Exception]
    other: Mapping[str, Cause] = field(default_factory=dict)


def fault_of(
    error: Exception, sdk: SdkErrors, *, private: tuple[str, ...] = (), secrets: tuple[str, ...] = ()
) -> ProviderFault | None:
    """The fault that an exception of a call means; None when it has nothing to do with the provider.

    ``private`` and ``secrets`` are what the fault's detail must not quote.
    """
    if isinstance(error, sdk.status):
        return _of_status(error, private, secrets)
    refused = next((link for link in _chain(error) if isinstance(link, BodyRefusedError)), None)
    if refused is not None:
        return protocol_fault(str(refused))
    if isinstance(error, (sdk.timeout, sdk.connection, *_TRANSPORT_ERRORS)):
        return _of_transport(error)
    if isinstance(error, sdk.invalid):
        return protocol_fault("the SDK could not read the answer")
    for kind in type(error).__mro__:
        if kind.__name__ in sdk.other:
            return _of_cause(sdk.other[kind.__name__], kind.__name__)
    if isinstance(error, sdk.base):
        return _of_cause(Cause.PROTOCOL, type(error).__name__)
    if _has_module(error, _CREDENTIAL_MODULES) or "Could not resolve" in str(error):
        return auth_fault(f"the platform's credentials could not be used ({type(error).__name__})")
    if _has_module(error, ("aiohttp",)):
        return _of_transport(error)
    return None


def _of_status(error: Any, private: tuple[str, ...], secrets: tuple[str, ...]) -> ProviderFault:
    response: httpx2.Response = error.response
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        raw = response.content
    except httpx2.StreamError:
        raw = b""
    return fault_of_status(error.status_code, headers, raw, private=private, secrets=secrets)


def _of_cause(cause: Cause, name: str) -> ProviderFault:
    if cause is Cause.AUTH:
        return auth_fault(f"the credentials could not be used ({name})")
    if cause is Cause.CONNECTION:
        return connection_fault(name, sent=True)
    if cause is Cause.PROTOCOL:
        return protocol_fault(name)
    return ProviderFault(cause, name)


def _of_transport(error: Exception) -> ProviderFault:
    links = list(_chain(error))
    names = [type(link).__name__ for link in links]
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in links) or any(
        "CertificateError" in name for name in names
    ):
        return connection_fault("the server's TLS certificate is not accepted", sent=False, fatal=True)
    sent = _may_have_been_sent(links)
    if _is_timeout(links):
        return timeout_fault("no answer in time" if sent else "no connection in time", sent=sent)
    return connection_fault(_reason(links, sent), sent=sent)


def _may_have_been_sent(links: list[BaseException]) -> bool:
    """Whether the request may have reached the provider. aiohttp's own word is preferred to what it was mapped to."""
    for link in links:
        if _has_module(link, ("aiohttp",)):
            return not type(link).__name__.startswith(_AIOHTTP_NEVER_SENT)
    return not any(type(link).__name__ in _NEVER_SENT for link in links)


def _is_timeout(links: list[BaseException]) -> bool:
    for link in links:
        if _has_module(link, ("aiohttp",)):
            return "Timeout" in type(link).__name__
    return any(isinstance(link, TimeoutError | httpx2.TimeoutException) for link in links)


def _reason(links: list[BaseException], sent: bool) -> str:
    for link in links:
        if isinstance(link, socket.gaierror):
            return "the host name is not found"
    for link in reversed(links):
        if isinstance(link, OSError) and link.errno is not None and link.errno in errno.errorcode:
            return f"the connection failed: {errno.errorcode[link.errno]}"
    return "the connection broke before the whole answer had come" if sent else "no connection could be made"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_LINKS):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _has_module(error: BaseException, modules: tuple[str, ...]) -> bool:
    return any((kind.__module__ or "").startswith(modules) for kind in type(error).__mro__)
