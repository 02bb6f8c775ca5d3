"""One small job that is run, broken and resumed, and what its ledger holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evalharness.data.ledger.store import copy_ledger
from evalharness.llm.backoff import Backoff
from evalharness.llm.retry import RetryPolicy
from tests.cli.runner import ROOT, Ran, run
from tests.faultd import Faultd
from tests.reliability.nursery import Nursery, Nursling
from tests.tiny import POLITE

PRICES = "prices:\n  m: {input: 1.0, output: 2.0}\n"
_MARK = re.compile(r"\[row (\w+)\]")
WAIT = 120.0
"""Seconds after which a child process that should have ended counts as hanging."""


@dataclass
class Bench:
    """A job of ``rows`` one-turn dialogues, each with its own mark that the server counts by."""

    server: Faultd
    work: Path
    rows: int = 12

    def __post_init__(self) -> None:
        self.write(self.rows)
        (self.work / "tiny.yaml").write_text(POLITE)

    @property
    def spec(self) -> str:
        return f"j=openai:m@{self.server.url}"

    def write(self, rows: int, edit: int | None = None) -> None:
        """Write the dialogues; ``edit`` names one whose reply is another."""
        self.rows = rows
        lines = [json.dumps(dialogue(number, edited=number == edit)) for number in range(rows)]
        (self.work / "in.jsonl").write_text("\n".join(lines) + "\n")

    def write_versions(self, versions: Mapping[int, int]) -> None:
        """Write a dialogue per entry: its number, and a version that its text is marked with."""
        self.rows = len(versions)
        lines = [json.dumps(versioned(number, version)) for number, version in versions.items()]
        (self.work / "in.jsonl").write_text("\n".join(lines) + "\n")

    def arguments(self, out: str, *more: str, rubric: str = "tiny.yaml") -> list[str]:
        fixed = ["score", "in.jsonl", "--rubric", rubric, "--max-tokens", "200", "--quiet", "-o", out]
        judge = [] if "--judge" in more else ["--judge", self.spec]
        return [*fixed, *judge, *more]

    def here(self, out: str, *more: str, rubric: str = "tiny.yaml") -> Ran:
        """The command in this process."""
        return run(*self.arguments(out, *more, rubric=rubric))

    def start(self, out: str, *more: str, point: str = "", files: int | None = None) -> subprocess.Popen[str]:
        """The command as a child process; ``point`` is where it kills itself (see ``killing``)."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "KILL_AT": point}
        command = [sys.executable, "-m", "tests.reliability.killing" if point else "evalharness"]
        return subprocess.Popen(
            [*command, *self.arguments(out, *more)], cwd=self.work, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def fork(self, nursery: Nursery, out: str, *more: str, point: str = "") -> Nursling:
        """The command as a child process that starts at once."""
        return nursery.start(self.arguments(out, *more), self.work, point)

    def report(self, out: str) -> bytes:
        return (self.work / out / "report.json").read_bytes()

    def execution(self, out: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / out / "execution.json").read_text())["judges"][0]
        return found

    def acknowledged(self, out: str) -> dict[str, str]:
        """The outcomes that the ledger holds, by dialogue."""
        return dict(
            self._query(out, "SELECT d.id, o.body FROM outcomes o JOIN dialogues d ON d.seq=o.dialogue")
        )

    def verdicts(self, out: str) -> dict[str, str]:
        """The outcomes that the ledger holds, by the mark of the dialogue's text."""
        rows = self._query(out, "SELECT d.body, o.body FROM outcomes o JOIN dialogues d ON d.seq=o.dialogue")
        return {_MARK.search(text)[1]: body for text, body in rows}  # type: ignore[index]

    def attempts(self, out: str) -> dict[str, int]:
        """Attempts in the ledger by state."""
        return dict(self._query(out, "SELECT state, count(*) FROM attempts GROUP BY state"))

    def asked(self) -> dict[str, int]:
        """How often the server was asked about each dialogue."""
        return dict(self.server.attempts)

    def forget(self) -> None:
        """Start counting anew."""
        self.server.attempts.clear()
        self.server.count = 0

    def remove(self, out: str) -> None:
        shutil.rmtree(self.work / out, ignore_errors=True)

    def _query(self, out: str, query: str) -> list[tuple[Any, ...]]:
        ledger = self.work / out / "run.sqlite"
        if not ledger.exists() or ledger.stat().st_size == 0:
            return []
        copy = self.work / "copy.sqlite"
        copy.unlink(missing_ok=True)
        copy_ledger(ledger, copy)
        with closing(sqlite3.connect(copy)) as database:
            made = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            return database.execute(query).fetchall() if made else []


def dialogue(number: int, *, edited: bool = False) -> dict[str, Any]:
    """A one-turn dialogue whose question carries the mark by which the server counts."""
    reply = f"Reply {number}{' edited' if edited else ''}."
    messages = [
        {"role": "user", "content": f"[row d{number}] Where is it?"},
        {"role": "assistant", "content": reply},
    ]
    return {"id": f"d{number}", "messages": messages}


def mark(number: int, version: int) -> str:
    """By what the server counts requests about a version of a dialogue."""
    return f"d{number}v{version}"


def versioned(number: int, version: int) -> dict[str, Any]:
    """A version of a one-turn dialogue."""
    made = dialogue(number)
    made["messages"][0]["content"] = f"[row {mark(number, version)}] Where is it?"
    return made


def ended(child: subprocess.Popen[str]) -> Ran:
    """How a child process ended; it is killed if it hangs."""
    with child:
        try:
            out, err = child.communicate(timeout=WAIT)
        finally:
            child.kill()
    return Ran(child.returncode, out, err)


def no_backoff() -> Callable[..., RetryPolicy]:
    """A retry policy whose attempts follow each other at once; to stand in for the policy's class."""
    return partial(RetryPolicy, backoff=Backoff(base=0.0, cap=0.0))
