"""Simulated coverage of what is not a figure of judge and rater on one sample: calibration, pairs, gates, promises.

Called by `coverage.py`. Every simulation draws a data set of a given number of dialogues (scenarios, tasks) and says of
each interval whether it holds the truth, which comes from a closed form or a very large sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from coverage_calibration import calibration, conformal, fitting
from coverage_kinds import LOOKS, Found
from coverage_pairs import changes, pairwise, trials
from coverage_promises import annotators, cascade, sequences
from simulated import SEED

Simulation = Callable[[np.random.Generator, int], Found]


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, what the columns count, their sizes, and what is simulated for each."""

    heading: str
    unit: str
    sizes: tuple[int, ...]
    simulate: Simulation
    share: float = 1.0
    """How many of the wanted replications are made: less where each takes long."""


def wider_tables(replications: int) -> Iterator[str]:
    for table in TABLES:
        yield from _lines(table, max(20, int(replications * table.share)))


def _lines(table: Table, replications: int) -> Iterator[str]:
    yield table.heading
    yield ""
    yield f"| figure | {' | '.join(f'{size} {table.unit}' for size in table.sizes)} |"
    yield "|---|" + "---|" * len(table.sizes)
    cells: dict[str, list[str]] = {}
    for place, size in enumerate(table.sizes):
        rng = np.random.default_rng(SEED + 10)
        found = [table.simulate(rng, size) for _ in range(replications)]
        for name in found[0]:
            share = float(np.mean([one[name] for one in found]))
            cells.setdefault(name, [""] * len(table.sizes))[place] = f"{share:.3f}"
    for name, row in cells.items():
        yield f"| {name} | " + " | ".join(row) + " |"
    yield ""


TABLES = (
    Table(
        "Coverage of calibration figures, 4 turns in a dialogue.",
        "dialogues",
        (10, 25, 100),
        calibration,
        0.5,
    ),
    Table(
        "What the 90 % range of a new rating held in dialogues that calibrated nothing, the judge's errors being alike "
        "within a dialogue.",
        "dialogues",
        (12, 25, 50, 150),
        conformal,
    ),
    Table(
        "Coverage of what `fit` states of itself, against the fit of all labels on fresh dialogues.",
        "dialogues",
        (15, 30, 90),
        fitting,
        0.5,
    ),
    Table(
        "Coverage of figures of pairs: four systems, both orders, quality that depends on the scenario.",
        "scenarios",
        (10, 30, 100),
        pairwise,
    ),
    Table("Coverage of figures of trials, five of each task.", "tasks", (8, 20, 60, 200), trials),
    Table("Coverage of changes between two runs, 4 turns in a dialogue.", "dialogues", (8, 20, 60), changes),
    Table(
        "How often the alternative annotator test errs where every annotator is better than the judge by exactly the "
        "price (epsilon .2; at most .05 are wanted), the judge's errors being alike within a dialogue of 6 turns; and "
        "how often it passes a judge that errs like the raters.",
        "dialogues",
        (10, 20, 60),
        annotators,
    ),
    Table(
        "How often the threshold of a cascade breaks its promise (risk .1; at most .05 are wanted), 4 turns in a "
        "dialogue.",
        "dialogues",
        (40, 100, 300),
        cascade,
    ),
    Table(
        "How often a confidence sequence ever leaves the true mean while it is watched (at most .05 are wanted).",
        "looks",
        (LOOKS,),
        sequences,
    ),
)
