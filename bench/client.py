"""Requests per second through our client, limiter and retry loop, against a bare loop over the SDK.

Both ask a loopback server with a fixed latency the same number of questions, so many at a time, over the same
transport, in turns; printed is the median time of each and their ratio (below 1: faster than the bare SDK).

    python bench/client.py [--requests 1000] [--in-flight 64] [--latency 0.2] [--rounds 3] [--transport httpx|aiohttp]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import openai

from evalharness.core.canonical import Json
from evalharness.llm.client import Reply, Request
from evalharness.llm.clients import make_client
from evalharness.llm.retry import NoLog, RetryPolicy, attempt_until_done
from evalharness.llm.throttle import Bounds, Limiter

FAULTD = Path(__file__).resolve().parents[1] / "tests" / "faultd.py"
SYSTEM = "You judge the replies of a support agent. " * 40
DIALOGUE = "[M0] user: Where is my parcel?\n[M1] assistant: It is on its way.\n" * 20
SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]}},
    "required": ["reason", "score"],
    "additionalProperties": False,
}


@contextmanager
def server(latency: float) -> Iterator[str]:
    """The address of a server process without faults."""
    command = [sys.executable, str(FAULTD), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def bare(url: str, count: int, width: int, transport: str) -> None:
    """The SDK as its documentation shows it, with a semaphore."""
    http = openai.DefaultAioHttpClient() if transport == "aiohttp" else None
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http)
    leave = asyncio.Semaphore(width)

    async def one(number: int) -> None:
        async with leave:
            await client.chat.completions.create(
                model="judge",
                messages=[
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": f"[row {number}] {DIALOGUE}\n\nRate it."},
                ],
                max_tokens=1024,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "verdict", "schema": dict(SCHEMA), "strict": True},
                },
            )

    await asyncio.gather(*(one(number) for number in range(count)))
    await client.close()


async def ours(url: str, count: int, width: int, transport: str) -> None:
    """Fixed workers over the client, the limiter and the retry loop."""
    client = make_client("openai", "judge", url, {"transport": transport})
    limiter = Limiter(Bounds(concurrency=width))
    policy = RetryPolicy()
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            request = Request(SYSTEM, f"[row {number}] {DIALOGUE}", "Rate it.", schema=SCHEMA)
            await attempt_until_done(client, request, policy=policy, log=NoLog(), limiter=limiter)

    await asyncio.gather(*(work() for _ in range(width)))
    await client.close()


def timed(run: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds of wall time, and of processor time."""

    async def measured() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        await run()
        return time.perf_counter() - wall, time.process_time() - cpu

    return asyncio.run(measured())


def overhead() -> float:
    """Microseconds of processor time that limiter and retry loop take for one call, the client taking none."""
    reply = Reply("ok")

    class Instant:
        backend = model = endpoint = "none"

        async def complete(self, _request: Request) -> Reply:
            return reply

    async def calls(count: int) -> None:
        client, limiter, policy, request = Instant(), Limiter(), RetryPolicy(), Request("", "", "")
        for _ in range(count):
            await attempt_until_done(client, request, policy=policy, log=NoLog(), limiter=limiter)  # type: ignore[arg-type]

    return min(timed(lambda: calls(10_000))[1] for _ in range(3)) / 10_000 * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--transport", choices=("httpx", "aiohttp"), default="httpx")
    options = parser.parse_args()
    size = (options.requests, options.in_flight, options.transport)
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "ours": []}
    with server(options.latency) as url:
        timed(lambda: ours(url, 2 * options.in_flight, options.in_flight, options.transport))
        for _ in range(options.rounds):
            times["bare"].append(timed(lambda: bare(url, *size)))
            times["ours"].append(timed(lambda: ours(url, *size)))
    middle = {
        name: [statistics.median(kind) for kind in zip(*pairs, strict=True)] for name, pairs in times.items()
    }
    limit = options.requests * options.latency / options.in_flight
    print(
        f"{options.requests} requests, {options.in_flight} in flight, {options.transport}; limit {limit:.2f} s"
    )
    for name, (wall, cpu) in middle.items():
        rate, each = options.requests / wall, 1000 * cpu / options.requests
        print(f"{name:5} {wall:7.2f} s {rate:8.0f} requests/s {each:7.2f} ms processor time each")
    wall_ratio, cpu_ratio = (ours / bare for ours, bare in zip(middle["ours"], middle["bare"], strict=True))
    print(f"limiter and retry loop: {overhead():.1f} µs of processor time per call")
    print(f"ratio {wall_ratio:.3f} of wall time, {cpu_ratio:.3f} of processor time")


if __name__ == "__main__":
    main()
