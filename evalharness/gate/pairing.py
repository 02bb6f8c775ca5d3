"""Which results of two runs belong together.

Dialogues are paired by scenario (group, id or a metadata value), and within it by reply number. Where both runs
have the same dialogue ids in a scenario, each dialogue is paired with itself; otherwise the dialogues of a
scenario are repeated trials and are averaged: more trials make a unit more precise, never more units. Where the
trials differ in their reply numbers there is one unit for the scenario, the mean of its dialogue means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from evalharness.core.snapshot import Mark, Series, Snapshot, Subject
from evalharness.gate.types import Unpaired

Replies: TypeAlias = Mapping[int | None, Mark]
"""The marks of one dialogue, by reply number."""

Dialogues: TypeAlias = Mapping[str, Replies]
"""The dialogues of one scenario in one run, by id."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is compared: the marks of a scenario (and reply) in both runs, and the value on each side (None: none)."""

    group: str
    reply: int | None
    baseline_marks: tuple[Mark, ...]
    run_marks: tuple[Mark, ...]
    baseline: float | None
    run: float | None

    @property
    def is_paired(self) -> bool:
        """Whether there is a value on both sides."""
        return self.baseline is not None and self.run is not None


@dataclass(frozen=True, slots=True)
class Pairing:
    """The units of a column, those that could not be paired counted, and the scenarios compared by dialogue means."""

    units: tuple[Unit, ...]
    loose: tuple[Unit, ...]
    unpaired: Unpaired
    by_means: int

    @property
    def baseline_lost(self) -> float:
        """Share of the baseline's scored units that the run has nothing to set against."""
        known = sum(unit.baseline is not None for unit in (*self.units, *self.loose))
        lost = sum(unit.baseline is not None for unit in self.loose)
        return lost / known if known else 0.0


def pair(baseline: Snapshot, first: Series, run: Snapshot, second: Series, pair_by: str) -> Pairing:
    """Pair one column of two runs; units come in the order of scenario and reply."""
    old, new = _scenarios(baseline, first, pair_by), _scenarios(run, second, pair_by)
    units: list[Unit] = []
    loose: list[Unit] = []
    by_means = 0
    counts = dict.fromkeys(
        ("only_baseline", "only_run", "no_verdict_baseline", "no_verdict_run", "skipped"), 0
    )
    for name in sorted({*old, *new}):
        before, after = old.get(name, {}), new.get(name, {})
        for unit, averaged in _units(name, before, after):
            by_means += averaged
            if unit.is_paired:
                units.append(unit)
            elif not _is_all_skipped(unit):
                counts[_why_loose(unit)] += 1
                loose.append(unit)
    return Pairing(tuple(units), tuple(loose), Unpaired(**counts), by_means)


def identical(baseline: Snapshot, run: Snapshot) -> bool:
    """Whether both runs hold the same dialogues with the same outcomes: nothing to infer, nothing changed."""
    return _content(baseline) == _content(run)


def _content(snapshot: Snapshot) -> object:
    subjects = snapshot.subjects
    rows = {
        (series.key, subjects[mark.subject].id, mark.turn): (mark.value, mark.status, mark.samples)
        for series in snapshot.series
        for mark in series.marks
    }
    return {subject.id: (subject.group, subject.content) for subject in subjects}, rows


def _scenarios(
    snapshot: Snapshot, series: Series, pair_by: str
) -> dict[str, dict[str, dict[int | None, Mark]]]:
    found: dict[str, dict[str, dict[int | None, Mark]]] = {}
    for mark in series.marks:
        subject: Subject = snapshot.subjects[mark.subject]
        name = subject.key(pair_by)
        key = subject.id if name is None else name
        found.setdefault(key, {}).setdefault(subject.id, {})[mark.reply] = mark
    return found


def _units(group: str, before: Dialogues, after: Dialogues) -> Iterator[tuple[Unit, bool]]:
    if before.keys() == after.keys():
        for name in sorted(before):
            yield from _matched(group, [before[name]], [after[name]])
    else:
        yield from _matched(group, [before[n] for n in sorted(before)], [after[n] for n in sorted(after)])


def _matched(group: str, before: Sequence[Replies], after: Sequence[Replies]) -> Iterator[tuple[Unit, bool]]:
    """Units by reply number where all dialogues have the same ones; else one unit of dialogue means."""
    replies = {frozenset(dialogue) for dialogue in (*before, *after)}
    if len(replies) == 1:
        for reply in sorted(next(iter(replies)), key=lambda n: n or 0):
            old, new = tuple(d[reply] for d in before), tuple(d[reply] for d in after)
            yield (
                Unit(group, reply, old, new, _mean(m.value for m in old), _mean(m.value for m in new)),
                False,
            )
        return
    old_marks = tuple(mark for dialogue in before for mark in dialogue.values())
    new_marks = tuple(mark for dialogue in after for mark in dialogue.values())
    paired = bool(before) and bool(after)
    yield Unit(group, None, old_marks, new_marks, _mean_of_means(before), _mean_of_means(after)), paired


def _mean_of_means(dialogues: Iterable[Replies]) -> float | None:
    return _mean(_mean(mark.value for mark in replies.values()) for replies in dialogues)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _is_all_skipped(unit: Unit) -> bool:
    return all(mark.status == "skipped" for mark in (*unit.baseline_marks, *unit.run_marks))


def _why_loose(unit: Unit) -> str:
    if not unit.run_marks:
        return "only_baseline"
    if not unit.baseline_marks:
        return "only_run"
    if unit.run is None and any(mark.status == "failed" for mark in unit.run_marks):
        return "no_verdict_run"
    if unit.baseline is None and any(mark.status == "failed" for mark in unit.baseline_marks):
        return "no_verdict_baseline"
    return "skipped"
