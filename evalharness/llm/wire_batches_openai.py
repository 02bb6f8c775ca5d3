"""The wire of OpenAI's batches, which some compatible servers speak too.

A JSON Lines file is uploaded, a batch made of it; results come in two files, one with answers and one with errors. A
batch that expired or was cancelled keeps what was answered until then. Our marker stands in the batch's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from evalharness.llm.batches import (
    LONGEST_RESULTS,
    BatchLimits,
    BatchStatus,
    Call,
    LineError,
    Phase,
    Row,
    Send,
    asked,
    asked_id,
    asked_status,
    checked_id,
    compact,
    listed_since,
)
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    count_in,
    list_in,
    load_object,
    object_in,
    text_in,
)
from evalharness.llm.http import spooled

LIMITS = BatchLimits(requests=50_000, bytes=200_000_000)
MARKER = "evalharness"
"""The key of the metadata under which our marker stands."""

_INPUT_KEPT = 30 * 86_400
"""Seconds after which the provider may remove the uploaded requests."""
_PHASES = {
    "validating": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "finalizing": Phase.RUNNING,
    "cancelling": Phase.RUNNING,
    "completed": Phase.ENDED,
    "expired": Phase.ENDED,
    "cancelled": Phase.ENDED,
    "failed": Phase.FAILED,
}
_NEVER_RUN = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
_STATUSES = {
    "invalid_request": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
}
"""The HTTP status that a live request would have had, for rows that have an error and no response."""


class OpenAIBatches:
    """Batches of one endpoint: ``/v1/responses`` or ``/v1/chat/completions``."""

    limits = LIMITS
    keeps_marker = True

    def __init__(self, send: Send, endpoint: str, *, expires: bool) -> None:
        self._send = send
        self._endpoint = endpoint
        self._expires = expires

    def line(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """A request as it stands in the uploaded file."""
        return compact({"custom_id": custom_id, "method": "POST", "url": self._endpoint, "body": dict(body)})

    async def upload(self, marker: str, lines: Sequence[bytes]) -> str:
        """Upload the file; its id. A file that no batch is made of costs nothing and expires."""
        fields: dict[str, Any] = {"purpose": "batch"}
        if self._expires:
            fields["expires_after"] = {"anchor": "created_at", "seconds": _INPUT_KEPT}
        file = (f"{marker}.jsonl", b"\n".join(lines) + b"\n")
        return await asked_id(self._send, Call("POST", "/files", fields, file=file))

    async def create(self, marker: str, uploaded: str, lines: Sequence[bytes]) -> BatchStatus:  # noqa: ARG002 (uploaded)
        """Make a batch of the uploaded file."""
        body = {
            "input_file_id": uploaded,
            "endpoint": self._endpoint,
            "completion_window": "24h",
            "metadata": {MARKER: marker},
        }
        return await asked_status(self._send, Call("POST", "/batches", body), _status)

    async def status(self, batch: str) -> BatchStatus:
        """How far a batch is."""
        return await asked_status(self._send, Call("GET", f"/batches/{batch}"), _status)

    async def cancel(self, batch: str) -> None:
        """Ask to stop; it may take ten minutes until the batch has ended."""
        await asked(self._send, Call("POST", f"/batches/{batch}/cancel"))

    async def listed(self, since: float) -> tuple[BatchStatus, ...]:
        """The batches created after ``since``."""
        return await listed_since(self._send, "/batches", "after", since, _status)

    async def download(self, batch: str, name: str, into: BinaryIO) -> None:  # noqa: ARG002 (files have ids)
        """Append one file of results."""
        with spooled(into, LONGEST_RESULTS):
            await self._send(Call("GET", f"/files/{name}/content"))

    def row(self, line: bytes) -> Row:
        """A line of either file: a response with its status, or an error without one."""
        read = load_object(line)
        custom_id = text_in(read, "custom_id")
        response = object_in(read, "response")
        if response:
            status = count_in(response, "status_code")
            return Row(custom_id, status, compact(response.get("body")))
        error = as_object(read.get("error"), "error")
        code = text_in(error, "code")
        if code in _NEVER_RUN:
            return Row(custom_id, never_run=_NEVER_RUN[code])
        return Row(custom_id, _STATUSES.get(code, 500), compact({"error": error}))


def _status(batch: Mapping[str, Any]) -> BatchStatus:
    """A batch object; MalformedBody where it is none."""
    word = text_in(batch, "status")
    if not word:
        raise MalformedBody("the batch has no status")
    phase = _PHASES.get(word, Phase.RUNNING)
    counts = object_in(batch, "request_counts")
    return BatchStatus(
        id=checked_id(batch.get("id"), "the batch's id"),
        phase=phase,
        word=word,
        total=count_in(counts, "total"),
        done=count_in(counts, "completed") + count_in(counts, "failed"),
        marker=text_in(object_in(batch, "metadata"), MARKER),
        created=float(count_in(batch, "created_at")) or None,
        whole=word == "completed",
        files=tuple(_files(batch)),
        errors=tuple(_errors(object_in(batch, "errors"))),
    )


def _files(batch: Mapping[str, Any]) -> Iterator[str]:
    for key in ("output_file_id", "error_file_id"):
        if batch.get(key) is not None:
            yield checked_id(batch[key], key)


def _errors(errors: Mapping[str, Any]) -> Iterator[LineError]:
    for entry in list_in(errors, "data"):
        error = as_object(entry, "error")
        yield LineError(count_in(error, "line") or None, error)
