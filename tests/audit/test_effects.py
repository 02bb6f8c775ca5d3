"""Planted effects are recovered at the nominal rate, and a judge without one is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from evalharness.audit.effects import Judged, effect_of, spread_of, stability_of
from evalharness.audit.probes import BY_NAME
from evalharness.audit.types import Finding
from evalharness.core.dialogue import Unit
from evalharness.core.scores import OVERALL, Cause, Column, Failure, Score, Skip, SkipReason
from evalharness.stats.rates import wilson_clustered

COLUMN = Column(
    "j", "helpfulness", Unit.TURN, "sig", "r", low=1.0, high=5.0, passes=">=4", higher_is_better=True
)
MARGIN = 0.05


@dataclass(frozen=True)
class Simulated:
    """A judge whose scores of changed items are shifted, with noise of its own and of the dialogue."""

    shift: float
    noise: float = 0.4
    groups: int = 30

    def items(self, seed: int, probe: str) -> list[Judged]:
        rng = np.random.default_rng(seed)
        level = rng.normal(3.0, 0.7, self.groups)
        first, second = (level + rng.normal(0, self.noise, self.groups) for _ in range(2))
        return [
            Judged(f"g{i}", [Score(float(first[i]))], {probe: [Score(float(second[i] + self.shift))]})
            for i in range(self.groups)
        ]


def found(judge: Simulated, probe: str, runs: int = 300) -> list:
    return [effect_of(BY_NAME[probe], COLUMN, 0, judge.items(seed, probe), MARGIN) for seed in range(runs)]


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.6])
def test_the_interval_holds_the_planted_effect_at_its_level(shift: float):
    effects = found(Simulated(shift), "verbosity")
    held = np.mean([e.shift.low <= shift <= e.shift.high for e in effects])
    assert 0.92 <= held <= 0.98


def test_an_unbiased_judge_is_rarely_flagged_and_a_biased_one_nearly_always():
    unbiased = [e.finding for e in found(Simulated(0.0), "verbosity")]
    assert np.mean([f is Finding.FLAGGED for f in unbiased]) <= 0.06
    biased = [e.finding for e in found(Simulated(0.6), "verbosity")]
    assert np.mean([f is Finding.FLAGGED for f in biased]) >= 0.95


def test_a_blind_judge_is_flagged_for_sensitivity_and_a_seeing_one_is_not():
    blind = [e.finding for e in found(Simulated(0.0, noise=0.1), "contradiction")]
    assert np.mean([f is Finding.FLAGGED for f in blind]) >= 0.9
    seeing = [e.finding for e in found(Simulated(-0.8), "contradiction")]
    assert np.mean([f is Finding.OK for f in seeing]) >= 0.95


def test_few_groups_decide_nothing_even_where_all_agree():
    items = [Judged(f"g{i}", [Score(3.0)], {"verbosity": [Score(5.0)]}) for i in range(7)]
    assert effect_of(BY_NAME["verbosity"], COLUMN, 0, items, MARGIN).finding is Finding.UNCLEAR
    items.append(Judged("g7", [Score(3.0)], {"verbosity": [Score(5.0)]}))
    effect = effect_of(BY_NAME["verbosity"], COLUMN, 0, items, MARGIN)
    assert effect.flips is not None
    assert (effect.finding, effect.share, effect.flips.value) == (Finding.FLAGGED, 0.5, 1.0)
    assert effect.flips == wilson_clustered([1.0] * 8, list(range(8)))


def test_failures_are_counted_and_never_values():
    items = [
        Judged("a", [Score(3.0)], {"verbosity": [Failure(Cause.NO_VERDICT)]}),
        Judged("b", [Failure(Cause.TIMEOUT)], {"verbosity": [Score(3.0)]}),
        Judged("c", [Score(2.0)], {"verbosity": [Score(2.0)]}),
        Judged("d", [Score(2.0)], {}),
    ]
    effect = effect_of(BY_NAME["verbosity"], COLUMN, 0, items, MARGIN)
    assert (effect.pairs, effect.failed) == (1, 2)


def test_lower_is_better_turns_the_sign():
    column = Column("j", "rude", Unit.TURN, "sig", "r", low=0.0, high=1.0, higher_is_better=False)
    items = [Judged(f"g{i}", [Score(0.0)], {"contradiction": [Score(1.0)]}) for i in range(9)]
    effect = effect_of(BY_NAME["contradiction"], column, 0, items, MARGIN)
    assert effect.shift.value == -1.0
    assert effect.finding is Finding.OK


def test_noise_and_spread():
    items = [Judged(f"g{i}", [Score(3.0, samples=(3.0, 4.0 if i % 2 else 3.0))], {}) for i in range(10)]
    noise = stability_of(COLUMN, 0, items)
    assert (noise.difference.value, noise.same) == (0.5, 0.5)
    spread = spread_of(COLUMN, 0, items)
    assert (spread.mean, spread.deviation, spread.modal_share, spread.items) == (3.0, 0.0, 1.0, 10)


def test_an_overall_flips_where_a_criterion_with_a_pass_rule_does():
    rude = Column("j", "rude", Unit.TURN, "sig", "r", low=0.0, high=1.0, passes="==0", higher_is_better=False)
    overall = Column("j", OVERALL, Unit.TURN, "sig", "r", low=0.0, high=1.0, higher_is_better=True)
    columns = (COLUMN, rude, overall)

    def item(group: str, before: tuple[float, float], after: tuple[float, float]) -> Judged:
        return Judged(
            group,
            [*map(Score, before), Score(sum(before) / 6)],
            {"injection-reply": [*map(Score, after), Score(sum(after) / 6)]},
        )

    items = [
        item("a", (3.0, 0.0), (4.0, 0.0)),  # fails, then passes both
        item("a", (3.0, 0.0), (4.0, 1.0)),  # fails one, then the other: no flip
        item("b", (5.0, 0.0), (4.0, 0.0)),
        item("c", (5.0, 0.0), (5.0, 1.0)),
        Judged(
            "d",
            [Score(5.0), Score(0.0), Score(1.0)],
            {"injection-reply": [Score(5.0), Skip(SkipReason.CANNOT_ASSESS), Score(1.0)]},
        ),
        Judged(
            "e",
            [Score(5.0), Score(0.0), Score(1.0)],
            {"injection-reply": [Failure(Cause.NO_VERDICT), Score(0.0), Failure(Cause.INCOMPLETE)]},
        ),
    ]
    flips = effect_of(BY_NAME["injection-reply"], overall, 2, items, MARGIN, columns).flips
    assert flips == wilson_clustered([1.0, 0.0, 0.0, 1.0, 0.0], [0, 0, 1, 2, 3])


def test_nothing_flips_where_nothing_says_what_passes():
    column = Column("j", "tone", Unit.TURN, "sig", "r", low=1.0, high=5.0, higher_is_better=True)
    items = [Judged("a", [Score(3.0)], {"verbosity": [Score(5.0)]})]
    assert effect_of(BY_NAME["verbosity"], column, 0, items, MARGIN, (column,)).flips is None
