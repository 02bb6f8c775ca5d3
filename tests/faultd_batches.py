"""Batch APIs for faultd: OpenAI's (files, batches) and Anthropic's (message batches), failing on command.

    shop = Shop()
    with Faultd(routes=shop) as server:
        shop.join(server)

A batch is answered by the same fake judge as live requests, so both give the same verdicts. What goes wrong is set on
the shop: calls that fail before or after they took effect (``before``, ``after``), how a batch ends (``ending``), and
what its files hold (``files``).
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faultd import Faultd
from tests.faultd_acts import Act, Raw, Script, Seen, Status
from tests.faultd_wires import Asked, Said, answer

FILE = re.compile(rb'filename="([^"]*)"\r\n(?:[^\r]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)


@dataclass
class Batch:
    """A batch at the provider. ``lines`` are the requests as they came, ``rows`` the result lines by custom id."""

    id: str
    lines: list[dict[str, Any]]
    wire: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    polls: int = 0
    ending: str = ""  # completed | expired | cancelled | failed, once it has ended
    cancelling: bool = False
    gone: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    good: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    counted: tuple[int, int] = (0, 0)


Fate = Callable[[Batch, dict[str, Any], int], Any]
"""What becomes of a request (its line, and how often its row was run): ``ok``, ``expired``, ``cancelled``, an HTTP
status with an error code, or the words of the fake judge (:class:`Said`)."""


def fine(_batch: Batch, _line: dict[str, Any], _run: int) -> Any:
    """Every request is answered."""
    return "ok"


class Shop(Mapping[str, Script]):
    """The batch endpoints; give it to :class:`Faultd` as ``routes``.

    ``polls``: how many status calls say that a batch is still being run. ``ending`` names how batches end, one after
    the other (the last for all that follow). ``fate`` decides row by row; ``files`` may change the two lists of
    result lines of a batch. ``before`` and ``after`` hold, by kind of call (``upload``, ``create``, ``list``,
    ``status``, ``cancel``, ``results``), acts that stand in for the answers to the first calls. ``watch`` is told of
    every call before and after it took effect; ``billed`` counts the answers made, by row.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.ending: list[str] = ["completed"]
        self.fate: Fate = fine
        self.files: Callable[[Batch], None] = lambda batch: None
        self.before: defaultdict[str, list[Act | None]] = defaultdict(list)
        self.after: defaultdict[str, list[Act | None]] = defaultdict(list)
        self.watch: Callable[[str, str], None] = lambda kind, moment: None
        self.billed: Counter[str] = Counter()
        self.batches: dict[str, Batch] = {}
        self.uploads: dict[str, bytes] = {}
        self.calls: list[str] = []
        self._server: Faultd | None = None

    def join(self, server: Faultd) -> None:
        """Count rows where the server counts those of live requests."""
        self._server = server

    def reset(self) -> None:
        """As if it were new."""
        server = self._server
        self.__init__()  # type: ignore[misc]
        self._server = server

    @property
    def sent(self) -> int:
        """Requests in all batches that were made."""
        return sum(len(batch.lines) for batch in self.batches.values())

    def get(self, route: str, default: Any = None) -> Any:  # type: ignore[override]
        return self.take if re.match(r"/(?:files|batches|messages/batches)(?:/|$)", route) else default

    def __getitem__(self, route: str) -> Script:
        return self.take

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1

    def take(self, seen: Seen) -> Act:
        """Answer a call."""
        path = seen.path.partition("?")[0].removeprefix("/v1")
        anthropic = path.startswith("/messages")
        parts = path.removeprefix("/messages").strip("/").split("/")
        kind = _kind(parts, seen.raw)
        self.calls.append(kind)
        self.watch(kind, "before")
        early = self.before[kind].pop(0) if self.before[kind] else None
        if early is not None:
            return early
        done = self._done(kind, parts, seen, anthropic=anthropic)
        self.watch(kind, "after")
        late = self.after[kind].pop(0) if self.after[kind] else None
        return done if late is None else late

    def _done(self, kind: str, parts: list[str], seen: Seen, *, anthropic: bool) -> Act:
        if kind == "upload":
            return self._upload(seen.raw)
        if kind == "create":
            return self._create(seen.body, anthropic=anthropic)
        if kind == "list":
            return self._list(seen.path, anthropic=anthropic)
        if kind == "results" and not anthropic:
            return self._file(parts[1])
        batch = self.batches.get(parts[1])
        if batch is None or batch.gone:
            return Status(404, "not_found_error", "No such batch")
        if kind == "results":
            return Raw(200, b"".join(line + b"\n" for line in (*batch.good, *batch.bad)))
        if kind == "cancel":
            batch.cancelling = not batch.ending
        else:
            self._move(batch)
        return _json(described(batch, anthropic=anthropic))

    def _upload(self, raw: bytes) -> Act:
        match = FILE.search(raw)
        assert match is not None
        assert b'name="purpose"\r\n\r\nbatch' in raw
        name = f"file-{len(self.uploads) + 1}"
        self.uploads[name] = match.group(2)
        return _json({"id": name, "object": "file", "bytes": len(match.group(2)), "purpose": "batch"})

    def _create(self, body: Mapping[str, Any], *, anthropic: bool) -> Act:
        if anthropic:
            lines, wire = list(body["requests"]), "messages"
        else:
            lines = [json.loads(line) for line in self.uploads[body["input_file_id"]].splitlines()]
            wire = {"/v1/responses": "responses", "/v1/chat/completions": "chat"}[body["endpoint"]]
            assert {line["url"] for line in lines} == {body["endpoint"]}
        ids = [line["custom_id"] for line in lines]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in ids)
        batch = Batch(f"batch_{len(self.batches) + 1}", lines, wire, body.get("metadata") or {})
        self.batches[batch.id] = batch
        return _json(described(batch, anthropic=anthropic))

    def _list(self, path: str, *, anthropic: bool) -> Act:
        """Two a page, the newest first. A look at the list is a look at every batch, so that time goes on."""
        rows = [batch for batch in reversed(self.batches.values()) if not batch.gone]
        for batch in rows:
            self._move(batch)
        after = re.search(r"after(?:_id)?=([^&]+)", path)
        if after is not None:
            rows = rows[[batch.id for batch in rows].index(after.group(1)) + 1 :]
        page = [described(batch, anthropic=anthropic) for batch in rows[:2]]
        return _json({"object": "list", "data": page, "has_more": len(rows) > 2})

    def _file(self, name: str) -> Act:
        batch_id, _, which = name.rpartition("-")
        batch = self.batches[batch_id]
        lines = batch.good if which == "good" else batch.bad
        return Raw(200, b"".join(line + b"\n" for line in lines))

    def _move(self, batch: Batch) -> None:
        """One more look at a batch: it may end now."""
        batch.polls += 1
        if batch.ending or batch.polls <= self.polls:
            return
        word = self.ending.pop(0) if len(self.ending) > 1 else self.ending[0]
        batch.ending = "cancelled" if batch.cancelling else word
        if batch.ending != "failed":
            for line in batch.lines:
                self._run(batch, line)
        batch.counted = (len(batch.good), len(batch.bad))
        self.files(batch)

    def _run(self, batch: Batch, line: dict[str, Any]) -> None:
        asked = Asked(batch.wire, line.get("body") or line["params"])
        run = 1
        if self._server is not None:
            self._server.attempts[asked.row] += 1
            run = self._server.attempts[asked.row]
        fate = self.fate(batch, line, run)
        good = fate == "ok" or isinstance(fate, Said)
        self.billed[asked.row] += good
        said = fate if isinstance(fate, Said) else Said()
        judge = 0 if self._server is None else self._server.judge
        body = answer(asked, said, judge) if good else None
        row = (_message_row if batch.wire == "messages" else _file_row)(line["custom_id"], fate, body)
        (batch.good if good else batch.bad).append(json.dumps(row).encode())


