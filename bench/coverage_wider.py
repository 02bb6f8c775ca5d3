"""Simulated coverage of what is not a figure of judge and rater on one sample: calibration, pairs, gates, promises.

Called by `coverage.py`. Every simulation draws a data set of a given number of dialogues (scenarios, tasks) and says of
each interval whether it holds the truth, which comes from a closed form or a very large sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit, logit, ndtr
from simulated import SCALE, SEED, Design, Sample, alike, draw, holds, rated

from evalharness.stats.alt_test import AltTest, Closeness, alternative_annotator_test
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import pooled
from evalharness.stats.bradley_terry import BradleyTerry, fit_bradley_terry
from evalharness.stats.calibration import brier, calibration_error, ranked_probability_score, reliability_bins
from evalharness.stats.conformal import Conformal, held_out_coverage, split_conformal
from evalharness.stats.differences import difference_interval, paired_difference, unpaired_difference
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.isotonic import Isotonic, cross_fitted_isotonic, fit_isotonic
from evalharness.stats.kappa import cohen_kappa
from evalharness.stats.length_controlled import length_controlled_win_rate
from evalharness.stats.pair_agreement import swap_consistency
from evalharness.stats.paired_rates import tango_clustered
from evalharness.stats.pass_k import pass_k
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.rates import share_interval, wilson_clustered
from evalharness.stats.ridge import CrossFitted, cross_fit, fit_ridge
from evalharness.stats.risk_coverage import threshold_for_risk
from evalharness.stats.sequential import asymptotic_sequence, betting_sequence, empirical_bernstein_sequence
from evalharness.stats.unfitted import Unfitted
from evalharness.stats.unpaired_rates import difference_of_estimates

Found = Mapping[str, float]
Simulation = Callable[[np.random.Generator, int], Found]
TURNS = 4
FRESH = 2_000
EPSILON = 0.2
TARGET = 0.1
LOOKS = 300


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


# Calibration


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Stated probabilities (n,), those that hold (n,), outcomes (n,) alike within dialogues, and the dialogues."""

    said: FloatArray
    right: FloatArray
    outcome: FloatArray
    groups: IntArray


def forecasts(rng: np.random.Generator, dialogues: int, off: float) -> Forecasts:
    """Five stated probabilities; the ones that hold are ``off`` in log odds lower."""
    groups = np.repeat(np.arange(dialogues), TURNS)
    said = np.array([0.1, 0.3, 0.5, 0.7, 0.9])[np.minimum(4, (5 * ndtr(alike(rng, groups))).astype(int))]
    right = expit(logit(said) - off)
    outcome = (ndtr(alike(rng, groups)) < right).astype(float)
    return Forecasts(said, right, outcome, groups)


def calibration(rng: np.random.Generator, dialogues: int) -> Found:
    found: dict[str, float] = {}
    for name, off in (("far off", 0.8), ("slightly off", 0.3), ("perfect, so that the truth is 0", 0.0)):
        one = forecasts(rng, dialogues, off)
        error = calibration_error(one.said, one.outcome, one.groups, draws=1_000)
        found[f"calibration error (ECE), {name}"] = holds(error.ece, _mean_gap(off))
    one = forecasts(rng, dialogues, 0.8)
    found["bias of the probabilities"] = holds(
        calibration_error(one.said, one.outcome, one.groups, draws=200).bias, _mean_gap(0.8)
    )
    found["Brier score"] = holds(brier(one.said, one.outcome, one.groups), _brier(0.8))
    bins = reliability_bins(one.said, one.outcome, one.groups)
    high = next((b.observed for b in bins if b.low == b.high == 0.7), None)
    found["reliability diagram, rate at .7"] = high is not None and holds(
        high, float(expit(logit(0.7) - 0.8))
    )
    spread = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    sample = draw(rng, Design(dialogues, TURNS, 0.5))
    level = (sample.humans[:, 0] - 1).astype(np.intp)
    score = ranked_probability_score(np.tile(spread, (level.size, 1)), level, sample.groups)
    found["ranked probability score"] = holds(score, _ranked_score())
    return found


STATED = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


def _mean_gap(off: float) -> float:
    return float((STATED - expit(logit(STATED) - off)).mean())


def _brier(off: float) -> float:
    right = expit(logit(STATED) - off)
    return float((right * (1 - STATED) ** 2 + (1 - right) * STATED**2).mean())


@cache
def _ranked_score() -> float:
    big = draw(np.random.default_rng(SEED), Design(100_000, TURNS, 0.5))
    level = (big.humans[:, 0] - 1).astype(np.intp)
    spread = np.tile([0.1, 0.2, 0.4, 0.2, 0.1], (level.size, 1))
    return ranked_probability_score(spread, level).require()


def conformal(rng: np.random.Generator, dialogues: int) -> Found:
    """The share of ratings of new dialogues that the half-width holds, as `calibrate` makes it."""
    sample = _shifted(rng, dialogues)
    fresh = _shifted(rng, FRESH)
    human, new = sample.humans.mean(axis=1), fresh.humans.mean(axis=1)
    curve = fit_isotonic(sample.judge, human)
    crossed = cross_fitted_isotonic(sample.judge, human, sample.groups)
    assert isinstance(curve, Isotonic)
    assert not isinstance(crossed, Unfitted)
    found = {}
    for name, groups in (("", sample.groups), (", turns taken as independent", None)):
        ranges = split_conformal(crossed, human, groups, level=0.9)
        assert isinstance(ranges, Conformal)
        low, high = ranges.interval(curve.predict(fresh.judge))
        held = float(((low <= new + 1e-9) & (new <= high + 1e-9)).mean())
        found[f"90 % range of a new rating{name}"] = held
        if groups is not None:
            stated = held_out_coverage(crossed, human, groups)
            found["95 % interval of the share that it holds"] = holds(stated, held)
    return found


def _shifted(rng: np.random.Generator, dialogues: int) -> Sample:
    """A judge whose errors are nearly those of the dialogue, where turns tell little."""
    groups = np.repeat(np.arange(dialogues), TURNS)
    truth = alike(rng, groups)
    mood = rng.normal(size=dialogues)[groups]
    judge = truth + 0.7 * mood + 0.2 * rng.normal(size=groups.size)
    humans = truth[:, None] + 0.5 * rng.normal(size=(groups.size, 3))
    return Sample(rated(judge), rated(humans), groups, groups)


def fitting(rng: np.random.Generator, dialogues: int) -> Found:
    """Spearman on held-out dialogues, against that of the fit of all labels on fresh ones."""
    weights = np.array([0.6, 0.4, 0.2, 0.0, 0.0, 0.0])

    def made(count: int) -> tuple[FloatArray, FloatArray, IntArray]:
        groups = np.repeat(np.arange(count), TURNS)
        features = np.stack([alike(rng, groups) for _ in weights], axis=1)
        return features, rated(features @ weights + 0.7 * alike(rng, groups)), groups

    features, target, groups = made(dialogues)
    crossed = cross_fit(features, target, groups)
    assert isinstance(crossed, CrossFitted)
    fresh, wanted, _ = made(FRESH)
    truth = spearman(fit_ridge(features, target, crossed.penalties[0]).predict(fresh), wanted).value
    assert truth is not None
    stated = pooled(spearman, crossed.predictions, target, groups).estimate
    return {"spearman of `fit`, by held-out dialogue": holds(stated, truth)}


# Pairs


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


# Trials and changes


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


# Promises: shares that should stay at or below a stated one


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
