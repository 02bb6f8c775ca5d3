"""The wire of Anthropic's message batches.

Requests are handed in within the call that starts the batch; results are one stream in any order, every request ending
as succeeded, errored, canceled or expired. A batch keeps no marker of ours: only its results show whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

from evalharness.llm.batches import (
    LONGEST_RESULTS,
    BatchLimits,
    BatchStatus,
    Call,
    Phase,
    Row,
    Send,
    asked,
    asked_status,
    checked_id,
    compact,
    listed_since,
)
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    count_in,
    load_object,
    object_in,
    text_in,
)
from evalharness.llm.http import spooled

LIMITS = BatchLimits(requests=100_000, bytes=256_000_000)

_ROOT = "/v1/messages/batches"
_PHASES = {"in_progress": Phase.RUNNING, "canceling": Phase.RUNNING, "ended": Phase.ENDED}
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status that a live request would have had with an error of this type."""


class AnthropicBatches:
    """Batches of messages."""

    limits = LIMITS
    keeps_marker = False

    def __init__(self, send: Send) -> None:
        self._send = send

    def line(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """A request as it stands in the list of requests."""
        return compact({"custom_id": custom_id, "params": dict(body)})

    async def upload(self, marker: str, lines: Sequence[bytes]) -> str:  # noqa: ARG002 (nothing to upload)
        """Nothing: requests are handed in when the batch is made."""
        return ""

    async def create(self, marker: str, uploaded: str, lines: Sequence[bytes]) -> BatchStatus:  # noqa: ARG002 (no marker)
        """Hand the requests in."""
        body = b'{"requests":[' + b",".join(lines) + b"]}"
        return await asked_status(self._send, Call("POST", _ROOT, body), _status)

    async def status(self, batch: str) -> BatchStatus:
        """How far a batch is."""
        return await asked_status(self._send, Call("GET", f"{_ROOT}/{batch}"), _status)

    async def cancel(self, batch: str) -> None:
        """Ask to stop; requests that are being run may still be answered."""
        await asked(self._send, Call("POST", f"{_ROOT}/{batch}/cancel"))

    async def listed(self, since: float) -> tuple[BatchStatus, ...]:
        """The batches created after ``since``."""
        return await listed_since(self._send, _ROOT, "after_id", since, _status)

    async def download(self, batch: str, name: str, into: BinaryIO) -> None:  # noqa: ARG002 (one stream per batch)
        """Append the results. Their address is made here: the one in the answer could lead elsewhere with our key."""
        with spooled(into, LONGEST_RESULTS):
            await self._send(Call("GET", f"{_ROOT}/{batch}/results"))

    def row(self, line: bytes) -> Row:
        """A line of results."""
        read = load_object(line)
        custom_id = text_in(read, "custom_id")
        result = as_object(read.get("result"), "result")
        kind = text_in(result, "type")
        if kind in ("canceled", "expired"):
            return Row(custom_id, never_run="cancelled" if kind == "canceled" else kind)
        if kind == "succeeded":
            return Row(custom_id, 200, compact(result.get("message")))
        if kind != "errored":
            raise MalformedBody("the result has no known type")
        answer = object_in(result, "error")
        error = object_in(answer, "error") or answer
        return Row(custom_id, _STATUSES.get(text_in(error, "type"), 500), compact({"error": error}))


def _status(batch: Mapping[str, Any]) -> BatchStatus:
    """A batch object; MalformedBody where it is none."""
    word = text_in(batch, "processing_status")
    if not word:
        raise MalformedBody("the batch has no status")
    phase = _PHASES.get(word, Phase.RUNNING)
    counts = {name: count_in(object_in(batch, "request_counts"), name) for name in _COUNTS}
    total = sum(counts.values())
    return BatchStatus(
        id=checked_id(batch.get("id"), "the batch's id"),
        phase=phase,
        word=word,
        total=total,
        done=total - counts["processing"],
        created=_seconds(text_in(batch, "created_at")),
        files=("results",) if phase is Phase.ENDED else (),
    )


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of a time in RFC 3339; None for what is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
