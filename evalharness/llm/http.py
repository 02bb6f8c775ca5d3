"""The HTTP client under both SDKs: no redirects, no endless or exploding bodies, connections enough for wide runs."""

from __future__ import annotations

import importlib.util
import logging
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, BinaryIO

import httpx2

from evalharness.errors import MissingDependencyError, UsageError

CONNECTIONS = 2048
KEEP_ALIVE_SECONDS = 30.0

_NO_PROXY: Mapping[str, None] = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""Requests to this machine never go to a proxy of the environment, which would read them and could not answer."""

SELF_DESCRIPTION = tuple(
    f"X-Stainless-{name}"
    for name in ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
)
"""Headers in which both SDKs describe their machine: nobody needs them, and each costs time in every request."""

_LOUD_LOGGERS = ("openai", "anthropic", "httpx2", "httpcore2", "aiohttp.client")

_CODED = ("content-encoding", "transfer-encoding")

_SPOOL: ContextVar[tuple[BinaryIO, int] | None] = ContextVar("spool", default=None)


@contextmanager
def spooled(file: BinaryIO, limit: int) -> Iterator[None]:
    """Answers of status 200 to requests of this task go into ``file`` (at most ``limit`` bytes); their body is empty.

    For downloads that are longer than what should be held in memory.
    """
    token = _SPOOL.set((file, limit))
    try:
        yield
    finally:
        _SPOOL.reset(token)


class BodyRefusedError(httpx2.RequestError):
    """An answer's body that is longer than allowed, or coded in a way that was not asked for."""


def bounded_client(
    base: type[httpx2.AsyncClient], *, read_timeout: float, connect_timeout: float, max_body: int
) -> httpx2.AsyncClient:
    """A client of the given class (the SDK's plain or aiohttp one) with this module's limits.

    ``read_timeout`` bounds the silence between two reads, in seconds; a total deadline is the caller's. ``max_body``
    bounds a body in bytes, also after decompression. A UsageError where the environment's proxies or certificates
    can't be used.
    """
    _quiet_logs()
    timeout = httpx2.Timeout(read_timeout, connect=connect_timeout, pool=None)
    limits = httpx2.Limits(
        max_connections=CONNECTIONS,
        max_keepalive_connections=CONNECTIONS,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
    )
    bounded = type("BoundedClient", (_Bounded, base), {"max_body": max_body})
    try:
        client: httpx2.AsyncClient = bounded(
            timeout=timeout,
            limits=limits,
            follow_redirects=False,
            mounts=dict(_NO_PROXY),
            headers={"accept-encoding": "identity"},
        )
    except (OSError, ValueError, ImportError) as error:  # its text may hold a proxy's password
        raise UsageError(
            f"connections can't be made with the proxies and certificates of the environment ({_reason(error)})",
            fix="Mend HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR.",
        ) from None
    return client


def _quiet_logs() -> None:
    """Keep debug logs of the SDKs and the HTTP libraries off: they hold prompts and addresses.

    Loading an SDK may turn its own on, as the environment asks; each makes its HTTP client here after that.
    """
    for name in _LOUD_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "a package for such a proxy is missing" if isinstance(error, ImportError) else "no such proxy"


class _Bounded(httpx2.AsyncClient):
    """Reads every body itself; the SDKs only see what is within the limit."""

    max_body: int

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send one request and read the whole answer."""
        options.update(stream=True, follow_redirects=False)
        response = await super().send(request, **options)
        try:
            spool = _SPOOL.get() if response.status_code == 200 else None
            body = await (_read(response, self.max_body) if spool is None else _spool(response, *spool))
        except BodyRefusedError:
            if response.is_success:
                raise
            body = b""  # a refused key or a wait that is asked for is told by status and headers all the same
        finally:
            await response.aclose()
        return httpx2.Response(
            response.status_code,
            headers=_plain_headers(response.headers),
            content=body,
            request=request,
            extensions=response.extensions,
        )


def _plain_headers(headers: httpx2.Headers) -> httpx2.Headers:
    """The headers of an answer whose body is no longer coded in any way."""
    if not any(name in headers for name in _CODED):
        return headers
    return httpx2.Headers([pair for pair in headers.raw if pair[0].lower().decode("latin-1") not in _CODED])


async def _read(response: httpx2.Response, limit: int) -> bytes:
    pieces: list[bytes] = []
    await _take(response, limit, pieces.append)
    return b"".join(pieces)


async def _spool(response: httpx2.Response, file: BinaryIO, limit: int) -> bytes:
    await _take(response, limit, file.write)
    return b""


async def _take(response: httpx2.Response, limit: int, take: Callable[[bytes], object]) -> None:
    """Hand over the body piece by piece, decompressed; raises once it is longer than allowed.

    The stream is read directly: what ``aiter_raw`` does around it costs more than reading a whole verdict.
    """
    chunks = _decoded(response, limit)
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise BodyRefusedError(f"the body is longer than {limit} bytes", request=response.request)
            take(chunk)
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _decoded(response: httpx2.Response, limit: int) -> AsyncIterator[bytes]:
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    chunks = aiter(response.stream)
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    return chunks if coding in ("", "identity") else _inflated(chunks, coding, limit, response.request)


async def _inflated(
    chunks: AsyncIterator[bytes], coding: str, limit: int, request: httpx2.Request
) -> AsyncIterator[bytes]:
    """Decompress with a bound on each step, for servers that compress although they were asked not to."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BodyRefusedError("the body is compressed in an unknown way", request=request)
    inflater = zlib.decompressobj(47)
    try:
        async for chunk in chunks:
            data = chunk
            while data:
                yield inflater.decompress(data, limit + 1)
                data = inflater.unconsumed_tail
    except zlib.error:
        raise BodyRefusedError("the body's compression is corrupt", request=request) from None
    if not inflater.eof:
        raise BodyRefusedError("the compressed body is cut off", request=request)


def use_aiohttp(transport: str) -> bool:
    """Whether requests go through aiohttp: when asked for, or where it is installed and the choice is ``auto``."""
    installed = importlib.util.find_spec("aiohttp") is not None
    if transport == "aiohttp" and not installed:
        raise MissingDependencyError("the aiohttp transport is not installed", fix="Run: pip install aiohttp")
    return transport == "aiohttp" or (transport == "auto" and installed)


def header_map(response: httpx2.Response) -> dict[str, str]:
    """The headers of an answer under lower-case names, which is much faster to search than the original."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
