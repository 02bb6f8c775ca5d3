"""How often an audit is right: simulated judges with a planted effect, seeded; prints the table of docs/audit.md."""

from __future__ import annotations

import numpy as np

from evalharness.audit.effects import Judged, effect_of
from evalharness.audit.probes import BY_NAME
from evalharness.audit.types import Finding
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column, Score

COLUMN = Column("j", "c", Unit.TURN, "", "r", low=1.0, high=5.0, higher_is_better=True)
RUNS = 1000
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


def items(rng: np.random.Generator, probe: str, shift: float, groups: int, noise: float) -> list[Judged]:
    level = rng.normal(3.0, 0.7, groups)
    first, second = level + rng.normal(0, noise, groups), level + shift + rng.normal(0, noise, groups)
    return [
        Judged(f"g{i}", [Score(float(first[i]))], {probe: [Score(float(second[i]))]}) for i in range(groups)
    ]


def main() -> None:
    print("| judge | dialogues | effect in its interval | flagged | ok | unclear |")
    print("|---|---|---|---|---|---|")
    for name, probe, shift in CASES:
        for groups in (20, 40, 100):
            rng = np.random.default_rng(20261127)
            found = [
                effect_of(BY_NAME[probe], COLUMN, 0, items(rng, probe, shift, groups, 0.4), 0.05)
                for _ in range(RUNS)
            ]
            held = np.mean([(e.shift.low or 0) <= shift <= (e.shift.high or 0) for e in found])
            shares = [
                np.mean([e.finding is kind for e in found])
                for kind in (Finding.FLAGGED, Finding.OK, Finding.UNCLEAR)
            ]
            cells = " | ".join(f"{100 * share:.1f} %" for share in (held, *shares))
            print(f"| {name} | {groups} | {cells} |")


if __name__ == "__main__":
    main()
