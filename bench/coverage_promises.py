"""Simulated promises: shares that should stay at or below a stated one."""

from __future__ import annotations

from functools import cache

import numpy as np
from coverage_kinds import EPSILON, TARGET, TURNS, Found
from scipy.special import ndtr
from simulated import SCALE, SEED, Design, alike, rated

from evalharness.stats.alt_test import AltTest, Closeness, alternative_annotator_test
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.risk_coverage import threshold_for_risk
from evalharness.stats.sequential import asymptotic_sequence, betting_sequence, empirical_bernstein_sequence


@cache
def _boundary_noise() -> float:
    """The judge's noise at which every annotator is better than it by exactly ``EPSILON``."""
    low, high = 0.3, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        judge, humans, _ = _annotated(np.random.default_rng(SEED), Design(60_000, 6, middle))
        found = _alt_test(judge, humans, None)
        excess = np.mean([one.human_wins - one.judge_wins for one in found.annotators])
        low, high = (middle, high) if excess < EPSILON else (low, middle)
    return (low + high) / 2


def _annotated(rng: np.random.Generator, design: Design) -> tuple[FloatArray, FloatArray, IntArray]:
    """A judge with errors of the dialogue, and three raters."""
    groups = np.repeat(np.arange(design.groups), design.size)
    truth = alike(rng, groups)
    mood = rng.normal(size=design.groups)[groups]
    judge = truth + design.noise * (0.8 * mood + 0.6 * rng.normal(size=groups.size))
    humans = truth[:, None] + 0.5 * rng.normal(size=(groups.size, 3))
    return rated(judge), rated(humans), groups


def _alt_test(judge: FloatArray, humans: FloatArray, groups: IntArray | None) -> AltTest:
    return alternative_annotator_test(
        judge, humans, epsilon=EPSILON, closeness=Closeness.MATCH, categories=SCALE, groups=groups
    )


def annotators(rng: np.random.Generator, dialogues: int) -> Found:
    judge, humans, groups = _annotated(rng, Design(dialogues, 6, _boundary_noise()))
    found = _alt_test(judge, humans, groups)
    as_good = rated(humans.mean(axis=1) - 3.2 + 0.4 * rng.normal(size=groups.size))
    better = _alt_test(as_good, humans, groups)
    return {
        "an annotator no worse than the price is replaced": np.mean([a.rejected for a in found.annotators]),
        "the same, clustered": np.mean([a.rejected_clustered for a in found.annotators]),
        "the judge passes (omega >= .5)": bool(found.passed),
        "the same, clustered (omega)": bool(found.passed_clustered),
        "a judge like the raters passes": bool(better.passed),
        "the same, clustered (power)": bool(better.passed_clustered),
    }


def cascade(rng: np.random.Generator, dialogues: int) -> Found:
    """Whether the true risk above the proposed threshold exceeds the target."""
    confidence, loss, groups = _doubts(rng, dialogues)
    chosen = threshold_for_risk(confidence, loss, TARGET, groups)
    apart = threshold_for_risk(confidence, loss, TARGET)
    return {
        "a threshold is proposed": chosen.value is not None,
        "its risk exceeds the target": chosen.value is not None and _risk_above(chosen.value) > TARGET,
        "the same, turns taken as independent": apart.value is not None and _risk_above(apart.value) > TARGET,
    }


def _doubts(rng: np.random.Generator, dialogues: int) -> tuple[FloatArray, FloatArray, IntArray]:
    groups = np.repeat(np.arange(dialogues), TURNS)
    sure = ndtr(alike(rng, groups))
    wrong = ndtr(alike(rng, groups)) < 0.3 * (1.0 - sure) + 0.01
    return sure, wrong.astype(float), groups


def _risk_above(threshold: float) -> float:
    """Mean of .3 (1 - u) + .01 over u uniform above the threshold."""
    return 0.3 * (1.0 - (threshold + 1.0) / 2.0) + 0.01


def sequences(rng: np.random.Generator, looks: int) -> Found:
    units = rng.beta(2.0, 1.0, looks)
    found = {}
    for name, sequence in (
        ("asymptotic", asymptotic_sequence(units, tightest_at=100)),
        ("empirical-Bernstein", empirical_bernstein_sequence(units)),
        ("betting", betting_sequence(units, grid=201)),
    ):
        left = (sequence.low > 2 / 3) | (sequence.high < 2 / 3)
        found[f"the {name} sequence ever leaves the truth"] = bool(left.any())
    return found
