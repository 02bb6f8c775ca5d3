"""A run folder: where its files are, and reading a finished or partial run back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evalharness.core.canonical import Json
from evalharness.data.ledger.batches import OPEN
from evalharness.data.ledger.schema import is_ledger
from evalharness.data.ledger.store import Ledger
from evalharness.errors import EvalHarnessError, UsageError

UNFINISHED = "running, or killed"
"""Why a run is partial that has not ended yet: one that was killed must not pass for complete."""

AGAIN = "again"
"""Where fresh verdicts on a run's items lie below it, each asking a run of its own."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The truth: everything else is made from it."""
        return self.path / "run.sqlite"

    @property
    def scores(self) -> Path:
        """One outcome per line."""
        return self.path / "scores.jsonl"

    @property
    def table(self) -> Path:
        """The same as CSV."""
        return self.path / "scores.csv"

    @property
    def report(self) -> Path:
        """The aggregates, deterministic."""
        return self.path / "report.json"

    @property
    def execution(self) -> Path:
        """What varies from run to run: time, cost, attempts."""
        return self.path / "execution.json"

    @property
    def page(self) -> Path:
        """The offline HTML report."""
        return self.path / "report.html"

    @property
    def rejects(self) -> Path:
        """Input lines that were set aside."""
        return self.path / "rejected.jsonl"


@contextmanager
def open_run(path: Path | str) -> Iterator[tuple[RunFolder, Ledger]]:
    """The ledger of an existing run folder; a :class:`UsageError` when there is none."""
    folder = RunFolder(Path(path))
    if not folder.ledger.exists():
        raise UsageError(
            f"{folder.path} is no run folder (it has no run.sqlite)", fix="Name a folder that `score` wrote."
        )
    with Ledger(folder.ledger) as ledger:
        yield folder, ledger


def requests_in_flight(path: Path) -> int | None:
    """How many requests of the ledger at ``path`` are in batches in flight.

    None where it can't be told: the ledger is damaged, or of a newer version. The error of a file that is no ledger.
    """
    try:
        with Ledger(path) as ledger:
            return sum(batch.requests for batch in ledger.batches.all(OPEN))
    except EvalHarnessError:
        if not is_ledger(path):
            raise
        return None


def find_runs(root: Path) -> list[dict[str, Json]]:
    """What is known of every run folder below ``root``, newest first; an unreadable one says so."""
    found = [path for path in root.glob("**/run.sqlite") if not _is_asking(path.parent)]
    ledgers = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return [_facts(path) for path in ledgers]


def _is_asking(folder: Path) -> bool:
    """Whether a folder holds fresh verdicts that belong to the run above it."""
    return folder.parent.name == AGAIN and (folder.parents[1] / "run.sqlite").exists()


def _facts(path: Path) -> dict[str, Json]:
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M")
    facts: dict[str, Json] = {"folder": str(path.parent), "changed": changed}
    try:
        with Ledger(path) as ledger:
            planned = ledger.get("scorer_numbers")
            count = len(planned) if isinstance(planned, list) else 0
            partial = ledger.get("partial")
            return {**facts, "dialogues": ledger.dialogue_count(), "scorers": count, "partial": partial}
    except EvalHarnessError as error:
        return {**facts, "dialogues": 0, "scorers": 0, "partial": str(error)}
