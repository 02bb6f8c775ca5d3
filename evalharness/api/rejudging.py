"""Asking a run's own judge again: the same rubric and options, verdicts of an epoch of their own.

Each asking is an ordinary run in a folder below the run: it resumes, is cached, limited and counted as every run is.
Its epoch belongs to the run, so no verdict of another run or of the run itself serves it, and asking twice costs once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalharness.api.folder import AGAIN, open_run
from evalharness.api.recipe import Recipe, recorded_recipe
from evalharness.api.scoring import ScoreJob, estimate_score, make_plan, run_score
from evalharness.core.canonical import Json, canonical_json, content_hash
from evalharness.core.dialogue import Dialogue
from evalharness.core.native import to_json
from evalharness.core.scores import Column, Result
from evalharness.data.files import private_folder, write_text
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.engine.estimate import JudgeEstimate
from evalharness.engine.plan import Limits
from evalharness.engine.progress import Progress, Silent
from evalharness.errors import EvalHarnessError, StorageError, UsageError
from evalharness.gate.same import changed_parts
from evalharness.judges.spec import judge_name
from evalharness.report.execution import total_cost


@dataclass(frozen=True, slots=True)
class Terms:
    """How fresh verdicts are asked for. ``quote`` is told what each asking would send before anything is sent.

    ``composed`` are the judges that the settings make of others.
    """

    offline: bool = False
    dry: bool = False
    limits: Limits = field(default_factory=Limits)
    models: Mapping[str, Json] = field(default_factory=dict)
    composed: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)
    quote: Callable[[Sequence[JudgeEstimate]], None] = lambda _: None
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Items for one judge on one rubric: dialogues cut to the turns to judge. ``samples`` None: as the run asked.

    ``by`` names another judge than the run's own ``scorer``, which is asked about its items.
    """

    purpose: str
    scorer: str
    rubric: str
    dialogues: tuple[Dialogue, ...]
    samples: int | None = None
    by: str | None = None

    @property
    def judge(self) -> str:
        """Who is asked, by name."""
        return self.scorer if self.by is None else judge_name(self.by)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers by dialogue and turn, and the columns they stand in; ``missing`` says why there are none or fewer.

    ``cost`` is in USD, None where it is not known; ``signal`` interrupted the asking.
    """

    columns: tuple[Column, ...] = ()
    results: Mapping[tuple[str, int | None], tuple[Result, ...]] = field(default_factory=dict)
    missing: str = ""
    cost: float | None = 0.0
    signal: int | None = None


def ask_again(run: Path, wanted: Wanted, terms: Terms) -> Asked:
    """Ask the run's judge about ``wanted``. What stands in the way (no key, offline, a budget) is told, not raised."""
    try:
        job = _job(run, wanted, terms)
        terms.quote(estimate_score(job))
        if terms.dry:
            return Asked(missing="--dry-run: nothing was asked")
        result = run_score(job, terms.progress)
    except StorageError:
        raise
    except EvalHarnessError as error:
        return Asked(missing=f"{wanted.judge} could not be asked again: {error.problems[0]}")
    missing = "; ".join(f"{stop.judge}: {stop.fault.detail}" for stop in result.finished.stopped)
    if result.finished.signal is not None:
        missing = "interrupted"
    found = _answers(job.out)
    return replace(found, missing=missing, signal=result.finished.signal)


def only_turns(dialogue: Dialogue, turns: Iterable[int]) -> Dialogue:
    """The dialogue with these replies alone to be judged; the others become history."""
    kept = set(turns)
    messages = tuple(
        replace(message, given=message.given or (message.role == "assistant" and place not in kept))
        for place, message in enumerate(dialogue.messages)
    )
    return replace(dialogue, messages=messages)


def stored_dialogues(ledger: Ledger, wanted: Mapping[str, Iterable[int | None]]) -> tuple[Dialogue, ...]:
    """Dialogues of a run by id, cut to the turns named (None: the whole dialogue is judged)."""
    found = []
    for name, turns in sorted(wanted.items()):
        stored = ledger.dialogue_named(name)
        if stored is not None:
            places = [turn for turn in turns if turn is not None]
            found.append(only_turns(stored.load(), places) if places else stored.load())
    return tuple(found)


def _job(run: Path, wanted: Wanted, terms: Terms) -> ScoreJob:
    with open_run(run) as (_, ledger):
        known = recorded_recipe(ledger)
        epoch = _epoch(wanted.purpose, ledger.secret())
        columns = [column for group in ledger.scorers().values() for column in group]
    if known is None or wanted.scorer not in known.judges or wanted.rubric not in known.rubrics:
        raise UsageError(f"the run does not say how it asked {wanted.scorer} (score it again)")
    lines = [canonical_json(to_json(dialogue)) + "\n" for dialogue in wanted.dialogues]
    asked = [wanted.scorer if wanted.by is None else wanted.by, wanted.rubric, wanted.samples, lines]
    name = content_hash(asked, 12)
    folder = private_folder(run / AGAIN / f"{wanted.purpose}-{name}")
    rubric, data = folder / "rubric.yaml", folder / "dialogues.jsonl"
    write_text(rubric, known.rubrics[wanted.rubric])
    write_text(data, lines)
    job = ScoreJob(
        sources=(str(data),),
        out=folder,
        judges=(known.judges[wanted.scorer] if wanted.by is None else wanted.by,),
        rubrics=(str(rubric),),
        limits=terms.limits,
        judge_options=known.options,
        model_options={**terms.models, **({"api": known.api} if known.api else {})},
        composed_judges=terms.composed,
        prices=terms.prices,
        epoch=epoch,
        offline=terms.offline,
    )
    if wanted.by is None:
        _check_same_judge(job, wanted, columns, known)
    return job if wanted.samples is None else _sampled(job, wanted.samples)


def _sampled(job: ScoreJob, samples: int) -> ScoreJob:
    return replace(job, judge_options=replace(job.judge_options, samples=samples))


def _check_same_judge(job: ScoreJob, wanted: Wanted, columns: Sequence[Column], known: Recipe) -> None:
    """The judge as it would be asked now must be the one that the run asked."""
    before = {
        c.criterion: c.signature for c in columns if (c.scorer, c.rubric) == (wanted.scorer, wanted.rubric)
    }
    for column in make_plan(job).columns:
        changed = changed_parts(before.get(column.criterion, column.signature), column.signature)
        if changed:
            raise UsageError(f"{known.judges[wanted.scorer]} is not what it was: {changed}")


def _epoch(purpose: str, secret: bytes) -> str:
    """A name that belongs to the run: fresh for every run, the same whenever this one is asked about."""
    return f"{purpose} {hashlib.sha256(secret + purpose.encode()).hexdigest()[:16]}"


def _answers(folder: Path) -> Asked:
    with open_run(folder) as (_, ledger):
        groups = list(ledger.scorers().values())
        rows = {(row.dialogue, ItemRef(row.seq, row.turn).turn): row.results for row in ledger.outcomes()}
        return Asked(groups[0] if groups else (), rows, cost=total_cost(ledger.attempt_totals()))
