"""A server of chat completions that takes a fixed time to answer and next to no processor time.

    python bench/latency_server.py --latency 0.2 --answers answers.json

Prints its address. The path in front of ``/v1`` names the text that is answered (``answers.json`` maps names to texts);
``GET /load`` tells how many requests were answered, and how busy its process was, so that a benchmark can show that
the server was not what it measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path


class Canned:
    """The whole answer to every request, made once."""

    def __init__(self, answers: dict[str, str], latency: float) -> None:
        self.latency = latency
        self.count = 0
        self.first = self.last = 0.0
        self._bodies = {name: _response(_completion(text)) for name, text in answers.items()}

    def answer(self, path: str) -> tuple[bytes, float]:
        """The bytes for a path, and after how many seconds they are due."""
        name = path.strip("/").split("/")[0]
        if name == "load":
            return self._load(), 0.0
        now = time.perf_counter()
        self.first = self.first or now
        self.last = now
        self.count += 1
        return self._bodies[name], self.latency

    def _load(self) -> bytes:
        facts = {
            "requests": self.count,
            "processor_seconds": time.process_time(),
            "clock": time.perf_counter(),
        }
        return _response(json.dumps(facts).encode())


class Line(asyncio.Protocol):
    """One connection: requests one after the other, each with a body of known length or in chunks."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._buffer = b""
        self._need = -1
        self._path = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._need < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._read_head(self._buffer[:end])
            self._buffer = self._buffer[end + 4 :]
        if len(self._buffer) >= self._need and self._complete():
            self._buffer, self._need = b"", -1
            body, wait = self._canned.answer(self._path)
            asyncio.get_running_loop().call_later(wait, self._write, body)

    def _read_head(self, head: bytes) -> None:
        self._path = head.split(b" ", 2)[1].decode()
        lower = head.lower()
        self._chunked = b"transfer-encoding: chunked" in lower
        mark = lower.find(b"content-length:")
        self._need = 0 if mark < 0 else int(lower[mark + 15 :].split(b"\r\n", 1)[0])

    def _complete(self) -> bool:
        return not self._chunked or self._buffer.endswith(b"0\r\n\r\n")

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(body)


def _completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "judge"}
    return json.dumps({**answer, "choices": [choice], "usage": usage}).encode()


def _response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(answers: dict[str, str], latency: float) -> None:
    """Serve until the process ends."""
    canned = Canned(answers, latency)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(canned), "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--answers", required=True, help="JSON file: names to texts")
    options = parser.parse_args()
    asyncio.run(serve(json.loads(Path(options.answers).read_text()), options.latency))


if __name__ == "__main__":
    main()
