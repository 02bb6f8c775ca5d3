"""SIGKILL at any moment: the same command finishes with the same report, and pays for no verdict twice."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator

import pytest

from tests.faultd import Act, Answer, Faultd, Seen
from tests.reliability.bench import Bench
from tests.reliability.killing import POINTS
from tests.reliability.nursery import Nursery

WORKERS = 4
FLAGS = ("--no-cache", "--concurrency", str(WORKERS))
TEXTS = {".json", ".jsonl", ".csv", ".html"}
PASSAGE = {"in_ingest": 5, "between_outputs": 2, "before_outputs": 1, "after_outputs": 1, "before_ingest": 1}


class Killer:
    """A script that kills the child at its n-th request, before or after answering."""

    def __init__(self, server: Faultd) -> None:
        self.server = server
        self.at = 0
        self.pid = 0

    def __call__(self, seen: Seen) -> Act:
        if seen.number >= self.at and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = 0
        return Answer()


def _unbroken(bench: Bench) -> bytes:
    assert bench.here("whole", *FLAGS).code == 0
    bench.forget()
    return bench.report("whole")


def _check_resumed(bench: Bench, before: dict[str, str], asked: dict[str, int]) -> None:
    """No acknowledged verdict may be lost, changed or asked about again."""
    after = bench.acknowledged("r")
    assert {name: after.get(name) for name in before} == before
    assert {name: bench.asked()[name] for name in before} == {name: asked[name] for name in before}


@pytest.mark.parametrize("point", sorted(set(POINTS) - {"after_cache"}))
def test_killed_at_a_named_point(bench: Bench, nursery: Nursery, point: str):
    whole = _unbroken(bench)
    where = f"{point}:{PASSAGE.get(point, 4 if point != 'before_replace' else 1)}"
    died = bench.fork(nursery, "r", *FLAGS, point=where).wait()
    assert died.code == -signal.SIGKILL, died.err
    before, asked = bench.acknowledged("r"), bench.asked()
    resumed = bench.here("r", *FLAGS)
    assert resumed.code == 0, resumed.err
    assert bench.report("r") == whole
    _check_resumed(bench, before, asked)
    attempts = bench.attempts("r")
    assert attempts["ok"] + attempts.get("sent", 0) >= bench.server.count
    assert sum(bench.asked().values()) <= bench.rows + WORKERS
    assert bench.execution("r")["unknown_outcome"] == attempts.get("sent", 0)


@pytest.mark.parametrize("passage", range(1, 6))
def test_killed_while_a_report_is_replaced_the_earlier_one_stands(
    bench: Bench, nursery: Nursery, passage: int
):
    assert bench.here("r", *FLAGS).code == 0
    whole = {path.name: path.read_bytes() for path in (bench.work / "r").glob("*.*") if path.suffix in TEXTS}
    assert len(whole) == 5
    died = bench.fork(nursery, "r", *FLAGS, point=f"before_replace:{passage}").wait()
    assert died.code == -signal.SIGKILL, died.err
    found = {name: (bench.work / "r" / name).read_bytes() for name in whole}
    assert "judges" in json.loads(found.pop("execution.json"))  # these two tell how long the later run took
    assert found.pop("report.html").rstrip().endswith(b"</html>")
    assert found == {name: whole[name] for name in found}


def test_a_reply_that_reached_the_cache_is_not_paid_again(bench: Bench, nursery: Nursery):
    died = bench.fork(nursery, "r", "--concurrency", "1", point="after_cache:3").wait()
    assert died.code == -signal.SIGKILL, died.err
    assert len(bench.acknowledged("r")) == 2
    assert bench.here("r", "--concurrency", "1").code == 0
    assert set(bench.asked().values()) == {1}


def kill_until_done(bench: Bench, nursery: Nursery, seed: int, kills: int) -> int:
    """Kill the run at random requests until ``kills`` are spent or it is done; returns how often it was killed."""
    draw = random.Random(seed)
    killer = Killer(bench.server)
    bench.server.script = killer
    killed = 0
    while killed < kills:
        before, asked = bench.acknowledged("r"), bench.asked()
        killer.at = bench.server.count + draw.randint(1, WORKERS + 2)
        child = bench.fork(nursery, "r", *FLAGS)
        killer.pid = child.pid
        ran = child.wait()
        killer.pid = 0
        _check_resumed(bench, before, asked)
        if ran.code == 0:
            return killed
        assert ran.code == -signal.SIGKILL, ran.err
        killed += 1
    assert bench.here("r", *FLAGS).code == 0
    return killed


def test_killed_at_random_requests(bench: Bench, nursery: Nursery):
    whole = _unbroken(bench)
    killed = kill_until_done(bench, nursery, 1, 3)
    assert killed >= 2
    assert bench.report("r") == whole
    assert bench.server.count <= bench.rows + killed * WORKERS
    assert sum(bench.attempts("r").values()) >= bench.server.count


def kill_many(bench: Bench, nursery: Nursery, kills: int) -> Iterator[tuple[int, int]]:
    """Kill run after run; yields kills so far and requests that were sent again, after each run that was finished."""
    bench.write(40)
    whole = _unbroken(bench)
    killed = again = seed = 0
    while killed < kills:
        bench.remove("r")
        bench.forget()
        killed += kill_until_done(bench, nursery, seed, kills - killed)
        again += bench.server.count - bench.rows
        seed += 1
        assert bench.report("r") == whole
        yield killed, again


@pytest.mark.slow
def test_killed_a_thousand_times(bench: Bench, nursery: Nursery):
    for killed, again in kill_many(bench, nursery, 1000):
        assert again <= killed * WORKERS
