"""What a run is to do, and the names under which its parts stand in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Dialogue, Item, TurnChoice, Unit, turn_items
from evalharness.core.fitted import ScoreInput
from evalharness.core.metric import Metric
from evalharness.core.scores import Column
from evalharness.core.signature import signature_difference
from evalharness.errors import Problem, RunConflictError, UsageError
from evalharness.judges.interface import Judge, Stacked

SHARD = "--shard"
"""The fact of a run that names its piece; pieces differ in nothing else."""


REDACT = "--redact"
"""The fact of a run that says what is masked."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a run.

    ``concurrency`` requests in flight per model; ``deadline`` seconds per call with all its attempts, at most
    ``attempts`` of ``attempt_timeout`` seconds each; ``max_wait`` caps a wait that a provider asks for; ``rpm`` and
    ``tpm`` are requests and tokens per minute and model; ``max_cost`` (USD) and ``max_failures`` (``20`` or ``2%`` of
    the items) stop the run.
    """

    concurrency: int = 16
    deadline: float = 300.0
    attempt_timeout: float = 120.0
    attempts: int = 5
    max_wait: float = 120.0
    rpm: float | None = None
    tpm: float | None = None
    max_cost: float | None = None
    max_failures: str | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The scorers of a run and how they are run. ``epoch`` tells fresh verdicts from cached ones; ``redaction`` says
    what is masked in the dialogues, None for nothing."""

    metrics: tuple[Metric, ...] = ()
    judges: tuple[Judge, ...] = ()
    turns: TurnChoice = TurnChoice.ALL
    limits: Limits = field(default_factory=Limits)
    epoch: str = ""
    retry_failed: bool = False
    use_cache: bool = True
    shard: str = ""
    redaction: Json = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column of the run, metrics first."""
        return tuple(column for columns in self.column_sets for column in columns)

    @property
    def column_sets(self) -> tuple[tuple[Column, ...], ...]:
        """The columns of each scorer, metrics first."""
        return (*(m.columns for m in self.metrics), *(j.columns for j in self.judges))

    def facts(self) -> dict[str, Json]:
        """What a resume must find unchanged, by the name that a message would use for it."""
        facts: dict[str, Json] = {"--turns": self.turns.value, "epoch": self.epoch}
        if self.shard:
            facts[SHARD] = self.shard
        if self.redaction is not None:
            facts[REDACT] = self.redaction
        for columns in self.column_sets:
            facts[title(columns)] = [column.signature for column in columns]
        return facts


def title(columns: Sequence[Column]) -> str:
    """A scorer's name in messages: ``metric bleu`` or ``judge NAME on RUBRIC``."""
    first = columns[0]
    if first.rubric:
        return f"judge {first.scorer} on {first.rubric}"
    names = [column.scorer for column in columns]
    return (
        f"metric {names[0]}"
        if len(names) == 1
        else f"metrics {', '.join(names[:3])}{' …' if names[3:] else ''}"
    )


def scorer_key(columns: Sequence[Column]) -> str:
    """The key of a scorer in the ledger: a hash over all that made its numbers."""
    return content_hash([[c.scorer, c.rubric, c.criterion, c.unit.value, c.signature] for c in columns], 32)


def items_of(dialogue: Dialogue, unit: Unit, turns: TurnChoice) -> list[Item]:
    """The items of a dialogue that a scorer of this unit scores."""
    return [Item(dialogue)] if unit is Unit.DIALOGUE else list(turn_items(dialogue, turns))


def check_distinct(plan: RunPlan) -> None:
    """Two scorers that would write under the same name and criterion are a usage error."""
    seen: set[tuple[str, str, str]] = set()
    for column in plan.columns:
        key = (column.scorer, column.rubric, column.criterion)
        if key in seen:
            raise UsageError(
                f"{column.scorer!r} is named twice",
                fix="Drop one, or give one judge an alias: --judge second=…",
            )
        seen.add(key)


def needs_of(judge: Judge) -> tuple[ScoreInput, ...]:
    """The other scorers that a judge builds on."""
    return judge.needs if isinstance(judge, Stacked) else ()


def check_needs(plan: RunPlan) -> None:
    """A judge that builds on scorers that the run lacks, or that are made otherwise now, is a :class:`UsageError`."""
    by_name = {(c.scorer, c.rubric, c.criterion): c for c in plan.columns}
    stacked = {judge.name for judge in plan.judges if needs_of(judge)}
    problems = []
    for judge in plan.judges:
        for need in needs_of(judge):
            column = by_name.get((need.scorer, need.rubric, need.criterion))
            if column is None or column.scorer in stacked:
                of = f"judge {need.scorer} on {need.rubric}" if need.rubric else f"metric {need.scorer}"
                problems.append(Problem(f"{judge.name} builds on {of}, which is not in this run"))
            elif column.signature != need.signature:
                difference = signature_difference(need.signature, column.signature)
                problems.append(Problem(f"{judge.name} builds on {need.name}, {difference}"))
    if problems:
        fix = "Run the same scorers as when it was fitted, or fit it anew."
        raise UsageError([*dict.fromkeys(problems), Problem("nothing was scored", fix=fix)])


def check_unchanged(stored: Json, plan: RunPlan, folder: str) -> None:
    """A run folder made with other settings is a :class:`RunConflictError` naming every difference."""
    check_same_facts(stored, plan.facts(), folder)


def check_same_facts(stored: Json, wanted: Mapping[str, Json], folder: str) -> None:
    """The facts that a run folder was made with must be those that are wanted now; see :func:`check_unchanged`."""
    if not isinstance(stored, dict):
        return
    problems = [
        Problem(_difference(name, name in stored, name in wanted))
        for name in sorted({*stored, *wanted})
        if stored.get(name) != wanted.get(name)
    ]
    if problems:
        head = Problem(f"{folder} holds a run with other settings")
        tail = Problem("nothing was changed", fix="Use another --out, or --update to keep what is unchanged.")
        raise RunConflictError([head, *problems, tail])


def _difference(name: str, before: bool, now: bool) -> str:
    if before and now:
        return f"  {name}: changed"
    return f"  {name}: was part of the run, is no longer asked" if before else f"  {name}: is new"
