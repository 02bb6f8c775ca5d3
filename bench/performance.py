"""Speed and memory against their bars, as ratios in one run: `python bench/performance.py` (or `make performance`).

    python bench/performance.py                       # every row but the long one, about three minutes
    python bench/performance.py help cached           # some rows
    python bench/performance.py --million             # a million dialogues as well, about a quarter of an hour
    python bench/performance.py --peers               # other harnesses beside it, in environments of their own

What is compared is run in turns, each time in a process of its own, against a local server that takes 200 ms to answer
and is itself nearly idle (its share of a processor is printed). Ratios are of the medians. Both transports of the SDK
are used, so the extra `fast` must be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peers
from processes import Measured, run_measured

BENCH = Path(__file__).resolve().parent

LATENCY = 0.2
QUOTE = "is on its way and should be with you"
VERDICT = {
    name: {
        "evidence": [{"message": "M1", "quote": QUOTE}],
        "rationale": "The reply says where the parcel is and when it comes, which is what was asked.",
        "value": value,
    }
    for name, value in (("helpfulness", 4), ("relevance", "yes"), ("clarity", 5), ("courtesy", 4))
}
RUBRIC = """\
rubric: one
version: 1
unit: turn
about: "A support agent answers a customer of a carrier."
criteria:
  helpfulness:
    question: "How far does the reply move the customer's problem forward?"
    scale: ordinal
    levels: {1: "Not at all.", 2: "A little.", 3: "In part.", 4: "Well, with a gap.", 5: "Fully."}
    pass: ">=4"
"""
"""A rubric of one criterion, for which an item is one verdict."""
GRACE = 3.0
"""Seconds that 10,000 cached verdicts may take."""
ANSWERS = {"judge": VERDICT, "one": {"helpfulness": VERDICT["helpfulness"]}}
PEAK = 400.0
"""Megabytes that a million dialogues may take."""


@dataclass
class Table:
    """The rows so far, as they stand in docs/performance.md."""

    rows: list[str] = field(default_factory=list)
    missed: int = 0

    def add(self, work: str, bar: str, measured: str, met: bool) -> None:
        """One row; ``met`` tells whether the bar is."""
        self.missed += not met
        self.rows.append(f"| {work} | {bar} | {measured} | {'met' if met else 'MISSED'} |")
        print(self.rows[-1], flush=True)


@dataclass(frozen=True)
class Place:
    """Where a row is measured: a scratch folder, a server, and how often things are repeated."""

    folder: Path
    url: str
    rounds: int

    def dialogues(self, count: int) -> Path:
        """A file of one-reply dialogues, each with words of its own."""
        path = self.folder / f"{count}.jsonl"
        if not path.exists():
            with path.open("w") as out:
                out.writelines(dialogue_line(number) for number in range(count))
        return path

    def environment(self, cache: str) -> dict[str, str]:
        """The environment of a child with a verdict cache of its own."""
        return {**os.environ, "XDG_CACHE_HOME": str(self.folder / cache)}


def dialogue_line(number: int) -> str:
    """One dialogue: a question of 30 words and a reply of 60."""
    ask = f"Hello, my order {number} was sent last week and the page has said the same ever since. "
    ask += "Can you tell me where parcel MP-" + f"{number * 7919 % 100000:05} is, and when it comes?"
    reply = (
        f"Thank you for asking. Parcel MP-{number * 7919 % 100000:05} {QUOTE} within {number % 5 + 2} days. "
    )
    reply += "The last scan was at our hub this morning; the tracking page is brought up to date every hour, so you "
    reply += (
        "will see the next step there by noon. If nothing has arrived by then, write to me again and I will "
    )
    reply += f"open a trace under number {number}."
    messages = [{"role": "user", "content": ask}, {"role": "assistant", "content": reply}]
    return json.dumps({"id": f"d{number}", "messages": messages}) + "\n"


def judged(place: Place, table: Table, count: int, in_flight: int, transport: str, bar: float) -> None:
    """A run with a remote judge against a bare loop over the SDK that sends the same bodies."""
    source = place.dialogues(count)
    bodies = place.folder / f"{count}.bodies.jsonl"
    child("bodies", source, bodies)
    url = f"{place.url}/judge/v1"
    times: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    for number in range(place.rounds):
        before = load(place.url)
        times["bare"].append(child("bare", url, bodies, in_flight, transport))
        busy = busyness(before, load(place.url))
        out = place.folder / f"run-{count}-{number}"
        cache = f"cache-{count}-{number}"
        times["ours"].append(
            child("ours", url, source, in_flight, transport, out, env=place.environment(cache))
        )
    wall = {name: statistics.median(run["wall"] for run in runs) for name, runs in times.items()}
    cpu = {name: statistics.median(run["cpu"] for run in runs) for name, runs in times.items()}
    assert all(run["items"] == count for runs in times.values() for run in runs)
    ratio = wall["ours"] / wall["bare"]
    each = [ours["wall"] / bare["wall"] for ours, bare in zip(times["ours"], times["bare"], strict=True)]
    table.add(
        f"{count:,} items, {in_flight} in flight",
        f"≤ {bar:.2f} × bare SDK loop ({transport})",
        f"{ratio:.2f} ({min(each):.2f}–{max(each):.2f}): {wall['ours']:.2f} s against {wall['bare']:.2f} s; "
        f"processor time {cpu['ours']:.2f} s against {cpu['bare']:.2f} s; "
        f"limit {count * LATENCY / in_flight:.2f} s; server {busy:.0%} busy",
        ratio <= bar,
    )


def thousand(place: Place, table: Table) -> None:
    """1,000 items, 64 in flight, the SDK's default transport."""
    judged(place, table, 1000, 64, "httpx", 1.10)


