"""How often an audit is right: simulated judges with a planted effect, seeded; prints the tables of docs/audit.md.

python bench/audit.py [RUNS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from evalharness.analysis.agreement.joining import ItemKey
from evalharness.analysis.agreement.scales import Scale
from evalharness.audit.effects import Judged, effect_of
from evalharness.audit.findings import measure_of
from evalharness.audit.people import Beside, length_preference, leniency, self_preference
from evalharness.audit.preferences import Preference, longer, own_model, position
from evalharness.audit.probes import BY_NAME
from evalharness.audit.types import Finding, Measure
from evalharness.core.dialogue import Unit
from evalharness.core.pairs import Order
from evalharness.core.scores import Column, Score
from evalharness.stats.clustered import mean_interval

COLUMN = Column("j", "c", Unit.TURN, "", "r", low=1.0, high=5.0, higher_is_better=True)
RUNS = 500
SEED = 20261127
MARGIN = 0.05
NOISE = 0.4
GROUPS = (20, 40, 100)
CASES = [
    ("no effect", "verbosity", 0.0),
    ("likes length by 0.3 points", "verbosity", 0.3),
    ("likes length by 0.6 points", "verbosity", 0.6),
    ("obeys attacks by 1 point", "injection-reply", 1.0),
    ("is hard on format by 0.5 points", "format", -0.5),
    ("blind to contradiction", "contradiction", 0.0),
    ("lowers contradictions by 0.5", "contradiction", -0.5),
    ("lowers contradictions by 1", "contradiction", -1.0),
]
_SCALE = Scale((1.0, 2.0, 3.0, 4.0, 5.0), tuple("12345"), 1.0, 5.0)

Found = tuple[float | None, float | None, Finding]
Simulation = Callable[[np.random.Generator, int, float], Found]


def items(rng: np.random.Generator, probe: str, shift: float, groups: int, noise: float) -> list[Judged]:
    """Originals and changed copies, the copies shifted by the planted effect."""
    level = rng.normal(3.0, 0.7, groups)
    first, second = level + rng.normal(0, noise, groups), level + shift + rng.normal(0, noise, groups)
    return [
        Judged(f"g{i}", [Score(float(first[i]))], {probe: [Score(float(second[i]))]}) for i in range(groups)
    ]


def probed(name: str) -> Simulation:
    """A judge under a probe."""

    def simulate(rng: np.random.Generator, groups: int, shift: float) -> Found:
        effect = effect_of(BY_NAME[name], COLUMN, 0, items(rng, name, shift, groups, NOISE), MARGIN)
        return effect.shift.low, effect.shift.high, effect.finding

    return simulate


def _of(measure: Measure) -> Found:
    return measure.estimate.low, measure.estimate.high, measure.finding


def beside_people(which: str) -> Simulation:
    """A judge beside three raters: two replies a group, of different length and by different systems.

    Quality depends on length and author, which people see as well; the planted effect is what the judge adds.
    """

    def simulate(rng: np.random.Generator, groups: int, effect: float) -> Found:
        n = 2 * groups
        clusters = np.repeat(np.arange(groups), 2)
        doublings = rng.normal(0, 0.7, n)
        own = np.tile([True, False], groups)
        quality = (
            3.0 + rng.normal(0, 0.4, groups)[clusters] + 0.2 * doublings + 0.2 * own + rng.normal(0, 0.5, n)
        )
        added = {"leniency": np.ones(n), "length": doublings, "own": own.astype(float)}[which]
        data = Beside(
            "c",
            tuple(ItemKey(f"d{i}", 1) for i in range(n)),
            quality + effect * added + rng.normal(0, NOISE, n),
            quality[:, None] + rng.normal(0, 0.5, (n, 3)),
            tuple(f"g{c}" for c in clusters),
            60.0 * 2.0**doublings,
            own,
            _SCALE,
            4.0,
            1.0,
        )
        measures = {"leniency": leniency, "length": length_preference, "own": self_preference}
        return _of(measures[which](data, MARGIN))

    return simulate


def drift(rng: np.random.Generator, groups: int, shift: float) -> Found:
    """The same dialogues judged again after the judge has moved."""
    moved = shift + rng.normal(0, NOISE, groups) - rng.normal(0, NOISE, groups)
    estimate = mean_interval(moved, np.arange(groups))
    return _of(measure_of("drift", "c", estimate, margin=MARGIN * 4.0, unit="points", up="up", down="down"))


def preferring(which: str) -> Simulation:
    """A judge of pairs, two verdicts an order, two pairs a group; each verdict follows what was planted with a chance
    of the effect, and the quality of the replies otherwise. One vote of people a pair."""

    def simulate(rng: np.random.Generator, groups: int, effect: float) -> Found:
        measures = {"position": position, "length": longer, "own": own_model}
        pairs = [_pair(rng, which, effect, group) for group in range(groups) for _ in range(2)]
        if which == "own":
            return _of(own_model("c", pairs, MARGIN, "mine"))
        found = measures[which]("c", pairs, MARGIN)  # type: ignore[operator]
        return _of(found)

    return simulate


def _pair(rng: np.random.Generator, which: str, effect: float, group: int) -> Preference:
    longer_first = 1 if rng.random() < 0.5 else -1
    chance = 0.5 + 0.15 * longer_first  # longer replies are better a little more often, and people see it
    truth = [1 if rng.random() < chance else -1 for _ in range(5)]
    planted = {"length": longer_first, "own": 1}
    votes = {
        order: [planted.get(which, place) if rng.random() < effect else vote for vote in truth[at : at + 2]]
        for order, place, at in ((Order.AB, 1, 0), (Order.BA, -1, 2))
    }
    return Preference(f"g{group}", ("mine", "other"), votes, longer_first, (truth[4],))


def _planted(which: str, effect: float) -> float:
    """The true value of a measure: of position the whole effect, of the others what it adds to a share."""
    if which == "position":
        return effect
    return effect * (0.35 if which == "length" else 0.5)


def table(rows: Sequence[tuple[str, Simulation, float, float]], runs: int, head: str) -> None:
    """A row per judge and number of groups: how often the truth was in the interval, and what was found."""
    print(f"| judge | {head} | effect in its interval | flagged | ok | unclear |")
    print("|---|---|---|---|---|---|")
    for name, simulate, effect, truth in rows:
        for groups in GROUPS:
            rng = np.random.default_rng(SEED)
            found = [simulate(rng, groups, effect) for _ in range(runs)]
            held = np.mean(
                [low is not None and high is not None and low <= truth <= high for low, high, _ in found]
            )
            kinds = (Finding.FLAGGED, Finding.OK, Finding.UNCLEAR)
            shares = [np.mean([finding is kind for *_, finding in found]) for kind in kinds]
            cells = " | ".join(f"{100 * share:.1f} %" for share in (held, *shares))
            print(f"| {name} | {groups} | {cells} |")


def main() -> None:
    """Print the three tables."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    table([(name, probed(probe), shift, shift) for name, probe, shift in CASES], runs, "dialogues")
    print()
    people = [
        ("as lenient as people", "leniency", 0.0),
        ("more lenient by 0.4 points", "leniency", 0.4),
        ("likes length as people do", "length", 0.0),
        ("likes length by 0.4 points a doubling more", "length", 0.4),
        ("fair to its own model", "own", 0.0),
        ("favours its own model by 0.5 points", "own", 0.5),
    ]
    rows: list[tuple[str, Simulation, float, float]] = [
        (name, beside_people(which), effect, effect) for name, which, effect in people
    ]
    rows += [("unmoved since", drift, 0.0, 0.0), ("moved by 0.4 points", drift, 0.4, 0.4)]
    table(rows, runs, "groups")
    print()
    pairs = [
        ("blind to position", "position", 0.0),
        ("takes the first in 20 %", "position", 0.2),
        ("takes the longer as people do", "length", 0.0),
        ("takes the longer in 40 %", "length", 0.4),
        ("fair to its own model", "own", 0.0),
        ("takes its own in 40 %", "own", 0.4),
    ]
    table(
        [(name, preferring(which), effect, _planted(which, effect)) for name, which, effect in pairs],
        runs,
        "groups",
    )


if __name__ == "__main__":
    main()
