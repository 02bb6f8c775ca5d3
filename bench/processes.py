"""Running a command and watching the resident memory of all its processes together."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK = 0.1
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Measured:
    """How a command went: seconds, and the peak of the summed resident memory of its processes (MB; Linux only)."""

    wall: float
    peak: float


def run_measured(command: Sequence[object], env: Mapping[str, str]) -> Measured:
    """Run a command to its end; an exit code other than 0 is an error."""
    start = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command], env=dict(env), stdout=subprocess.DEVNULL
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        code = process.wait()
        wall = time.perf_counter() - start
        watch.over.set()
        watch.join()
    if code:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {code}")
    return Measured(wall, watch.peak / 1e6)


class _Watch(threading.Thread):
    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak = 0
        self._root = root

    def run(self) -> None:
        while not self.over.wait(_LOOK):
            self.peak = max(self.peak, sum(_resident(process) for process in _family(self._root)))


def _family(root: int) -> list[int]:
    found, open_ = [], [root]
    while open_:
        process = open_.pop()
        found.append(process)
        with suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                with suppress(OSError):
                    open_ += map(int, (task / "children").read_text().split())
    return found


def _resident(process: int) -> int:
    """Bytes that only this process holds, and its share of what it shares with others."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
