from __future__ import annotations

import errno
import inspect
import socket
import ssl
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import anthropic
import anyio
import httpx2
import openai
import pytest

from evalharness.core.scores import Cause
from evalharness.llm import anthropic_sdk, openai_sdk
from evalharness.llm.client import ProviderFault
from evalharness.llm.http import BodyRefusedError
from evalharness.llm.sdk_faults import SdkErrors, fault_of

REQUEST = httpx2.Request("POST", "https://api.example/v1")
SDKS: dict[str, tuple[ModuleType, type[Exception], SdkErrors]] = {
    "openai": (openai, openai.OpenAIError, openai_sdk.ERRORS),
    "anthropic": (anthropic, anthropic.AnthropicError, anthropic_sdk.ERRORS),
}


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


def exceptions(name: str) -> list[type[Exception]]:
    """Every exception class of the SDK: below its base class, or defined or exported by its modules."""
    package, base, _ = SDKS[name]
    found = set(subclasses(base))
    for module in (package, __import__(f"{name}._exceptions", fromlist=["x"])):
        found |= {
            member
            for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, Exception) and member.__module__.startswith(name)
        }
    return sorted(found, key=lambda kind: kind.__qualname__)


def example(kind: type[Any], status_base: type[Exception]) -> Exception:
    """An instance, made without the constructor where that wants what only the SDK has."""
    error: Exception = Exception.__new__(kind)
    error.args = ("message",)
    if issubclass(kind, status_base):
        status = getattr(kind, "status_code", None)
        error.status_code = status if isinstance(status, int) else 500  # type: ignore[attr-defined]
        error.response = httpx2.Response(500, request=REQUEST, content=b"{}")  # type: ignore[attr-defined]
    return error


CASES = [(name, kind) for name in SDKS for kind in exceptions(name)]


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}.{kind.__name__}" for name, kind in CASES])
def test_no_exception_of_an_sdk_is_left_unmapped(name: str, kind: type[Exception]) -> None:
    _, _, errors = SDKS[name]
    assert isinstance(fault_of(example(kind, errors.status), errors), ProviderFault)


def test_the_walk_finds_the_classes() -> None:
    assert {"RateLimitError", "APITimeoutError", "InvalidWebhookSignatureError"} <= {
        kind.__name__ for kind in exceptions("openai")
    }
    assert {"OverloadedError", "PaymentRequiredError", "CredentialsError"} <= {
        kind.__name__ for kind in exceptions("anthropic")
    }


def caused(error: Exception, *links: BaseException) -> Exception:
    """The exception as the SDKs raise it: from one of the HTTP library, from one of the system."""
    current: BaseException = error
    for link in links:
        current.__cause__ = link
        current = link
    return error


def openai_error(*links: BaseException) -> Exception:
    return caused(openai.APIConnectionError(request=REQUEST), *links)


def kind_of(error: Exception) -> tuple[Cause, bool, bool]:
    found = fault_of(error, openai_sdk.ERRORS)
    assert found is not None
    return found.cause, found.unknown_outcome, found.retryable


class _Aiohttp(Exception):
    pass


def aiohttp_error(name: str) -> Exception:
    kind: type[Exception] = type(name, (_Aiohttp,), {"__module__": "aiohttp.client_exceptions"})
    return kind()


REFUSED = OSError(errno.ECONNREFUSED, "refused")
TIMED_OUT = openai.APITimeoutError(request=REQUEST)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (openai_error(httpx2.ConnectError("x"), REFUSED), (Cause.CONNECTION, False, True)),
        (openai_error(httpx2.ConnectError("x"), socket.gaierror(-2, "x")), (Cause.CONNECTION, False, True)),
        (openai_error(httpx2.ReadError("x"), ConnectionResetError(104, "x")), (Cause.CONNECTION, True, True)),
        (openai_error(httpx2.RemoteProtocolError("x")), (Cause.CONNECTION, True, True)),
        (openai_error(httpx2.ProxyError("x")), (Cause.CONNECTION, False, True)),
        (openai_error(httpx2.ConnectError("x"), ssl.SSLCertVerificationError("x")), (Cause.CONNECTION, False, False)),
        (openai_error(BodyRefusedError("long", request=REQUEST)), (Cause.PROTOCOL, True, True)),
        (caused(openai.APITimeoutError(request=REQUEST), httpx2.ReadTimeout("x")), (Cause.TIMEOUT, True, True)),
        (caused(openai.APITimeoutError(request=REQUEST), httpx2.ConnectTimeout("x")), (Cause.TIMEOUT, False, True)),
        (caused(openai.APITimeoutError(request=REQUEST), httpx2.PoolTimeout("x")), (Cause.TIMEOUT, False, True)),
        (httpx2.ReadError("x"), (Cause.CONNECTION, True, True)),
        (httpx2.ReadTimeout("x"), (Cause.TIMEOUT, True, True)),
        (httpx2.DecodingError("x"), (Cause.CONNECTION, True, True)),
        (ConnectionResetError(104, "x"), (Cause.CONNECTION, True, True)),
        (anyio.BrokenResourceError(), (Cause.CONNECTION, True, True)),
        (anyio.EndOfStream(), (Cause.CONNECTION, True, True)),
        (ssl.SSLError("x"), (Cause.CONNECTION, True, True)),
        (RuntimeError("Could not resolve AWS credentials from session"), (Cause.AUTH, False, False)),
    ],
)  # fmt: skip
def test_transport_errors(error: Exception, expected: tuple[Cause, bool, bool]) -> None:
    assert kind_of(error) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ClientConnectorError", (Cause.CONNECTION, False, True)),
        ("ClientConnectorCertificateError", (Cause.CONNECTION, False, False)),
        ("ConnectionTimeoutError", (Cause.TIMEOUT, False, True)),
        ("ServerDisconnectedError", (Cause.CONNECTION, True, True)),
        ("ClientOSError", (Cause.CONNECTION, True, True)),
        ("SocketTimeoutError", (Cause.TIMEOUT, True, True)),
        ("ClientPayloadError", (Cause.CONNECTION, True, True)),
    ],
)
def test_aiohttps_own_word_counts_not_what_it_was_mapped_to(
    name: str, expected: tuple[Cause, bool, bool]
) -> None:
    mapped = caused(openai.APITimeoutError(request=REQUEST), httpx2.ConnectTimeout("x"), aiohttp_error(name))
    assert kind_of(mapped) == expected
    assert kind_of(aiohttp_error(name)) == expected


def test_reasons_are_told_without_the_libraries_texts() -> None:
    def detail(*links: BaseException) -> str:
        found = fault_of(openai_error(*links), openai_sdk.ERRORS)
        assert found is not None
        return found.detail

    assert detail(httpx2.ConnectError("secret"), REFUSED) == "the connection failed: ECONNREFUSED"
    assert detail(httpx2.ConnectError("secret"), socket.gaierror(-2, "x")) == "the host name is not found"
    assert detail(httpx2.ReadError("secret")) == "the connection broke before the whole answer had come"
    assert detail(httpx2.ConnectError("secret")) == "no connection could be made"


@pytest.mark.parametrize("bug", [ValueError("x"), KeyError("x"), ZeroDivisionError(), AttributeError("x")])
def test_bugs_stay_bugs(bug: Exception) -> None:
    assert fault_of(bug, openai_sdk.ERRORS) is None
