"""Repeated trials of the same tasks -> pass^k and pass@k by criterion and system.

A task is a group; its trials are the dialogues of one system in it. A trial passes where the criterion's pass rule is
kept. A trial that failed to be scored is missing: the figures are over scored trials, with the bounds within which they
would lie had every missing trial failed or passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.core.dialogue import Unit
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Column, Failure, Result, Score, Skip
from evalharness.data.ledger.store import OutcomeRow
from evalharness.errors import InputError
from evalharness.stats.estimate import Estimate
from evalharness.stats.pass_k import pass_k

MOST_TRIALS = 16
"""The largest k that is stated unless a larger one is asked for."""


@dataclass(frozen=True, slots=True)
class AtK:
    """The figures for one k.

    ``every``: pass^k, all of k trials pass; ``anyone``: pass@k, at least one does. ``left_out``: tasks with fewer than
    k scored trials. ``bounds``: pass^k if every missing trial had failed, and if it had passed; None where none is
    missing.
    """

    k: int
    every: Estimate
    anyone: Estimate
    left_out: int
    bounds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """What one criterion says of one system over its trials.

    ``trials`` counts tasks by their number of scored trials; ``skipped`` trials have nothing to score and don't count.
    """

    column: Column
    system: str
    tasks: int
    scored: int
    failed: tuple[tuple[str, int], ...]
    skipped: tuple[tuple[str, int], ...]
    trials: tuple[tuple[int, int], ...]
    at: tuple[AtK, ...]


@dataclass(frozen=True, slots=True)
class Trials:
    """All of a run: figures by criterion and system, how many dialogues state no trial number, and what was left out:
    criteria about turns, or without a pass rule."""

    rows: tuple[Reliability, ...]
    unnumbered: int
    left_out: tuple[str, ...]


@dataclass(slots=True)
class _Task:
    passed: int = 0
    scored: int = 0
    missing: int = 0


@dataclass(slots=True)
class _Sums:
    tasks: dict[str, _Task] = field(default_factory=lambda: defaultdict(_Task))
    failed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, group: str, result: Result, rule: PassRule) -> None:
        match result:
            case Score(value=str()):
                self.skipped["no_number"] += 1
            case Score(value=float(value)):
                self.tasks[group].scored += 1
                self.tasks[group].passed += rule(value)
            case Failure(cause=cause):
                self.tasks[group].missing += 1
                self.failed[cause.value] += 1
            case Skip(reason=reason):
                self.skipped[reason.value] += 1


def trials_of(
    columns: Mapping[int, Sequence[Column]],
    rows: Iterable[OutcomeRow],
    numbers: Mapping[str, str | None],
    k: int | None = None,
) -> Trials:
    """The figures of a run.

    ``numbers`` is the trial of each dialogue by id, None where none is stated; two dialogues of one system that state
    the same trial of the same group are an :class:`InputError`. ``k``: the largest k; None for as many as there are.
    """
    sums: dict[tuple[int, int, str], _Sums] = defaultdict(_Sums)
    rules = {
        (number, place): PassRule.parse(column.passes)
        for number, group in columns.items()
        for place, column in enumerate(group)
        if column.passes is not None and column.unit is Unit.DIALOGUE
    }
    seen: dict[tuple[str, str, str], str] = {}
    for row in rows:
        _note_trial(row, numbers, seen)
        for place, result in enumerate(row.results):
            rule = rules.get((row.scorer, place))
            if rule is not None:
                sums[row.scorer, place, row.system].add(row.cluster, result, rule)
    found = tuple(
        _reliability(columns[number][place], system, sums[number, place, system], k)
        for number, place, system in sorted(sums)
    )
    left_out = [
        f"{column.criterion} · {column.scorer}" if column.rubric else column.criterion
        for number, group in columns.items()
        for place, column in enumerate(group)
        if (number, place) not in rules
    ]
    return Trials(found, sum(number is None for number in numbers.values()), tuple(left_out))


def _note_trial(
    row: OutcomeRow, numbers: Mapping[str, str | None], seen: dict[tuple[str, str, str], str]
) -> None:
    trial = numbers.get(row.dialogue)
    if trial is None:
        return
    other = seen.setdefault((row.cluster, row.system, trial), row.dialogue)
    if other != row.dialogue:
        raise InputError(
            f"dialogues {other!r} and {row.dialogue!r} are both trial {trial} of {row.cluster!r}",
            fix="Give trials of one task different metadata.trial, and systems different metadata.system.",
        )


def _reliability(column: Column, system: str, sums: _Sums, k: int | None) -> Reliability:
    tasks = list(sums.tasks.values())
    most = max((task.scored for task in tasks), default=0)
    wanted = range(1, (min(most, MOST_TRIALS) if k is None else k) + 1)
    return Reliability(
        column,
        system,
        len(tasks),
        sum(task.scored for task in tasks),
        _ranked(sums.failed),
        _ranked(sums.skipped),
        tuple(sorted(Counter(task.scored for task in tasks).items())),
        tuple(_at(tasks, number) for number in wanted),
    )


def _at(tasks: Sequence[_Task], k: int) -> AtK:
    passed, scored = [task.passed for task in tasks], [task.scored for task in tasks]
    return AtK(
        k,
        pass_k(passed, scored, k),
        pass_k(passed, scored, k, anyone=True),
        sum(count < k for count in scored),
        _bounds(tasks, k),
    )


def _bounds(tasks: Sequence[_Task], k: int) -> tuple[float, float] | None:
    if not any(task.missing for task in tasks):
        return None
    made = [task.scored + task.missing for task in tasks]
    worst = pass_k([task.passed for task in tasks], made, k)
    best = pass_k([task.passed + task.missing for task in tasks], made, k)
    return None if worst.value is None or best.value is None else (worst.value, best.value)


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
