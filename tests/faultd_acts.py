"""What faultd can do with a request: good answers, error answers, broken connections, nonsense, silence."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from tests.faultd_wires import Asked, Said, answer


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the server got it; ``attempt`` counts the requests of its row from 1.

    ``seed`` belongs to the faults, ``judge`` to the fake judge: faults may vary while verdicts stay.
    """

    number: int
    path: str
    headers: Mapping[str, str]
    raw: bytes
    asked: Asked
    row: str
    attempt: int
    seed: int
    judge: int
    cached: bool

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON that was sent."""
        return self.asked.body

    def chance(self, place: str = "") -> float:
        """A number in [0, 1) that depends on seed, row, attempt and place alone."""
        key = f"{self.seed}|{self.row}|{self.attempt}|{place}"
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big") / 2**56


class Line(Protocol):
    """The connection that a request came on."""

    def reply(self, data: bytes, delay: float = 0.0) -> None:
        """Send a whole answer, after the delay and the server's latency."""
        ...

    def drip(self, data: bytes, piece: int, pause: float) -> None:
        """Send an answer piece by piece."""
        ...

    def write(self, data: bytes) -> None:
        """Send some bytes."""
        ...

    def end(self, *, reset: bool) -> None:
        """Close the connection, by RST if asked."""
        ...

    def keep_silent(self) -> None:
        """Leave the request without an (end of the) answer."""
        ...


class Act(Protocol):
    """What the server does with a request."""

    def run(self, line: Line, seen: Seen) -> None:
        """Answer on the line, or don't."""
        ...


Script: TypeAlias = Callable[[Seen], Act]


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer of the fake judge, or a fixed text; ``finish`` is stop, length, refusal or filtered."""

    text: str | None = None
    finish: str = "stop"
    model: str | None = None
    usage: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def run(self, line: Line, seen: Seen) -> None:
        said = Said(self.text, self.finish, self.model, self.usage)
        body = json.dumps(answer(seen.asked, said, seen.judge, cached=seen.cached)).encode()
        line.reply(response(200, body, self.headers), self.delay)


@dataclass(frozen=True, slots=True)
class Raw:
    """Any status and bytes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def run(self, line: Line, seen: Seen) -> None:
        line.reply(response(self.status, self.body, self.headers), self.delay)


