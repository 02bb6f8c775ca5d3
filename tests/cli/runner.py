"""Calling the program as a user does, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.cli import cli
from evalharness.cli.outcome import guarded

ROOT = Path(__file__).parents[2]
DATASETS = ROOT / "datasets"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str | Path) -> Ran:
    """Run a command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = guarded(cli, [str(argument) for argument in arguments])
    return Ran(code, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8")


def run_apart(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        cwd=cwd or ROOT,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def command(*arguments: str | Path) -> Sequence[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "evalharness", *(str(argument) for argument in arguments)]


def scores(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's scores.jsonl."""
    return [json.loads(line) for line in (folder / "scores.jsonl").read_text(encoding="utf-8").splitlines()]


def report(folder: Path) -> dict[str, Any]:
    """A run's report.json."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found