def wide(place: Place, table: Table) -> None:
    """4,000 items, 256 in flight, the SDK's aiohttp transport."""
    judged(place, table, 4000, 256, "aiohttp", 1.15)


def cached(place: Place, table: Table) -> None:
    """10,000 verdicts from the cache: the whole command, reports included, less the same command over one dialogue."""
    count = 10_000
    environment = place.environment("cache-10000")
    rubric = place.folder / "one.yaml"
    rubric.write_text(RUBRIC)
    judge = ["--judge", f"openai:judge@{place.url}/one/v1", "--rubric", rubric, "--quiet"]
    command = [sys.executable, "-m", "evalharness", "score", *judge, "--concurrency", "256"]
    subprocess.run(
        [*command, place.dialogues(count), "--out", place.folder / "fill"], env=environment, check=True
    )
    asked = load(place.url)["requests"]
    whole, start = [], []
    for number in range(place.rounds):
        out = place.folder / f"cached-{number}"
        whole.append(run_measured([*command, place.dialogues(count), "--out", out], environment))
        start.append(run_measured([*command, place.dialogues(1), "--out", f"{out}-1"], environment))
    assert load(place.url)["requests"] <= asked + 1, "something was not in the cache"
    beyond = median_wall(whole) - median_wall(start)
    table.add(
        "10,000 verdicts, all cached",
        f"≤ {GRACE:g} s beyond start-up",
        f"{beyond:.2f} s: the whole command {median_wall(whole):.2f} s, with one dialogue {median_wall(start):.2f} s",
        beyond <= GRACE,
    )


def help_page(place: Place, table: Table) -> None:
    """`--help` against an interpreter that imports click."""
    program = [sys.executable, "-m", "evalharness", "--help"]
    bare = [sys.executable, "-c", "import click"]
    pairs = [
        (run_measured(program, dict(os.environ)), run_measured(bare, dict(os.environ)))
        for _ in range(5 * place.rounds)
    ]
    own, click = (statistics.median(run.wall for run in runs) for runs in zip(*pairs, strict=True))
    table.add(
        "`--help`",
        '≤ 2 × `python -c "import click"`',
        f"{own / click:.2f}: {own * 1000:.0f} ms against {click * 1000:.0f} ms",
        own / click <= 2.0,
    )