def Status(
    status: int, code: str = "", message: str = "", retry_after: str | None = None, **headers: str
) -> Raw:
    """An error answer with an error object that every wire understands."""
    error = {"type": code or "error", "code": code or None, "message": message or f"status {status}"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if retry_after is not None:
        named["retry-after"] = retry_after
    return Raw(status, json.dumps({"type": "error", "error": error}).encode(), named)


@dataclass(frozen=True, slots=True)
class Break:
    """The connection ends before the answer does: after nothing, the headers, or half the body.

    ``reset`` sends RST instead of a clean end; ``chunked`` breaks inside a chunk.
    """

    after: str = "nothing"  # nothing | headers | half
    reset: bool = True
    chunked: bool = False

    def run(self, line: Line, seen: Seen) -> None:
        body = json.dumps(answer(seen.asked, Said(), seen.judge)).encode()
        half = body[: len(body) // 2]
        if self.chunked:
            line.write(head(200, {"transfer-encoding": "chunked"}) + f"{len(body):x}\r\n".encode() + half)
        elif self.after != "nothing":
            whole = head(200, {"content-length": str(len(body))})
            line.write(whole + (half if self.after == "half" else b""))
        line.end(reset=self.reset)


@dataclass(frozen=True, slots=True)
class Drip:
    """A good answer in small pieces with a pause before each: a dripping server, or (without pauses) a slicer."""

    pause: float = 0.0
    piece: int = 1

    def run(self, line: Line, seen: Seen) -> None:
        body = json.dumps(answer(seen.asked, Said(), seen.judge)).encode()
        line.drip(response(200, body, {}), self.piece, self.pause)


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer."""

    def run(self, line: Line, seen: Seen) -> None:
        line.keep_silent()


@dataclass(frozen=True, slots=True)
class Unclosed:
    """An answer without a length whose connection is never closed, so that its end can't be told."""

    def run(self, line: Line, seen: Seen) -> None:
        body = json.dumps(answer(seen.asked, Said(), seen.judge)).encode()
        line.write(head(200, {"connection": "close"}) + body)
        line.keep_silent()


def Bomb(size: int = 50_000_000, level: int = 9) -> Raw:
    """A small gzip body that becomes ``size`` bytes of JSON white space."""
    return Raw(200, gzip.compress(b" " * size, level), {"content-encoding": "gzip"})


def Redirect(status: int, location: str) -> Raw:
    """A redirect to another address."""
    return Raw(status, b"", {"location": location})


def good(_seen: Seen) -> Act:
    """The script of a provider without faults."""
    return Answer()


def once(fault: Act, times: int = 1) -> Script:
    """The fault for the first attempts of each row, then good answers."""
    return lambda seen: fault if seen.attempt <= times else Answer()


def always(act: Act) -> Script:
    """The same for every request."""
    return lambda _seen: act


def mixed(faults: Mapping[str, Act], share: float, longest: int = 3) -> Script:
    """Random faults for a share of attempts, drawn from the seed; after ``longest`` in a row the row is let through."""
    names = sorted(faults)

    def script(seen: Seen) -> Act:
        if seen.attempt > longest or seen.chance("whether") >= share:
            return Answer()
        return faults[names[int(seen.chance("which") * len(names))]]

    return script


RETRYABLE: Mapping[str, Act] = {
    "429": Status(429, "rate_limit_exceeded"),
    "429_retry_after": Status(429, "rate_limit_exceeded", retry_after="0.01"),
    "408": Status(408),
    "409": Status(409),
    "500": Status(500, "server_error"),
    "502_html": Raw(502, b"<html><body>Bad gateway</body></html>", {"content-type": "text/html"}),
    "503": Status(503, "overloaded_error"),
    "504": Status(504),
    "529": Status(529, "overloaded_error"),
    "reset_before": Break(),
    "close_before": Break(reset=False),
    "reset_after_headers": Break("headers"),
    "reset_in_body": Break("half"),
    "close_in_body": Break("half", reset=False),
    "cut_chunk": Break(chunked=True),
}
"""Faults after which another attempt makes sense."""

MALFORMED: Mapping[str, bytes] = {
    "html": b"<!doctype html><html><body>Sign in to the network</body></html>",
    "empty": b"",
    "blank": b"  \n",
    "null": b"null",
    "list": b"[]",
    "string": b'"x"',
    "number": b"1",
    "object": b"{}",
    "error_object": b'{"error": {"message": "upstream failed", "type": "server_error"}}',
    "bad_utf8": b'{"id": "\xff\xfe", "choices": [], "content": [], "output": []}',
    "bad_json": b'{"choices": [{"message": {"content": "hi"',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep_object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nan": b'{"choices": NaN, "content": NaN, "output": NaN}',
    "infinity": b'{"usage": {"input_tokens": Infinity}}',
    "duplicate_keys": b'{"choices": [1], "choices": [], "content": [1], "content": [], "output": 1, "output": []}',
    "null_parts": b'{"choices": null, "content": null, "output": null}',
    "wrong_parts": b'{"choices": {"0": 1}, "content": "text", "output": 7}',
    "wrong_items": b'{"choices": ["x"], "content": ["x"], "output": ["x"]}',
    "wrong_texts": b'{"choices": [{"message": {"content": 5}}], "content": [{"type": "text", "text": 5}],'
    b' "output": [{"type": "message", "content": [{"type": "output_text", "text": 5}]}]}',
    "null_message": b'{"choices": [{"message": null}], "content": [null], "output": [null]}',
    "huge_integer": b'{"choices": ' + b"9" * 5000 + b"}",
}
"""Bodies that arrive with status 200 and are no answer on any wire."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers."""
    named = {"content-type": "application/json", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1")


def response(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole answer."""
    return head(status, {**headers, "content-length": str(len(body))}) + body
