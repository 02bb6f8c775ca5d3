"""Children that start at once: a process with the whole program loaded forks one for every command.

Starting Python and importing the program takes a second of processor time; killing a run a thousand times would spend
most of its time on that. The nursery has one thread and nothing open, so a fork of it is as good as a fresh start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.cli.runner import ROOT, Ran


@dataclass(frozen=True)
class Nursling:
    """A running child; ``wait`` must be called once."""

    nursery: Nursery
    pid: int
    out: Path
    err: Path

    def wait(self) -> Ran:
        """How it ended: a negative code is the signal that killed it."""
        status = int(self.nursery.say({"wait": self.pid}))
        try:
            return Ran(os.waitstatus_to_exitcode(status), _read(self.out), _read(self.err))
        finally:
            self.out.unlink()
            self.err.unlink()


class Nursery:
    """Use as a context manager, from one thread."""

    def __enter__(self) -> Nursery:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.nursery"], cwd=ROOT, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()

    def start(self, arguments: Sequence[str], cwd: Path, point: str = "") -> Nursling:
        """The command as a child of the nursery; ``point`` is where it kills itself (see ``killing``)."""
        out, err = (Path(tempfile.mkstemp(prefix="nursling-")[1]) for _ in range(2))
        environment: Mapping[str, str] = {**os.environ, "KILL_AT": point}
        told = {"run": list(arguments), "cwd": str(cwd), "env": environment, "out": str(out), "err": str(err)}
        return Nursling(self, int(self.say(told)), out, err)

    def say(self, message: Mapping[str, object]) -> str:
        """Send a message and read the answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        return process.stdout.readline()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def main() -> None:
    """Fork for every line of stdin."""
    _warm_up()
    for line in sys.stdin:
        told = json.loads(line)
        if "wait" in told:
            answer = os.waitpid(told["wait"], 0)[1]
        else:
            answer = os.fork()
            if answer == 0:
                _be(told)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Run once against an address where nobody answers: whatever a run imports is loaded then."""
    from tests.reliability import bench, killing
    from tests.tiny import POLITE

    os.environ["KILL_AT"] = ""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        os.chdir(folder)
        Path("tiny.yaml").write_text(POLITE, encoding="utf-8")
        Path("in.jsonl").write_text(json.dumps(bench.dialogue(0)) + "\n", encoding="utf-8")
        judge = ("--judge", "openai:m@http://127.0.0.1:1/v1", "--attempts", "1", "--quiet", "-o", "r")
        killing.armed(["score", "in.jsonl", "--rubric", "tiny.yaml", *judge])
        os.chdir(ROOT)


def _be(told: Mapping[str, object]) -> None:
    """Become the command."""
    from tests.reliability import killing

    os.chdir(str(told["cwd"]))
    os.environ.clear()
    environment = told["env"]
    assert isinstance(environment, dict)
    os.environ.update(environment)
    for number, name, mode in ((0, os.devnull, "r"), (1, told["out"], "w"), (2, told["err"], "w")):
        with _opened(str(name), mode) as stream:
            os.dup2(stream.fileno(), number)
    arguments = told["run"]
    assert isinstance(arguments, list)
    code = 1
    try:
        code = killing.armed(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _opened(name: str, mode: str) -> IO[str]:
    return Path(name).open(mode, encoding="utf-8")


if __name__ == "__main__":
    main()
