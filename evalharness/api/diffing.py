"""`diff`: two runs beside each other; diff.json and diff.html in the newer one's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalharness.api.folder import open_run
from evalharness.api.snapshots import load_snapshot
from evalharness.core.dialogue import Dialogue
from evalharness.data.files import write_text
from evalharness.errors import UsageError
from evalharness.gate.changes import Changes, changes
from evalharness.report.diff import diff_json, diff_page, moves_of


@dataclass(frozen=True, slots=True)
class DiffResult:
    """What changed, and the files that say so."""

    changes: Changes
    written: tuple[Path, ...]


def diff_runs(
    old: Path, new: Path, *, out: Path | None = None, pair_by: str = "group", most: int = 40
) -> DiffResult:
    """Compare two runs (the old one may be a baseline file, which holds no conversations).

    Raises ``UsageError`` for runs that are none, or that have nothing in common to compare.
    """
    found = changes(load_snapshot(old), load_snapshot(new), pair_by=pair_by, most=most)
    if not found.deltas:
        raise UsageError(
            f"{old} and {new} share no column of scores that has an order",
            fix="Score both with the same judge, rubric or metric.",
        )
    moves = moves_of(
        found,
        _dialogues(old, {mover.before.dialogue for mover in found.movers}),
        _dialogues(new, {mover.after.dialogue for mover in found.movers}),
    )
    folder = new if out is None else out
    files = {folder / "diff.json": diff_json(found), folder / "diff.html": diff_page(found, moves)}
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_text(path, text)
    return DiffResult(found, tuple(files))


def _dialogues(run: Path, wanted: Iterable[str]) -> dict[str, Dialogue]:
    """The wanted dialogues of a run folder; none of a baseline file."""
    if not run.is_dir():
        return {}
    names = set(wanted)
    found: dict[str, Dialogue] = {}
    with open_run(run) as (_, ledger):
        for stored in ledger.sorted_dialogues():
            dialogue = stored.load()
            if dialogue.id in names:
                found[dialogue.id] = dialogue
    return found