def described(batch: Batch, *, anthropic: bool) -> dict[str, Any]:
    """A batch as its provider describes it."""
    good, bad = batch.counted
    if anthropic:
        running = 0 if batch.ending else len(batch.lines)
        counts = {"processing": running, "succeeded": good, "errored": bad, "canceled": 0, "expired": 0}
        word = "ended" if batch.ending else "canceling" if batch.cancelling else "in_progress"
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.created))
        return {
            "id": batch.id, "type": "message_batch", "processing_status": word, "request_counts": counts,
            "created_at": made, "results_url": "http://127.0.0.2:9/never" if batch.ending else None,
        }  # fmt: skip
    word = batch.ending or ("cancelling" if batch.cancelling else "in_progress")
    return {
        "id": batch.id, "object": "batch", "status": word, "created_at": int(batch.created),
        "endpoint": "", "input_file_id": "file-1", "metadata": dict(batch.metadata),
        "output_file_id": f"{batch.id}-good" if batch.good else None,
        "error_file_id": f"{batch.id}-bad" if batch.bad else None,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "request_counts": {"total": len(batch.lines), "completed": good, "failed": bad},
    }  # fmt: skip


def _kind(parts: list[str], raw: bytes) -> str:
    if parts[0] == "files":
        return "upload" if len(parts) == 1 else "results"
    if len(parts) == 1:
        return "create" if raw else "list"
    return parts[2] if len(parts) > 2 else "status"


def _file_row(name: str, fate: Any, body: dict[str, Any] | None) -> dict[str, Any]:
    """A line of OpenAI's output or error file."""
    row: dict[str, Any] = {"id": f"req_{name}", "custom_id": name, "response": None, "error": None}
    if body is not None:
        row["response"] = {"status_code": 200, "request_id": "r", "body": body}
    elif fate in ("expired", "cancelled"):
        row["error"] = {"code": f"batch_{fate}", "message": "This request could not be executed."}
    else:
        status, code = fate
        row["response"] = {"status_code": status, "body": {"error": {"code": code, "message": "no"}}}
    return row


_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
}


def _message_row(name: str, fate: Any, body: dict[str, Any] | None) -> dict[str, Any]:
    """A line of Anthropic's results."""
    result: dict[str, Any]
    if body is not None:
        result = {"type": "succeeded", "message": body}
    elif fate in ("expired", "cancelled"):
        result = {"type": "canceled" if fate == "cancelled" else fate}
    else:
        error = {"type": _TYPES[fate[0]], "message": "no"}
        result = {"type": "errored", "error": {"type": "error", "error": error}}
    return {"custom_id": name, "result": result}


def _json(value: Any) -> Raw:
    return Raw(200, json.dumps(value).encode())
