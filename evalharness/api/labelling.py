"""`label`: from a run to offline pages in which people label a sample of its items."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.api.analysing import planned_columns
from evalharness.api.folder import RunFolder, open_run
from evalharness.core.dialogue import Item, TurnChoice, Unit
from evalharness.core.rubric import Rubric
from evalharness.core.scores import OVERALL, Column, Result, Score
from evalharness.data.files import write_text
from evalharness.data.item_sampling import draw_at_random, draw_by_stratum, draw_by_weight
from evalharness.data.ledger.store import Ledger
from evalharness.data.rubrics import load_rubric
from evalharness.engine.plan import items_of
from evalharness.errors import InputError, UsageError
from evalharness.report.labelling import Sampled, label_page

RANDOM, DISAGREEMENT, UNCERTAINTY = "random", "disagreement", "uncertainty"
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class LabelJob:
    """Everything that `evalharness label` can be told.

    ``by`` is ``random``, ``disagreement``, ``uncertainty`` or ``metadata.KEY``. With ``raters`` each gets a page: items
    are split between them, apart from ``overlap`` ones that all of them get.
    """

    run: Path
    rubric: str = ""
    size: int = 50
    by: str = RANDOM
    seed: int = 0
    raters: tuple[str, ...] = ()
    overlap: int = 0
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class LabelPages:
    """What was written: the pages with the number of items on each, and how many items there are in all."""

    pages: tuple[tuple[Path, int], ...]
    population: int
    rubric: str


@dataclass(slots=True)
class _Pool:
    """The items of a run by name, and what a judge said about them."""

    items: dict[str, Item] = field(default_factory=dict)
    scores: dict[str, list[tuple[Column, Result]]] = field(default_factory=dict)


def make_label_pages(job: LabelJob) -> LabelPages:
    """Draw the sample and write one page per rater (or one for whoever opens it) into the run folder.

    Raises ``UsageError`` for a run that is none, an unknown rubric or more raters than items; ``InputError`` where a
    way of drawing has nothing to go by.
    """
    with open_run(job.run) as (folder, ledger):
        rubric = _rubric(job, planned_columns(ledger).values())
        pool = _pool(ledger, rubric)
    if not pool.items:
        raise InputError("the run has nothing to label", fix="Choose a rubric whose unit fits its dialogues.")
    drawn = _draw(job, rubric, pool)
    names = sorted(drawn, key=lambda name: (pool.items[name].dialogue.id, pool.items[name].turn or 0))
    sample = {name: Sampled(pool.items[name], drawn[name]) for name in names}
    pages = []
    for rater, own in _shares(job, list(drawn)):
        path = _target(job, folder, rater)
        write_text(path, label_page(rubric, [sample[name] for name in names if name in own], rater))
        pages.append((path, len(own)))
    return LabelPages(tuple(pages), len(pool.items), rubric.name)


def _rubric(job: LabelJob, columns: Iterable[tuple[Column, ...]]) -> Rubric:
    names = list(dict.fromkeys(c.rubric for group in columns for c in group if c.rubric))
    name = job.rubric or (names[0] if len(names) == 1 else "")
    if not name:
        said = f"the run has {len(names)} rubrics" if names else "the run was not judged by a rubric"
        raise UsageError(said, fix="Say which questions to ask: --rubric NAME or a file.")
    rubric = load_rubric(name)
    if rubric.unit is Unit.PAIR:
        raise UsageError(f"{rubric.name} compares pairs", fix="Label with a rubric of turns or dialogues.")
    return rubric


def _pool(ledger: Ledger, rubric: Rubric) -> _Pool:
    stored = ledger.get("turns")
    turns = TurnChoice(stored) if isinstance(stored, str) else TurnChoice.ALL
    pool = _Pool()
    for one in ledger.sorted_dialogues():
        for item in items_of(one.load(), rubric.unit, turns):
            pool.items[_name(item.dialogue.id, item.turn)] = item
    columns = ledger.scorers()
    for row in ledger.outcomes():
        said = zip(columns[row.scorer], row.results, strict=True)
        judged = [
            (column, result) for column, result in said if column.judged and column.criterion != OVERALL
        ]
        pool.scores.setdefault(_name(row.dialogue, row.turn), []).extend(judged)
    return pool


def _name(dialogue: str, turn: int | None) -> str:
    return f"{dialogue}\0{'' if turn is None else turn}"


def _draw(job: LabelJob, rubric: Rubric, pool: _Pool) -> dict[str, float]:
    names = list(pool.items)
    if job.by == RANDOM:
        return draw_at_random(names, job.size, job.seed)
    if job.by.startswith("metadata."):
        key = job.by.removeprefix("metadata.")
        strata = {name: str(item.dialogue.metadata.get(key, "")) for name, item in pool.items.items()}
        if set(strata.values()) == {""}:
            raise InputError(f"no dialogue has metadata {key!r}", fix="Name a metadata key of the dialogues.")
        return draw_by_stratum(strata, job.size, job.seed)
    if job.by not in (DISAGREEMENT, UNCERTAINTY):
        raise UsageError(
            f"--by {job.by!r} is no way to draw",
            fix="Write random, disagreement, uncertainty or metadata.KEY.",
        )
    measure = _disagreement if job.by == DISAGREEMENT else _uncertainty
    weights = {name: measure(pool.scores.get(name, []), rubric) for name in names}
    if not any(weights.values()):
        needed = (
            "two judges that differ" if job.by == DISAGREEMENT else "a judge with probabilities or samples"
        )
        raise InputError(f"nothing in the run shows {job.by}", fix=f"It takes {needed}; or use --by random.")
    return draw_by_weight(weights, job.size, job.seed)


def _disagreement(scores: Sequence[tuple[Column, Result]], rubric: Rubric) -> float:
    """The mean over criteria of how far the judges' values lie apart, as a share of the scale."""
    gaps = []
    for criterion in rubric.criteria:
        values = [v for c, r in scores if c.criterion == criterion.id and (v := _share(c, r)) is not None]
        if len(values) > 1:
            gaps.append(max(values) - min(values))
    return math.fsum(gaps) / len(gaps) if gaps else 0.0


