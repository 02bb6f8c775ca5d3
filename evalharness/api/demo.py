"""The demo: the three jobs on a part of the sample data, small enough for a toy judge on two processor cores.

Scores first; then judges and metrics against labels by construction, which follow from how the twins were made and are
no human labels; then the degraded twins gated against the clean dialogues.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from evalharness.api.agreeing import AgreeJob, AgreeResult, run_agree
from evalharness.api.folder import open_run
from evalharness.api.gating import GateJob, GateOutcome, run_gate
from evalharness.api.rendering import render, stored_analysis
from evalharness.api.scoring import ScoreJob
from evalharness.api.snapshots import load_snapshot
from evalharness.core.dialogue import TurnChoice
from evalharness.core.snapshot import Series, Snapshot
from evalharness.data.baselines import write_baseline
from evalharness.data.builtin import builtin_folder
from evalharness.data.files import write_text
from evalharness.engine.plan import Limits
from evalharness.errors import MissingDependencyError, StorageError
from evalharness.llm.local_models import install, installed_path

MODEL = "smollm2"
RUBRIC = "support-reply"
METRICS = ("bleu", "chrf", "rouge")
CLEAN, DEGRADED = "v1", "v2-degraded"
LABELS = "labels-by-construction.csv"
LABELLED = ("relevance", "severity")
"""The criteria of which the demo's dialogues have more than a few labels."""


@dataclass(frozen=True, slots=True)
class DemoEnd:
    """What follows the scores: the comparison with labels by construction, and the gate."""

    agree: AgreeResult
    gate: GateOutcome
    labels: Path
    clean: Path
    degraded: Path


def demo_job(out: Path, *, judge: bool) -> ScoreJob:
    """The job of the demo: eight sample dialogues and their degraded twins, judged on their last replies."""
    data = builtin_folder("datasets") / "demo.jsonl"
    return ScoreJob(
        sources=(str(data),),
        out=out,
        metrics=METRICS,
        judges=(f"local:{MODEL}",) if judge else (),
        rubrics=(RUBRIC,) if judge else (),
        turns=TurnChoice.LAST,
        limits=Limits(concurrency=2),
        update=True,
    )


def prepare_judge(tell: Callable[[str], None]) -> str | None:
    """Make sure that the local judge can run; returns why it can't, if so."""
    if find_spec("xllamacpp") is None:
        return "the local judge is not installed (pip install 'evalharness[local]'): metrics only"
    if installed_path(MODEL) is not None:
        return None
    tell(f"getting the local model {MODEL} (94 MB, once) …")
    try:
        install(MODEL)
    except (MissingDependencyError, StorageError) as error:
        return f"no local judge, metrics only: {error}"
    return None


def end_demo(out: Path) -> DemoEnd:
    """Compare the run in ``out`` with the labels by construction, and gate its degraded half against the clean one.

    The page is written again with what the labels say.
    """
    labels = out / LABELS
    write_text(labels, _labels_of(out))
    agreement = run_agree(AgreeJob(out, (str(labels),)))
    whole = load_snapshot(out)
    clean, degraded = (out / f"{system}.json" for system in (CLEAN, DEGRADED))
    for path, system in ((clean, CLEAN), (degraded, DEGRADED)):
        write_baseline(path, only_system(whole, system))
    gate = run_gate(GateJob(degraded, clean, out=out))
    with open_run(out) as (folder, ledger):
        write_text(folder.page, render(folder, ledger, stored_analysis(ledger), "html"))
    return DemoEnd(agreement, gate, labels, clean, degraded)


def only_system(snapshot: Snapshot, system: str) -> Snapshot:
    """The part of a run that one system under test made."""
    kept = [place for place, s in enumerate(snapshot.subjects) if s.metadata.get("system") == system]
    number = {place: new for new, place in enumerate(kept)}
    return replace(
        snapshot,
        name=system,
        subjects=tuple(snapshot.subjects[place] for place in kept),
        series=tuple(_only(series, number) for series in snapshot.series),
    )


def _only(series: Series, number: dict[int, int]) -> Series:
    marks = tuple(m._replace(subject=number[m.subject]) for m in series.marks if m.subject in number)
    lost = series.items - len(series.marks)
    return replace(series, marks=marks, items=len(marks) + lost)


def _labels_of(out: Path) -> str:
    """The labels by construction of the replies that the demo scores, as CSV."""
    with open_run(out) as (_, ledger):
        last = {
            dialogue.id: str(turn)
            for stored in ledger.sorted_dialogues()
            for dialogue in [stored.load()]
            for turn in dialogue.assistant_turns(TurnChoice.LAST)
        }
    with (builtin_folder("datasets") / LABELS).open(encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(row for row in rows if row[2] in LABELLED and last.get(row[0]) == row[1])
    return text.getvalue()
