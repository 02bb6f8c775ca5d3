"""SIGKILL at every step of a batch: nothing is paid twice, nothing is lost, the report is that of the live run."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

import pytest

from evalharness.engine import batch_submit
from tests.faultd import Faultd
from tests.faultd_batches import Shop
from tests.reliability.batchbench import SOON, BatchBench
from tests.reliability.bench import Bench
from tests.reliability.nursery import Nursery

SIZE = ("--batch-size", "5")
SUBMITTING = (
    "before_plan", "after_plan", "before_sending", "after_sending", "before_running", "after_running",
)  # fmt: skip
COLLECTING = (
    "before_download", "after_download", "before_collected", "while_collecting", "after_collected", "before_closing",
    "after_judged",
)  # fmt: skip


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Faultd, Shop]]:
    shop = Shop()
    with Faultd(routes=shop) as server:
        shop.join(server)
        yield server, shop


@pytest.fixture
def server(both: tuple[Faultd, Shop]) -> Faultd:
    both[1].reset()
    return both[0]


@pytest.fixture(params=["chat", "messages"])
def job(request: pytest.FixtureRequest, bench: Bench, both: tuple[Faultd, Shop]) -> BatchBench:
    return BatchBench(bench, both[1], request.param)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is not listed was not made, in children too."""
    monkeypatch.setattr(batch_submit, "SETTLING", 0.0)
    monkeypatch.setenv("SETTLING", "0")


@pytest.mark.parametrize("point", SUBMITTING)
def test_killed_while_submitting(job: BatchBench, nursery: Nursery, point: str):
    whole = job.whole()
    died = job.fork(nursery, *SIZE, point=f"{point}:2").wait()
    assert died.code == -signal.SIGKILL, died.err
    job.finish(*SIZE)
    assert job.shop.sent == 12
    job.check_paid()
    job.check_accounted(whole)


@pytest.mark.parametrize("point", COLLECTING)
def test_killed_while_collecting(job: BatchBench, nursery: Nursery, point: str):
    whole = job.whole()
    assert job.batch(*SIZE).code == 3
    died = job.fork(nursery, *SIZE, point=f"{point}:2").wait()
    assert died.code == -signal.SIGKILL, died.err
    before = job.bench.acknowledged("r")
    assert job.finish(*SIZE) == 1
    assert job.shop.sent == 12
    assert before.items() <= job.bench.acknowledged("r").items()
    job.check_paid()
    job.check_accounted(whole)


class Killer:
    """Kills the child at the n-th call about batches, before or after it took effect."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.pid = 0
        self.left = 0

    def __call__(self, kind: str, moment: str) -> None:
        self.left -= 1
        if self.left <= 0 and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = 0


def kill_until_done(job: BatchBench, nursery: Nursery, seed: int, kills: int) -> int:
    """Kill the run at random calls until ``kills`` are spent or it is done; returns how often it was killed."""
    killer = job.shop.watch = Killer(random.Random(seed))
    for killed in range(kills):
        killer.left = killer.draw.randint(1, 8)
        before = job.bench.acknowledged("r")
        child = job.fork(nursery, *SIZE, *SOON)
        killer.pid = child.pid
        ran = child.wait()
        killer.pid = 0
        assert before.items() <= job.bench.acknowledged("r").items()
        if ran.code == 0:
            return killed
        assert ran.code == -signal.SIGKILL, ran.err
    ran = job.batch(*SIZE, *SOON)
    assert ran.code == 0, ran.err
    return kills


def test_killed_at_random_calls(job: BatchBench, nursery: Nursery):
    whole = job.whole()
    job.shop.polls = 1
    assert kill_until_done(job, nursery, 4, 5) >= 2
    assert job.shop.sent == 12
    job.check_paid()
    job.check_accounted(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_killed_at_many_random_calls(job: BatchBench, nursery: Nursery, seed: int):
    whole = job.whole()
    job.shop.polls = seed % 3
    kill_until_done(job, nursery, seed, 10)
    assert job.shop.sent == 12
    job.check_paid()
    job.check_accounted(whole)
