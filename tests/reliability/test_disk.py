"""Real disks that are full or read-only, and output that nobody takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import ROOT, Ran
from tests.reliability.bench import WAIT, Bench

FLAGS = ("--no-cache", "--concurrency", "2")
SIZE = 4 << 20


@pytest.fixture
def small_disk(bench: Bench) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = bench.work / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("mounting a file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_run_and_space_lets_it_go_on(bench: Bench, small_disk: Path):
    """R12: after the disk is full, no more is asked than was in flight; with space the run ends as if nothing was."""
    bench.write(60)
    assert bench.here("whole", *FLAGS).code == 0
    bench.forget()
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (SIZE - 250 * 1024))
    ran = bench.here("disk/r", *FLAGS)
    assert ran.code == 3, ran.err
    assert "full" in ran.err
    kept, asked = bench.acknowledged("disk/r"), bench.asked()
    assert sum(asked.values()) <= len(kept) + 2
    filler.unlink()
    ran = bench.here("disk/r", *FLAGS)
    assert ran.code == 0, ran.err
    assert bench.report("disk/r") == bench.report("whole")
    assert {name: bench.asked()[name] for name in kept} == {name: asked[name] for name in kept}


def test_a_read_only_disk_is_refused_before_anything_is_asked(bench: Bench, small_disk: Path):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ran = bench.here("disk/r", *FLAGS)
    assert ran.code == 3
    assert "Read-only" in ran.err
    assert bench.server.count == 0


def test_output_that_has_no_room_is_told_and_the_run_is_whole(bench: Bench):
    with Path("/dev/full").open("w") as full:
        ran = _child(bench, "r", full.fileno())
    assert ran.code == 3
    assert "Traceback" not in ran.err
    assert bench.here("r", *FLAGS).code == 0


def test_a_reader_that_goes_away_ends_the_program_quietly(bench: Bench):
    """R13: ``| head`` with a reader that is gone before the summary is written."""
    read, write = os.pipe()
    os.close(read)
    ran = _child(bench, "r", write)
    os.close(write)
    assert "Traceback" not in ran.err


def _child(bench: Bench, out: str, stdout: int) -> Ran:
    arguments = [part for part in bench.arguments(out, *FLAGS) if part != "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "evalharness", *arguments], cwd=bench.work, text=True, timeout=WAIT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    return Ran(done.returncode, "", done.stderr)
