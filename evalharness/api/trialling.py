"""`trials`: how reliable a system is over repeated trials of the same tasks; trials.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalharness.analysis.trials import Trials, trials_of
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import RunFolder, open_run
from evalharness.data.files import write_text
from evalharness.report.trials import trials_json

TRIAL = "trial"
"""The metadata key that numbers the trials of a task."""


@dataclass(frozen=True, slots=True)
class TrialsResult:
    """The figures and the file that holds them."""

    trials: Trials
    folder: RunFolder
    written: Path


def run_trials(run: Path, k: int | None = None) -> TrialsResult:
    """The pass^k table of a run; ``InputError`` where two dialogues are the same trial."""
    with open_run(run) as (folder, ledger):
        columns = planned_columns(ledger)
        numbers: dict[str, str | None] = {}
        for stored in ledger.sorted_dialogues():
            dialogue = stored.load()
            stated = dialogue.metadata.get(TRIAL)
            numbers[dialogue.id] = None if stated is None else str(stated)
        found = trials_of(columns, ledger.outcomes(columns), numbers, k)
    path = folder.path / "trials.json"
    write_text(path, trials_json(found))
    return TrialsResult(found, folder, path)