def _uncertainty(scores: Sequence[tuple[Column, Result]], _rubric: Rubric) -> float:
    """The mean doubt of single judgements: entropy of the levels, or the spread of the samples."""
    doubts = [_doubt(column, result) for column, result in scores if isinstance(result, Score)]
    return math.fsum(doubts) / len(doubts) if doubts else 0.0


def _doubt(column: Column, result: Score) -> float:
    if result.probabilities:
        chances = [p for p in result.probabilities.values() if p > 0]
        return -math.fsum(p * math.log(p) for p in chances) / math.log(max(2, len(result.probabilities)))
    values = (
        [v for s in result.samples if (v := _share(column, Score(s))) is not None] if result.samples else []
    )
    return max(values) - min(values) if len(values) > 1 else 0.0


def _share(column: Column, result: Result) -> float | None:
    """A value as a share of its scale; the label itself can't be placed on one."""
    if not isinstance(result, Score) or isinstance(result.value, str):
        return None
    if column.low is None or column.high is None or column.high <= column.low:
        return float(result.value)
    return (float(result.value) - column.low) / (column.high - column.low)


def _shares(job: LabelJob, drawn: Sequence[str]) -> list[tuple[str, set[str]]]:
    """The items of each rater: the overlap for all, the rest dealt out in turn (they stand in random order)."""
    if not job.raters:
        return [("", set(drawn))]
    common, rest = set(drawn[: job.overlap]), drawn[job.overlap :]
    count = len(job.raters)
    if count > len(drawn):
        raise UsageError(f"{count} raters and {len(drawn)} items", fix="Raise --size, or name fewer raters.")
    return [(rater, common | set(rest[place::count])) for place, rater in enumerate(job.raters)]


def _target(job: LabelJob, folder: RunFolder, rater: str) -> Path:
    if job.out is not None and not rater:
        return job.out
    place = folder.path if job.out is None else job.out
    plain = _PLAIN.sub("-", rater).strip("-")
    return place / (f"label-{plain or 'rater'}.html" if rater else "label.html")


def page_of(run: Path, name: str) -> Path:
    """A page of a run folder by what it is called: ``report``, ``agree``, ``diff``, ``label``."""
    folder = RunFolder(run)
    if not folder.ledger.exists():
        raise UsageError(
            f"{run} is no run folder (it has no run.sqlite)", fix="Name a folder that `score` wrote."
        )
    path = folder.path / f"{name}.html"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in folder.path.glob("*.html"))) or "none"
        raise UsageError(f"{run} has no {name}.html", fix=f"Pages there: {there}.")
    return path
