"""Providers' batch APIs: many requests handed in at once, answered within a day, at a lower price.

One interface for every wire. Each method is one call without retrying; faults are raised as ``ProviderFault``. What
was submitted, and how rows that come back belong to requests, is the engine's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Protocol, TypeAlias

from evalharness.llm.bodies import MalformedBody, as_object, list_in, load_object
from evalharness.llm.client import Client, ProviderFault, Reply, Request
from evalharness.llm.faults import protocol_fault

LONGEST_RESULTS = 8 << 30
"""Bytes of results that are taken of one batch; they go to a temporary file, not into memory."""

_PAGE = 100
_MOST_PAGES = 100
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Phase(StrEnum):
    """Where a batch is: the provider works on it, it has ended with results, or it was refused as a whole."""

    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one batch may hold."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LineError:
    """What a validation found: the line (from 1; None for the whole file), and the provider's error object."""

    line: int | None
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch as its provider describes it.

    ``word`` is the provider's own status. ``total`` requests, of which ``done`` have a row of any kind (0 where the
    provider tells only at the end). ``marker`` is ours where the provider keeps one; ``created`` in seconds since
    1970. ``whole``: every request was run, so a missing row was lost rather than never run. ``files`` name where the
    results are, the one with answers first.
    """

    id: str
    phase: Phase
    word: str
    total: int = 0
    done: int = 0
    marker: str = ""
    created: float | None = None
    whole: bool = True
    files: tuple[str, ...] = ()
    errors: tuple[LineError, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of results: an HTTP status and body, or (``never_run``) the reason why the request was not run."""

    custom_id: str
    status: int = 200
    body: bytes = b""
    never_run: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call of a batch API. ``file`` (name, content) makes it a form with ``body``'s fields."""

    method: str
    path: str
    body: Mapping[str, Any] | bytes | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None


Send: TypeAlias = Callable[[Call], Awaitable[bytes]]
"""Makes a call with the key, limits and faults of the client; the body of the answer."""


class BatchApi(Protocol):
    """One provider's batches of one model."""

    @property
    def limits(self) -> BatchLimits:
        """What the provider takes in one batch."""
        ...

    @property
    def keeps_marker(self) -> bool:
        """Whether a listed batch shows the marker that it was created with."""
        ...

    def line(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """A request as it stands in a batch, without an end of line."""
        ...

    async def upload(self, marker: str, lines: Sequence[bytes]) -> str:
        """Hand in the lines beforehand where the wire wants that; what :meth:`create` needs. Costs nothing."""
        ...

    async def create(self, marker: str, uploaded: str, lines: Sequence[bytes]) -> BatchStatus:
        """Start the batch. From here on it costs money."""
        ...

    async def status(self, batch: str) -> BatchStatus:
        """How far a batch is."""
        ...

    async def cancel(self, batch: str) -> None:
        """Ask the provider to stop; what is answered already stays."""
        ...

    async def listed(self, since: float) -> tuple[BatchStatus, ...]:
        """The batches of the key's owner that were created after ``since`` (seconds since 1970)."""
        ...

    async def download(self, batch: str, name: str, into: BinaryIO) -> None:
        """Append one file of results."""
        ...

    def row(self, line: bytes) -> Row:
        """A line of results; MalformedBody for what is none."""
        ...


class BatchClient(Client, Protocol):
    """A client whose model can also be asked in batches."""

    @property
    def batches(self) -> BatchApi | None:
        """Its provider's batch API; None where there is none."""
        ...

    def batch_body(self, request: Request) -> dict[str, Any]:
        """The request as this client would send it."""
        ...

    def batch_answer(
        self, row: Row, labels: tuple[str, ...] = (), private: tuple[str, ...] = ()
    ) -> Reply | ProviderFault:
        """What a row holds, read as an answer to a live request would be.

        ``labels`` are those of the request; ``private`` texts are not quoted in a fault's detail.
        """
        ...


def checked_id(value: object, name: str) -> str:
    """A provider's id that can stand in a path; MalformedBody for anything else."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise MalformedBody(f"{name} is no plain id")
    return value


def compact(value: Any) -> bytes:
    """A JSON value in ASCII without spaces."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


async def asked(send: Send, call: Call) -> dict[str, Any]:
    """The object that a call answers with; a protocol fault for anything else."""
    try:
        return load_object(await send(call))
    except MalformedBody as malformed:
        raise protocol_fault(str(malformed)) from None


async def asked_id(send: Send, call: Call) -> str:
    """The id of the object that a call answers with."""
    answer = await asked(send, call)
    try:
        return checked_id(answer.get("id"), "the id")
    except MalformedBody as malformed:
        raise protocol_fault(str(malformed)) from None


Read: TypeAlias = Callable[[Mapping[str, Any]], BatchStatus]
"""Reads a provider's batch object; raises MalformedBody."""


async def asked_status(send: Send, call: Call, read: Read) -> BatchStatus:
    """The batch that a call answers with."""
    answer = await asked(send, call)
    try:
        return read(answer)
    except MalformedBody as malformed:
        raise protocol_fault(str(malformed)) from None


async def listed_since(
    send: Send, path: str, cursor: str, since: float, read: Read
) -> tuple[BatchStatus, ...]:
    """The listed batches that were created after ``since``, page by page; a page of older ones only ends the search.

    ``cursor`` is the query parameter that takes the last id of a page.
    """
    found: list[BatchStatus] = []
    query: dict[str, Any] = {"limit": _PAGE}
    for _ in range(_MOST_PAGES):
        page = await asked(send, Call("GET", path, query=query))
        try:
            rows = [read(as_object(row, "batch")) for row in list_in(page, "data")]
        except MalformedBody as malformed:
            raise protocol_fault(str(malformed)) from None
        found += [row for row in rows if row.created is None or row.created >= since]
        if not page.get("has_more") or not rows or all((row.created or since) < since for row in rows):
            return tuple(found)
        query = {"limit": _PAGE, cursor: rows[-1].id}
    raise protocol_fault("the list of batches has no end")
