"""Runs on a local Ray cluster of two workers. Ray is not part of the development environment: `make test-ray`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from evalharness.data.tables import parquet_records
from tests.cli.runner import DATASETS, ROOT, command, run
from tests.faultd import RETRYABLE, Act, Answer, Seen, good, mixed
from tests.reliability.bench import Bench, ended

pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
pytestmark = pytest.mark.ray


ON_RAY = ("--engine", "ray", "--ray-workers", "2")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster takes its time to start, more so on a busy machine."""
    monkeypatch.setattr("tests.reliability.bench.WAIT", 600.0)


def _descendants(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        with suppress(OSError):  # it may be gone meanwhile
            for task in Path(f"/proc/{process}/task").glob("*/children"):
                waiting += map(int, task.read_text().split())
    return found


def _processes(root: int, name: bytes) -> list[int]:
    """The processes of Ray's below a process with this in their title."""
    found = []
    for process in _descendants(root):
        with suppress(OSError):
            title = Path(f"/proc/{process}/cmdline").read_bytes()
            if title.startswith(b"ray::") and name in title:
                found.append(process)
    return found


class KillsOnce:
    """A script that kills a process with SIGKILL, a worker or the keeper, when it sees its N-th request."""

    def __init__(self, at: int, name: bytes = b"_Worker") -> None:
        self.at = at
        self.name = name
        self.root = 0
        self.killed: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Act:
        with self._lock:
            if seen.number >= self.at and not self.killed and self.root:
                self.killed = _processes(self.root, self.name)[:1]
                for process in self.killed:
                    os.kill(process, signal.SIGKILL)
        return Answer()


def test_the_sample_under_faults_gives_the_same_report(bench: Bench):
    options = [
        DATASETS / "sample.jsonl",
        "--rubric",
        "support-reply",
        "--judge",
        bench.spec,
        "--no-cache",
        "-q",
    ]
    options += ["--metric", "bleu,rouge,surface", "--check", "contains:the"]
    assert run("score", *options, "-o", "whole").code == 0
    bench.server.script = mixed(RETRYABLE, 0.3)
    with _started(bench, "score", *options, "-o", "r", *ON_RAY) as child:
        ran = ended(child)
    assert ran.code == 0, ran.err
    for name in ("report.json", "scores.jsonl", "scores.csv"):
        assert (bench.work / "r" / name).read_bytes() == (bench.work / "whole" / name).read_bytes(), name


def test_a_killed_worker_costs_only_what_it_had_in_flight(bench: Bench):
    bench.write(200)
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    bench.server.script = script = KillsOnce(40)
    child = bench.start("r", "--no-cache", "--concurrency", "8", *ON_RAY)
    script.root = child.pid
    ran = ended(child)
    assert ran.code == 0, ran.err
    assert len(script.killed) == 1
    assert bench.report("r") == bench.report("whole")
    attempts = bench.attempts("r")
    assert attempts["ok"] >= 200
    assert sum(attempts.values()) == bench.server.count
    twice = [row for row, times in bench.asked().items() if times > 1]
    assert len(twice) <= 4  # a worker's share of what may be in flight


def test_without_its_keeper_the_run_stops_and_resumes(bench: Bench):
    bench.write(100)
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    bench.server.script = script = KillsOnce(20, b"Keeper")
    child = bench.start("r", "--no-cache", "--concurrency", "4", *ON_RAY)
    script.root = child.pid
    ran = ended(child)
    assert ran.code == 3, ran.err
    assert "Traceback" not in ran.err
    assert "run the same command again" in ran.err
    assert len(script.killed) == 1
    known = bench.acknowledged("r")
    bench.server.script = good
    bench.forget()
    assert bench.here("r", "--no-cache").code == 0
    assert known
    assert not known.keys() & bench.asked().keys()
    assert bench.report("r") == bench.report("whole")


def test_a_killed_run_goes_on_where_it_stopped(bench: Bench):
    bench.write(100)
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    seen_enough = threading.Event()

    def script(seen: Seen) -> Act:
        if seen.number >= 30:
            seen_enough.set()
        return Answer()

    bench.server.script = script
    child = bench.start("r", "--no-cache", "--concurrency", "4", *ON_RAY)
    assert seen_enough.wait(120)
    child.kill()
    ended(child)
    known = bench.acknowledged("r")
    asked = bench.asked()
    bench.server.script = good
    ran = ended(bench.start("r", "--no-cache", "--concurrency", "4", *ON_RAY))
    assert ran.code == 0, ran.err
    assert bench.report("r") == bench.report("whole")
    again = {row for row, times in bench.asked().items() if times > asked.get(row, 0) and row in known}
    assert again == set()


def test_an_interrupt_finishes_what_is_in_flight_and_the_run_goes_on(bench: Bench):
    bench.write(100)
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    box: list[int] = []

    def script(seen: Seen) -> Act:
        if seen.number == 20 and box:
            os.kill(box[0], signal.SIGINT)
        return Answer()

    bench.server.script = script
    child = bench.start("r", "--no-cache", "--concurrency", "4", *ON_RAY)
    box.append(child.pid)
    ran = ended(child)
    assert ran.code == 130, ran.err
    assert "Traceback" not in ran.err
    assert bench.attempts("r").keys() == {"ok"}
    assert len(bench.acknowledged("r")) == bench.server.count < 100
    bench.server.script = good
    assert bench.here("r", "--no-cache").code == 0
    assert set(bench.asked().values()) == {1}
    assert bench.report("r") == bench.report("whole")


def test_parquet_goes_in_and_comes_out(bench: Bench):
    rows = [json.loads(line) for line in (bench.work / "in.jsonl").read_text().splitlines()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), bench.work / "in.parquet")
    (bench.work / "in.jsonl").unlink()
    arguments = bench.arguments("r", "--no-cache", *ON_RAY)
    arguments[arguments.index("in.jsonl")] = "in.parquet"
    with _started(bench, *arguments) as child:
        assert ended(child).code == 0
    assert run("report", "r", "--format", "parquet").code == 0
    assert len(list(parquet_records(str(bench.work / "r" / "scores.parquet")))) == 2 * bench.rows


def _started(bench: Bench, *arguments: str | Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(*arguments),
        cwd=bench.work,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