def million(place: Place, table: Table) -> None:
    """Metrics over a hundred thousand and a million dialogues: memory, and whether time grows faster than their number.

    The hundred thousand are measured before and after the million: minutes lie between, and the machine's speed varies.
    """
    runs: dict[int, list[Measured]] = {100_000: [], 1_000_000: []}
    for number, count in enumerate((100_000, 100_000, 1_000_000, 100_000)):
        out = place.folder / f"metrics-{number}"
        command = [
            sys.executable,
            "-m",
            "evalharness",
            "score",
            place.dialogues(count),
            "--metric",
            "surface",
        ]
        done = run_measured([*command, "--quiet", "--out", out], dict(os.environ))
        shutil.rmtree(out)
        runs[count].append(done)
        print(f"{count:,} dialogues: {done.wall:.1f} s, peak {done.peak:.0f} MB", flush=True)
    small, (large,) = median_wall(runs[100_000]), runs[1_000_000]
    slope = large.wall / small / 10
    table.add(
        "1,000,000 dialogues, metrics only",
        f"peak ≤ {PEAK:g} MB, ≤ 1.1 × ten times 100,000",
        f"peak {large.peak:.0f} MB over all its processes; {large.wall:.0f} s against {small:.1f} s "
        f"for 100,000: {slope:.2f} × ten times as long",
        large.peak <= PEAK and slope <= 1.1,
    )


ROWS: dict[str, Callable[[Place, Table], None]] = {
    "thousand": thousand,
    "wide": wide,
    "cached": cached,
    "help": help_page,
}


def child(*arguments: object, env: dict[str, str] | None = None) -> dict[str, float]:
    """Run a measured child; what it printed."""
    command = [sys.executable, str(BENCH / "speed_child.py"), *map(str, arguments)]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout or "{}")
    return found


def load(url: str) -> dict[str, float]:
    """What the server says of itself."""
    with urllib.request.urlopen(f"{url}/load") as answer:
        found: dict[str, float] = json.load(answer)
    return found


def busyness(before: dict[str, float], after: dict[str, float]) -> float:
    """The server's share of a processor between two looks at it."""
    return (after["processor_seconds"] - before["processor_seconds"]) / (after["clock"] - before["clock"])


def median_wall(runs: Sequence[Measured]) -> float:
    """The median of the wall times (s); a run that failed stops the benchmark."""
    return statistics.median(run.wall for run in runs)


@contextmanager
def server(folder: Path, answers: dict[str, str]) -> Iterator[str]:
    """The address of a server process that answers after :data:`LATENCY` seconds."""
    path = folder / "answers.json"
    path.write_text(json.dumps(answers))
    command = [
        sys.executable,
        str(BENCH / "latency_server.py"),
        "--answers",
        str(path),
        "--latency",
        str(LATENCY),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def machine() -> str:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if "MemTotal" in line), 0)
    return (
        f"{os.cpu_count()} processors ({model or platform.machine()}), {memory / 1e6:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def options() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help=f"some of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run")
    parser.add_argument("--million", action="store_true", help="also a million dialogues")
    parser.add_argument(
        "--peers", action="store_true", help="also other harnesses, which are installed for it"
    )
    parser.add_argument("--out", help="a file for the table")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    table = Table([f"{machine()}; medians of {chosen.rounds} runs in turns", ""])
    print(table.rows[0])
    table.rows += ["| work | bar | measured | |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="evalharness-bench-") as scratch:
        folder = Path(scratch)
        texts = {name: json.dumps(answer) for name, answer in ANSWERS.items()}
        with server(folder, {**texts, **peers.texts()}) as url:
            place = Place(folder, url, chosen.rounds)
            for name in chosen.rows or list(ROWS):
                ROWS[name](place, table)
            if chosen.million:
                million(place, table)
            if chosen.peers:
                table.rows += peers.compare(folder, url, place.dialogues(1000), 64, chosen.rounds)
    if chosen.out:
        Path(chosen.out).write_text("\n".join(table.rows) + "\n", encoding="utf-8")
    return int(table.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
