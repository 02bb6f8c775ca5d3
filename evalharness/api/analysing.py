"""From a ledger to its Analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalharness.analysis.build import analyse
from evalharness.analysis.slices import FacetCounts, Facets, facets_of
from evalharness.analysis.types import Analysis, RunFacts
from evalharness.api.redacting import counts_of
from evalharness.core.calibration import CalibrationCurve, curve_from_json, match_curves
from evalharness.core.dialogue import TurnChoice, Unit, system_of
from evalharness.core.metric import CorpusMetric, Metric
from evalharness.core.scores import Column
from evalharness.data.ledger.damage import damaged
from evalharness.data.ledger.store import Ledger, OutcomeRow, StoredDialogue
from evalharness.report.html.joining import Joined, join


@dataclass(frozen=True, slots=True)
class Census:
    """What the ledger holds: dialogues, turns to score, groups, systems under test, and metadata keys that slice."""

    dialogues: int
    turns: int
    groups: int
    systems: tuple[str, ...]
    facets: tuple[str, ...] = ()


def take_census(ledger: Ledger, turns: TurnChoice) -> Census:
    """Count what there is to score."""
    dialogues = 0
    systems: set[str] = set()
    facets = FacetCounts()
    for metadata in ledger.metadata():
        dialogues += 1
        systems.add(system_of(metadata))
        facets.add(metadata)
    return Census(
        dialogues,
        ledger.turn_count(turns),
        ledger.group_count(),
        tuple(sorted(systems - {""})),
        facets.keys(),
    )


Slicer = Callable[[StoredDialogue], Facets]
"""In which slices the outcomes of a dialogue lie."""


def slicer(keys: Sequence[str]) -> Slicer:
    """The slices of a dialogue by these metadata keys."""
    wanted = frozenset(keys)

    def slices(stored: StoredDialogue) -> Facets:
        found = facets_of(stored.metadata())
        return tuple(facet for facet in found if facet[0] in wanted)

    return slices


class Told:
    """The outcomes of a run as :func:`analyse` wants them, from dialogues that are joined with theirs.

    ``facets`` are the slices of the dialogue that the last outcome belongs to. ``also`` is shown every dialogue: what
    else is made in the same pass.
    """

    def __init__(
        self, joined: Iterable[Joined], slices: Slicer | None, also: Callable[[Joined], None]
    ) -> None:
        self._joined = joined
        self._slices = slices
        self._also = also
        self._own: Facets = ()

    def __iter__(self) -> Iterator[OutcomeRow]:
        for one in self._joined:
            self._also(one)
            if self._slices is not None and one.rows:
                self._own = self._slices(one.stored)
            yield from one.rows

    def facets(self, _row: OutcomeRow) -> Facets:
        """The slices of the outcome that came last."""
        return self._own


def _ignored(_joined: Joined) -> None:
    """Nothing else is made in the pass."""


def analyse_ledger(
    ledger: Ledger,
    metrics: Iterable[Metric] = (),
    *,
    partial: str | None = None,
    also: Callable[[Joined], None] = _ignored,
) -> Analysis:
    """The Analysis of everything in the ledger that the run's plan names; ``also`` is shown every dialogue on the way,
    in the order of reports."""
    columns = planned_columns(ledger)
    turns = TurnChoice(_text(ledger.get("turns"), TurnChoice.ALL.value))
    census = take_census(ledger, turns)
    ingested = ledger.get("ingested")
    facts = ingested if isinstance(ingested, dict) else {}
    run = RunFacts(
        dialogues=census.dialogues,
        turns=census.turns,
        groups=census.groups,
        systems=census.systems,
        sources=_strings(facts.get("sources")),
        rejected=_number(facts.get("rejected")),
        notes=_notes(facts.get("notes")),
        partial=partial,
        toy_judges=_strings(ledger.get("toy_judges")),
        masked=counts_of(ledger),
    )
    items = {
        number: census.dialogues if group[0].unit is Unit.DIALOGUE else census.turns
        for number, group in columns.items()
    }
    corpus = [metric for metric in metrics if isinstance(metric, CorpusMetric)]
    joined = join(ledger.sorted_dialogues(), ledger.outcomes(columns))
    told = Told(joined, slicer(census.facets) if census.facets else None, also)
    facets = told.facets if census.facets else None
    return analyse(run, columns, told, items, corpus, stored_curves(ledger), facets)


def planned_columns(ledger: Ledger) -> Mapping[int, tuple[Column, ...]]:
    """The columns of the scorers that the run's plan names, in its order."""
    stored = ledger.scorers()
    planned = ledger.get("scorer_numbers")
    if not isinstance(planned, list):
        return stored
    numbers = [int(str(number)) for number in planned]
    lost = [number for number in numbers if number not in stored]
    if lost:
        raise damaged(ledger.path, f"scorer number {lost[0]} is not in it")
    return {number: stored[number] for number in numbers}


def stored_curves(ledger: Ledger) -> Mapping[Column, CalibrationCurve]:
    """The calibrations that the run was scored with, by column."""
    stored = ledger.get("calibration")
    if not isinstance(stored, list):
        return {}
    columns = [column for group in planned_columns(ledger).values() for column in group]
    return match_curves([curve_from_json(row) for row in stored], columns).curves


def _text(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


def _notes(value: object) -> tuple[tuple[str, int], ...]:
    return tuple((str(note), int(count)) for note, count in value) if isinstance(value, list) else ()
