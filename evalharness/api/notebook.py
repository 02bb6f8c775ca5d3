"""The Python API: the same jobs as the command line, as plain functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.analysis.types import Analysis
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import RunFolder
from evalharness.api.folder import open_run as open_ledger
from evalharness.api.rendering import stored_analysis
from evalharness.api.scoring import RunResult, ScoreJob, run_score
from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, TurnChoice
from evalharness.core.scores import Outcome
from evalharness.data.dialogues import ReadOptions
from evalharness.engine.plan import Limits
from evalharness.judges.options import JudgeOptions


def score(
    sources: str | Path | Sequence[str | Path],
    *,
    out: str | Path = "reports/notebook",
    metrics: Sequence[str] = (),
    judges: Sequence[str] = (),
    rubrics: Sequence[str] = (),
    turns: str = "all",
    samples: int = 1,
    concurrency: int = 16,
    read: ReadOptions | None = None,
    skip_bad_lines: bool = False,
    update: bool = False,
    composed: Mapping[str, Json] | None = None,
) -> RunResult:
    """Score dialogue files into a run folder and return the result; the same call again resumes.

    Names are those of ``evalharness score``: metrics like ``bleu``, judges like ``openai:MODEL``, rubrics by name or
    path. ``composed`` is what the section ``judges`` of the settings holds: panels, cascades … by name. Raises
    :class:`~evalharness.errors.EvalHarnessError` subclasses for what is the caller's to mend; a provider that refuses
    does not raise but leaves ``result.complete`` false.
    """
    files = [sources] if isinstance(sources, str | Path) else list(sources)
    job = ScoreJob(
        sources=tuple(str(file) for file in files),
        out=Path(out),
        metrics=tuple(metrics),
        judges=tuple(judges),
        rubrics=tuple(rubrics),
        read=read or ReadOptions(),
        turns=TurnChoice(turns),
        limits=Limits(concurrency=concurrency),
        judge_options=JudgeOptions(samples=samples),
        skip_bad_lines=skip_bad_lines,
        update=update,
        composed_judges=composed or {},
    )
    return run_score(job)


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """Everything that was said about one item; ``turn`` is None for a whole dialogue."""

    dialogue: str
    turn: int | None
    group: str
    system: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder, read only."""

    folder: RunFolder
    analysis: Analysis

    def items(self) -> Iterator[ScoredItem]:
        """Every item with the outcomes of one scorer, by group, dialogue id, turn and scorer."""
        with open_ledger(self.folder.path) as (_, ledger):
            columns = planned_columns(ledger)
            for row in ledger.outcomes(columns):
                outcomes = tuple(map(Outcome, columns[row.scorer], row.results))
                yield ScoredItem(row.dialogue, row.turn, row.cluster, row.system, outcomes)

    def dialogues(self) -> Iterator[Dialogue]:
        """Every dialogue of the run, by group and id."""
        with open_ledger(self.folder.path) as (_, ledger):
            for stored in ledger.sorted_dialogues():
                yield stored.load()

    def values(
        self, criterion: str, scorer: str | None = None
    ) -> Mapping[tuple[str, int | None], float | str]:
        """Scored values of a criterion by (dialogue, turn); name the scorer where several have the criterion."""
        from evalharness.core.scores import Score

        return {
            (item.dialogue, item.turn): outcome.result.value
            for item in self.items()
            for outcome in item.outcomes
            if outcome.column.criterion == criterion and scorer in (None, outcome.column.scorer)
            if isinstance(outcome.result, Score)
        }


def open_run(path: str | Path) -> Run:
    """A finished or partial run from its folder."""
    with open_ledger(path) as (folder, ledger):
        return Run(folder, stored_analysis(ledger))
