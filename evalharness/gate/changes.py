"""What changed between two runs: differences per column, and the items that moved most, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Snapshot
from evalharness.gate.compare import measure
from evalharness.gate.confirming import pass_rule
from evalharness.gate.pairing import Unit
from evalharness.gate.same import changed_parts
from evalharness.gate.types import Difference, Unpaired
from evalharness.stats.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Place:
    """An item of one of the runs; ``turn`` is None for a whole dialogue."""

    dialogue: str
    turn: int | None


@dataclass(frozen=True, slots=True)
class Mover:
    """A pair of items whose scores differ. ``change`` is in units of the scale, positive where the run is better.

    ``crossed`` is ``failing`` or ``passing`` where the pass mark was crossed, else empty.
    """

    column: Column
    group: str
    reply: int | None
    before: Place
    after: Place
    old: float
    new: float
    change: float
    crossed: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One column in both runs. ``instrument`` says how its signature changed: then the scores don't compare."""

    column: Column
    instrument: str
    old: Estimate
    new: Estimate
    difference: Difference
    unpaired: Unpaired
    better: int
    worse: int
    newly_failing: int
    newly_passing: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that the diff states. ``movers`` come worst first, and are at most as many as asked for."""

    old: str
    new: str
    deltas: tuple[Delta, ...]
    movers: tuple[Mover, ...]
    moved: int
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def changes(old: Snapshot, new: Snapshot, *, pair_by: str = "group", most: int = 40) -> Changes:
    """Compare every ordered column that both runs have; ``most`` movers are kept, half of them improvements."""
    policy = Policy(pair_by=pair_by)
    deltas: list[Delta] = []
    movers: list[Mover] = []
    for series in new.series:
        first = old.find(series.key)
        if first is None or series.column.nominal or series.column.higher_is_better is None:
            continue
        measured = measure(old, first, new, series, policy, same=False)
        own = list(_movers(measured.pairing.units, series.column, old, new))
        movers += own
        deltas.append(
            Delta(
                column=series.column,
                instrument=changed_parts(first.column.signature, series.column.signature),
                old=measured.baseline_mean,
                new=measured.run_mean,
                difference=measured.difference,
                unpaired=measured.pairing.unpaired,
                better=sum(mover.change > 0 for mover in own),
                worse=sum(mover.change < 0 for mover in own),
                newly_failing=sum(mover.crossed == "failing" for mover in own),
                newly_passing=sum(mover.crossed == "passing" for mover in own),
            )
        )
    return Changes(
        old=old.name,
        new=new.name,
        deltas=tuple(deltas),
        movers=_most(movers, most),
        moved=len(movers),
        only_old=tuple(_names(old, new)),
        only_new=tuple(_names(new, old)),
    )


def _names(here: Snapshot, there: Snapshot) -> Iterator[str]:
    """The columns that only one of the runs has."""
    for series in here.series:
        if there.find(series.key) is None:
            scorer, rubric, criterion = series.key
            yield f"{criterion} ({scorer} on {rubric})" if rubric else criterion


def _movers(units: Sequence[Unit], column: Column, old: Snapshot, new: Snapshot) -> Iterator[Mover]:
    sign = -1.0 if column.higher_is_better is False else 1.0
    rule = pass_rule(column)
    for unit in units:
        if unit.baseline is None or unit.run is None or unit.baseline == unit.run:
            continue
        crossed = ""
        if rule is not None and rule(unit.baseline) != rule(unit.run):
            crossed = "passing" if rule(unit.run) else "failing"
        yield Mover(
            column=column,
            group=unit.group,
            reply=unit.reply,
            before=_place(unit.baseline_marks, unit.baseline, old),
            after=_place(unit.run_marks, unit.run, new),
            old=unit.baseline,
            new=unit.run,
            change=sign * (unit.run - unit.baseline),
            crossed=crossed,
        )


def _place(marks: Sequence[Mark], value: float, snapshot: Snapshot) -> Place:
    """The item nearest to the unit's value: the one, or the most typical of several trials."""
    scored = [mark for mark in marks if mark.value is not None]
    mark = min(scored, key=lambda m: abs((m.value or 0.0) - value))
    return Place(snapshot.subjects[mark.subject].id, mark.turn)


def _most(movers: Sequence[Mover], most: int) -> tuple[Mover, ...]:
    """Half the worst and half the best (or more of one, where the other has fewer), as shares of their scales."""
    ordered = sorted(movers, key=lambda m: (_share(m), m.column.criterion, m.group, m.reply or 0))
    worse = [mover for mover in ordered if mover.change < 0]
    better = [mover for mover in ordered if mover.change > 0]
    kept = max(most // 2, most - len(better))
    worst = worse[:kept]
    left = most - len(worst)
    return (*worst, *(better[len(better) - left :] if left < len(better) else better))


def _share(mover: Mover) -> float:
    low, high = mover.column.low, mover.column.high
    return (
        mover.change / (high - low) if low is not None and high is not None and high > low else mover.change
    )
