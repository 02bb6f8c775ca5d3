"""R11: the n-th system call on the ledger or a report fails, for n = 1, 2, 3 …; the run stops cleanly and goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.runner import ROOT
from tests.reliability.bench import WAIT, Bench

FLAGS = ("--no-cache", "--concurrency", "2")
CALLS = {
    "pwrite64": ("ENOSPC", "EIO"),
    "fdatasync": ("EIO",),
    "ftruncate": ("EIO",),
    "openat": ("EMFILE", "EIO"),
}
"""System calls on files of the run folder, and how they fail."""


@pytest.fixture
def small(bench: Bench) -> Bench:
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("strace is not installed or not allowed here (apt-get install strace)")
    bench.write(5)
    assert bench.here("whole", *FLAGS).code == 0
    bench.forget()
    return bench


def failing(bench: Bench, call: str, error: str, number: int) -> bool:
    """Run with the number-th such call failing, then again without; whether the run got that far."""
    bench.remove("r")
    bench.forget()
    log = bench.work / "strace.log"
    names = ("run.sqlite", "run.sqlite-wal", "run.sqlite-shm")
    paths = [f"-P{folder}/{name}" for name in names for folder in ("r", bench.work / "r")]
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", str(log), f"-etrace={call}", *paths,
         f"-einject={call}:error={error}:when={number}",
         sys.executable, "-m", "evalharness", *bench.arguments("r", *FLAGS)],
        cwd=bench.work, text=True, timeout=WAIT, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    where = (call, error, number, done.stderr)
    reached = "INJECTED" in log.read_text(errors="replace")
    assert done.returncode in (0, 3), where
    assert "Traceback" not in done.stderr, where
    kept, asked = bench.acknowledged("r"), bench.asked()
    again = bench.here("r", *FLAGS)
    assert again.code == 0, (where, again.err)
    assert bench.report("r") == bench.report("whole"), where
    assert {name: bench.asked()[name] for name in kept} == {name: asked[name] for name in kept}, where
    return reached


@pytest.mark.parametrize(("call", "error", "number"), [("pwrite64", "ENOSPC", 9), ("fdatasync", "EIO", 1)])
def test_a_failing_call(small: Bench, call: str, error: str, number: int):
    assert failing(small, call, error, number)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_every_failing_call(small: Bench, call: str):
    for error in CALLS[call]:
        assert failing(small, call, error, 1)
        for number in range(2, 200):
            if not failing(small, call, error, number):
                break
