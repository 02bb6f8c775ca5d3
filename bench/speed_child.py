"""One measured run in a process of its own; prints a JSON object with seconds of wall and of processor time.

    python bench/speed_child.py bare   URL BODIES.jsonl IN_FLIGHT TRANSPORT
    python bench/speed_child.py ours   URL DIALOGUES.jsonl IN_FLIGHT TRANSPORT OUT
    python bench/speed_child.py bodies DIALOGUES.jsonl BODIES.jsonl

``bare`` is the SDK's loop as its documentation shows it, with a semaphore, sending the very bodies that ``ours`` sends
and reading each answer's text. ``ours`` is a whole run of `score`: its time goes from the first item that is taken from
the ledger, before the first prompt is built, to the commit of the last verdict. ``bodies`` writes what ``bare`` sends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

RUBRIC = "support-reply"
MODEL = "judge"


def bare(url: str, bodies: str, in_flight: str, transport: str) -> None:
    """The loop that a user would write without a harness."""
    import openai

    rows = [json.loads(line) for line in Path(bodies).read_text().splitlines()]

    async def loop() -> tuple[float, float, int]:
        http = openai.DefaultAioHttpClient() if transport == "aiohttp" else None
        client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http)
        leave = asyncio.Semaphore(int(in_flight))
        texts: list[str | None] = []

        async def one(body: dict[str, object]) -> None:
            async with leave:
                answer = await client.chat.completions.create(**body)  # type: ignore[call-overload]
                texts.append(answer.choices[0].message.content)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(row) for row in rows))
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        await client.close()
        return *seconds, sum(bool(text) for text in texts)

    tell(*asyncio.run(loop()))


class Clock:
    """Watches a run: when its judge began, and when the latest outcome was committed."""

    def __init__(self) -> None:
        self.begun = self.ended = self.cpu_begun = self.cpu_ended = 0.0
        self.items = self.failed = self.total = 0

    def start(self, _name: str, total: int, _done: int, _lane: object = None) -> None:
        self.total = total
        self.begun, self.cpu_begun = time.perf_counter(), time.process_time()

    def advance(self, _name: str, items: int = 1, failures: Iterable[str] = (), _cost: object = None) -> None:
        self.ended = time.perf_counter()
        self.items += items
        if self.items == self.total:  # asking for the processor time costs more than an item's bookkeeping
            self.cpu_ended = time.process_time()
        self.failed += sum(1 for _ in failures)

    def note(self, text: str) -> None: ...

    def tick(self) -> None: ...


def ours(url: str, dialogues: str, in_flight: str, transport: str, out: str) -> None:
    """The harness, with everything that it does for a run."""
    from evalharness.api.scoring import ScoreJob, run_score
    from evalharness.engine.plan import Limits

    clock = Clock()
    job = ScoreJob(
        (dialogues,),
        Path(out),
        judges=(f"openai:{MODEL}@{url}",),
        rubrics=(RUBRIC,),
        limits=Limits(concurrency=int(in_flight)),
        model_options={MODEL: {"transport": transport}},
    )
    result = run_score(job, clock)
    assert result.complete
    assert clock.failed == 0, f"{clock.failed} items failed"
    tell(clock.ended - clock.begun, clock.cpu_ended - clock.cpu_begun, clock.items)


def bodies(dialogues: str, target: str) -> None:
    """The bodies that ``ours`` sends for these dialogues."""
    from evalharness.core.dialogue import Item
    from evalharness.data.dialogues import Read, ReadOptions, read_dialogues
    from evalharness.data.rubrics import load_rubric
    from evalharness.judges.prompt import Prompt

    rubric = load_rubric(RUBRIC)
    prompt = Prompt(rubric)
    with Path(target).open("w") as out:
        for row in read_dialogues([dialogues], ReadOptions()):
            assert isinstance(row, Read)
            asked = prompt.request(Item(row.dialogue, 1), rubric.criteria, b"secret")
            schema = {"name": "verdict", "schema": dict(asked.schema or {}), "strict": True}
            messages = [
                {"role": "system", "content": asked.system},
                {"role": "user", "content": f"{asked.shared}\n\n{asked.ask}"},
            ]
            body = {"model": MODEL, "messages": messages, "max_tokens": asked.max_tokens}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
            out.write(json.dumps(body) + "\n")


def tell(wall: float, cpu: float, items: int) -> None:
    """What the parent process reads."""
    print(json.dumps({"wall": wall, "cpu": cpu, "items": items}))


if __name__ == "__main__":
    {"bare": bare, "ours": ours, "bodies": bodies}[sys.argv[1]](*sys.argv[2:])
