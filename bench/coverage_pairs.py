"""Simulated coverage of comparisons: pairs in both orders, repeated trials, changes between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from coverage_kinds import TURNS, Found
from simulated import SEED, alike, holds, rated

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.bradley_terry import BradleyTerry, fit_bradley_terry
from evalharness.stats.differences import difference_interval, paired_difference, unpaired_difference
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.kappa import cohen_kappa
from evalharness.stats.length_controlled import length_controlled_win_rate
from evalharness.stats.pair_agreement import swap_consistency
from evalharness.stats.paired_rates import tango_clustered
from evalharness.stats.pass_k import pass_k
from evalharness.stats.rates import share_interval, wilson_clustered
from evalharness.stats.unpaired_rates import difference_of_estimates

PLAYERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Duels:
    """Votes +1, 0, -1 for the first-named of each pair (scenarios, pairs) in both orders, and length differences."""

    pairs: tuple[tuple[int, int], ...]
    forward: IntArray
    backward: IntArray
    gap: FloatArray


def duels(rng: np.random.Generator, scenarios: int) -> Duels:
    """Four systems; who is better depends on the scenario, and the judge likes length and what it sees first."""
    quality = np.array([0.5, 0.1, 0.0, -0.6]) + 0.6 * rng.normal(size=(scenarios, PLAYERS))
    length = np.array([0.4, 0.0, 0.2, -0.3]) + rng.normal(size=(scenarios, PLAYERS))
    pairs = tuple((a, b) for a in range(PLAYERS) for b in range(a + 1, PLAYERS))
    left, right = (list(side) for side in zip(*pairs, strict=True))
    gap = length[:, left] - length[:, right]
    better = quality[:, left] - quality[:, right] + 0.3 * gap + 0.3 * rng.normal(size=gap.shape)

    def vote(seen_first: float) -> IntArray:
        felt = better + seen_first + 0.5 * rng.normal(size=gap.shape)
        return np.asarray(np.where(np.abs(felt) < 0.2, 0, np.sign(felt)), dtype=np.intp)

    return Duels(pairs, vote(0.15), vote(-0.15), gap)


def pairwise_estimates(found: Duels) -> dict[str, Estimate]:
    scenarios = np.arange(len(found.forward))
    ab, ba = found.forward[:, 0], found.backward[:, 0]
    points = ((ab + ba) / 2 + 1) / 2
    controlled = length_controlled_win_rate(points, found.gap[:, 0], scenarios)
    estimates = {
        "win rate": share_interval(points, scenarios),
        "win rate at equal length": controlled.controlled,
        "effect of length, log odds": controlled.length_effect,
        "share of pairs whose verdict follows the order": swap_consistency(ab, -ba, scenarios).inconsistent,
        "kappa between the orders": cohen_kappa(ab, ba, [-1, 0, 1]).estimate(scenarios),
    }
    return estimates | _ranking(_ranked(found))


def _ranking(fit: BradleyTerry | None) -> dict[str, Estimate]:
    """The figures of a ranking; without a finite fit they have no interval."""
    missing = undefined("no finite fit")
    return {
        "Bradley-Terry ability": missing if fit is None else fit.ability(0),
        "Bradley-Terry difference of two": missing if fit is None else fit.difference(1, 2),
        "Bradley-Terry chance to win": missing if fit is None else fit.win_probability(0, 3),
        "Bradley-Terry effect of being first": missing if fit is None else fit.order_effect() or missing,
    }


def _ranked(found: Duels) -> BradleyTerry | None:
    rows = []
    for k, (a, b) in enumerate(found.pairs):
        for first, second, votes in ((a, b, found.forward[:, k]), (b, a, -found.backward[:, k])):
            scenario = np.arange(votes.size)
            rows.append(
                np.stack([np.full(votes.size, first), np.full(votes.size, second), (votes + 1) / 2, scenario])
            )
    first, second, outcome, groups = np.concatenate(rows, axis=1)
    fit = fit_bradley_terry(
        first.astype(np.intp), second.astype(np.intp), outcome, players=PLAYERS, groups=groups.astype(np.intp),
        order_effect=True,
    )  # fmt: skip
    return fit if isinstance(fit, BradleyTerry) else None


@cache
def _true_duels() -> dict[str, float]:
    found = pairwise_estimates(duels(np.random.default_rng(SEED), 60_000))
    return {name: estimate.require() for name, estimate in found.items()}


def pairwise(rng: np.random.Generator, scenarios: int) -> Found:
    truth = _true_duels()
    return {name: holds(one, truth[name]) for name, one in pairwise_estimates(duels(rng, scenarios)).items()}


def trials(rng: np.random.Generator, tasks: int) -> Found:
    """Five trials of each task, whose rate of success is Beta(2, 1)."""
    won = rng.binomial(5, rng.beta(2.0, 1.0, tasks))
    made = np.full(tasks, 5)
    return {
        "pass^1": holds(pass_k(won, made, 1), 2 / 3),
        "pass^3": holds(pass_k(won, made, 3), 0.4),
        "pass@3": holds(pass_k(won, made, 3, anyone=True), 0.9),
    }


def _versions(rng: np.random.Generator, dialogues: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Scores of the same turns before and after a change that is worse in some dialogues."""
    groups = np.repeat(np.arange(dialogues), TURNS)
    quality = alike(rng, groups)
    harm = 0.6 * (rng.random(dialogues) < 0.4)[groups]
    before = rated(quality + 0.5 * alike(rng, groups))
    return before, rated(quality - harm + 0.5 * alike(rng, groups)), groups


@cache
def _true_change() -> tuple[float, float]:
    before, after, _ = _versions(np.random.default_rng(SEED), 400_000)
    return float((after - before).mean()), float((after >= 4).mean() - (before >= 4).mean())


def changes(rng: np.random.Generator, dialogues: int) -> Found:
    mean, rate = _true_change()
    before, after, groups = _versions(rng, dialogues)
    _, other, other_groups = _versions(rng, dialogues)
    good = [(side >= 4).astype(float) for side in (before, after, other)]
    apart = difference_of_estimates(
        wilson_clustered(good[2], other_groups), wilson_clustered(good[0], groups)
    )
    return {
        "difference of means, same dialogues": holds(
            difference_interval(paired_difference(after, before, groups)), mean
        ),
        "difference of means, other dialogues": holds(
            difference_interval(unpaired_difference(other, before, other_groups, groups)), mean
        ),
        "difference of pass rates, same dialogues (Tango)": holds(
            tango_clustered(good[1], good[0], groups), rate
        ),
        "difference of pass rates, other dialogues": holds(apart, rate),
    }
