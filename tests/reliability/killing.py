"""The program, killed by SIGKILL at a named point: ``KILL_AT=POINT:N`` dies at the N-th passage."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from evalharness.api import rendering, scoring
from evalharness.cli import cli
from evalharness.cli.outcome import guarded
from evalharness.data import files
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.batches import BatchStore
from evalharness.data.ledger.grouping import Group
from evalharness.data.ledger.store import Ledger
from evalharness.engine import batch_collect, batch_submit

POINTS: dict[str, tuple[Any, str, bool]] = {
    "before_ingest": (Ledger, "clear_dialogues", True),
    "in_ingest": (Ledger, "add_dialogue", False),
    "before_attempt": (Ledger, "begin_attempt", True),
    "after_attempt": (Ledger, "begin_attempt", False),
    "before_end": (Ledger, "end_attempt", True),
    "after_end": (Ledger, "end_attempt", False),
    "after_cache": (VerdictCache, "put", False),
    "before_outcome": (Ledger, "put_body", True),
    "after_outcome": (Ledger, "put_body", False),
    "before_commit": (Group, "commit", True),
    "after_commit": (Group, "commit", False),
    "before_outputs": (scoring, "write_outputs", True),
    "between_outputs": (rendering, "write_text", False),
    "before_replace": (files.os, "replace", True),
    "after_outputs": (scoring, "write_outputs", False),
}
"""Where to die: the owner and name of a function, and whether before or after it."""

BATCH_POINTS: dict[str, tuple[Any, str, bool]] = {
    "before_plan": (BatchStore, "plan", True),
    "after_plan": (BatchStore, "plan", False),
    "before_sending": (BatchStore, "sending", True),
    "after_sending": (BatchStore, "sending", False),
    "before_running": (BatchStore, "running", True),
    "after_running": (BatchStore, "running", False),
    "before_download": (batch_collect, "download", True),
    "after_download": (batch_collect, "lines_of", True),
    "before_collected": (BatchStore, "end", True),
    "while_collecting": (BatchStore, "_settle", False),
    "after_collected": (BatchStore, "end", False),
    "before_closing": (BatchStore, "close", True),
    "after_judged": (Ledger, "put_body", False),
}
"""The same for runs by batches."""


def _deadly(function: Callable[..., Any], passage: int, *, before: bool) -> Callable[..., Any]:
    passed = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal passed
        passed += 1
        if before and passed == passage:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if passed == passage:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def armed(arguments: Sequence[str]) -> int:
    """Arm the point that ``KILL_AT`` names, if any, and run the command."""
    batch_submit.SETTLING = float(os.environ.get("SETTLING", batch_submit.SETTLING))
    name, _, passage = os.environ.get("KILL_AT", "").partition(":")
    if name:
        owner, function, before = {**POINTS, **BATCH_POINTS}[name]
        setattr(owner, function, _deadly(getattr(owner, function), int(passage or 1), before=before))
    return guarded(cli, list(arguments))


if __name__ == "__main__":
    sys.exit(armed(sys.argv[1:]))
