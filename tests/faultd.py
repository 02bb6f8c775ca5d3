"""A provider that fails on command: a loopback server speaking Responses, chat completions and messages.

    with Faultd(script=lambda seen: Status(429, retry_after="2") if seen.attempt == 1 else Answer()) as server:
        ...  # point a client at server.url

A script decides what happens to each request from its row, the number of the attempt for that row, and the server's
seed; the fake judge's verdicts depend on what is asked and the ``judge`` number alone. Every request is counted and
kept, so that tests can compare what was sent with what was recorded, and search it for what must not have been sent.
Runs in a thread of its own; also by itself, for benchmarks: ``python tests/faultd.py --latency 0.2``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faultd_acts import (
    MALFORMED,
    RETRYABLE,
    Act,
    Answer,
    Bomb,
    Break,
    Drip,
    Hang,
    Raw,
    Redirect,
    Script,
    Seen,
    Status,
    Unclosed,
    always,
    good,
    mixed,
    once,
)
from tests.faultd_wires import WIRES, Asked

__all__ = [
    "MALFORMED",
    "RETRYABLE",
    "Act",
    "Answer",
    "Bomb",
    "Break",
    "Drip",
    "Faultd",
    "Hang",
    "Raw",
    "Redirect",
    "Script",
    "Seen",
    "Status",
    "Unclosed",
    "always",
    "good",
    "mixed",
    "once",
]


class _Line(asyncio.Protocol):
    """One connection: takes requests one after the other and does what the script says."""

    def __init__(self, server: Faultd) -> None:
        self._server = server
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.lines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.lines.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next()

    def reply(self, data: bytes, delay: float = 0.0) -> None:
        delay += self._server.latency
        if delay > 0.0:
            asyncio.get_running_loop().call_later(delay, self._done, data)
        else:
            self._done(data)

    def drip(self, data: bytes, piece: int, pause: float) -> None:
        if self._transport is None:
            return
        if len(data) <= piece:
            self._done(data)
            return
        self._transport.write(data[:piece])
        asyncio.get_running_loop().call_later(pause, self.drip, data[piece:], piece, pause)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def end(self, *, reset: bool) -> None:
        if self._transport is None:
            return
        if reset:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            asyncio.get_running_loop().call_soon(self._transport.abort)
        else:
            self._transport.close()

    def keep_silent(self) -> None:
        pass

    def _done(self, data: bytes) -> None:
        self._busy = False
        self.write(data)
        if self._buffer:
            self._next()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *rest = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        stop = end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < stop:
            return
        raw = bytes(self._buffer[end + 4 : stop])
        del self._buffer[:stop]
        self._busy = True
        self._server.take(self, first.split(" ")[1], headers, raw)


class Faultd:
    """The server. ``requests`` holds what was seen, in order, unless ``keep`` is False; ``count`` always counts.

    ``routes`` adds paths (relative to the API's root, like ``/batches``) with scripts of their own.
    """

    def __init__(
        self,
        script: Script = good,
        *,
        seed: int = 0,
        judge: int = 0,
        latency: float = 0.0,
        port: int = 0,
        keep: bool = True,
        routes: Mapping[str, Script] | None = None,
    ) -> None:
        self.script = script
        self.seed = seed
        self.judge = judge
        self.latency = latency
        self.requests: list[Seen] = []
        self.count = 0
        self.attempts: Counter[str] = Counter()
        self.lines: set[_Line] = set()
        self._keep = keep
        self._routes = routes or {}
        self._systems: set[str] = set()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=2048)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    @property
    def port(self) -> int:
        """The port on loopback."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The base URL for OpenAI's wires; Anthropic's SDK adds /v1 itself (see :attr:`root`)."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> bytes:
        """Every byte of every request body and header, for searching."""
        return b"\n".join(
            request.raw + b"\n" + repr(dict(request.headers)).encode() for request in self.requests
        )

    def __enter__(self) -> Faultd:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def take(self, line: _Line, path: str, headers: Mapping[str, str], raw: bytes) -> None:
        """Count a request and let the script act."""
        self.count += 1
        route = path.partition("?")[0].removeprefix("/v1")
        wire = WIRES.get(route)
        extra = self._routes.get(route)
        if wire is None and extra is None:
            Status(404, "not_found_error", f"no route {route}").run(
                line, self._seen(path, headers, raw, "chat")
            )
            return
        seen = self._seen(path, headers, raw, wire or "chat")
        (extra or self.script)(seen).run(line, seen)

    def _seen(self, path: str, headers: Mapping[str, str], raw: bytes, wire: str) -> Seen:
        body = json.loads(raw) if raw[:1] == b"{" else {}
        asked = Asked(wire, body)
        row = asked.row
        self.attempts[row] += 1
        cached = asked.system in self._systems
        self._systems.add(asked.system)
        attempt = self.attempts[row]
        seen = Seen(self.count, path, headers, raw, asked, row, attempt, self.seed, self.judge, cached)
        if self._keep:
            self.requests.append(seen)
        return seen

    def _run(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        server = loop.run_until_complete(loop.create_server(lambda: _Line(self), sock=self._socket))
        self._ready.set()
        try:
            loop.run_forever()
        finally:
            server.close()
            loop.run_until_complete(self._end_lines())
            loop.close()

    async def _end_lines(self) -> None:
        while self.lines:
            for line in list(self.lines):
                line.end(reset=True)
            await asyncio.sleep(0)


def main() -> None:
    """Serve good answers until the process is ended; prints the address."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    with Faultd(latency=options.latency, port=options.port, keep=False) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
