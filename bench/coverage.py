"""Simulated coverage of the agreement intervals: how often a nominal 95 % interval holds the true value.

    python bench/coverage.py                        # the full tables, about an hour
    python bench/coverage.py --replications 200     # a look, some minutes

Judge and human rate the turns of dialogues on 1..5. A dialogue has an effect on the quality of its turns and on
the judge's error, so its turns are alike (intraclass correlation .3). The truth is the statistic on 360,000 turns.
Each cell is the share of replications whose interval holds it; a replication without an interval counts as a miss. The
standard error of a cell is about .005 with 2,000 replications. Prints Markdown on stdout; seeded, so the same tables
every time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import by_group, by_system
from evalharness.stats.bland_altman import bland_altman
from evalharness.stats.catalogue import PAIR_STATISTICS, pair_statistic
from evalharness.stats.ceiling import leave_one_out, pairwise_ceiling
from evalharness.stats.clustered import mean_interval
from evalharness.stats.confusion import confusion
from evalharness.stats.correlation import pearson
from evalharness.stats.debias import post_stratified_mean, ppi_mean, weighted_mean
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import Statistic
from evalharness.stats.labelled_sample import LabelledSample
from evalharness.stats.pair_agreement import agreement_with
from evalharness.stats.pairwise_accuracy import grouped_accuracy
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.resampling import bca_interval, bootstrap_t_interval, jackknife_interval
from evalharness.stats.rogan_gladen import JudgeCounts, rogan_gladen
from evalharness.stats.weighting import copies_of, weighted

SCALE = [1, 2, 3, 4, 5]
SHARED = 0.3
RATERS = 3
TRUTH_ITEMS = 360_000
SEED = 20_241


@dataclass(frozen=True, slots=True)
class Design:
    """Number of dialogues, turns in each, and the size of both sides' errors."""

    groups: int
    size: int
    noise: float

    def __str__(self) -> str:
        return f"{self.groups} x {self.size}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One data set: judge (n,), humans (n, 3), dialogue, system."""

    judge: FloatArray
    humans: FloatArray
    groups: IntArray
    systems: IntArray


Figure = Callable[[Sample, IntArray | None], Estimate]
DESIGNS = (Design(8, 6, 0.5), Design(20, 6, 0.5), Design(60, 6, 0.5), Design(40, 1, 0.5), Design(200, 1, 0.5))


def draw(rng: np.random.Generator, design: Design) -> Sample:
    groups = np.repeat(np.arange(design.groups), design.size)

    def clustered() -> FloatArray:
        shared = rng.normal(size=design.groups)[groups]
        return np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * rng.normal(size=groups.size)

    truth = clustered()
    judge = truth + 0.2 + design.noise * clustered()
    humans = truth[:, None] + design.noise * rng.normal(size=(groups.size, RATERS))
    systems = np.tile(np.arange(design.size), design.groups)
    return Sample(_rated(judge), _rated(humans), groups, systems)


def _rated(latent: FloatArray) -> FloatArray:
    return np.clip(np.round(3.2 + latent), 1, 5)


def named(name: str) -> Figure:
    statistic = pair_statistic(name, SCALE)
    return lambda s, groups: statistic(s.judge, s.humans[:, 0]).estimate(groups)


def others() -> dict[str, Figure]:
    return {
        "mean score": lambda s, g: mean_interval(s.judge, g),
        "recall of level 4": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).classes[3].recall,
        "accuracy": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).accuracy,
        "Bland-Altman bias": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).bias,
        "Bland-Altman upper limit": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).upper,
        "Bland-Altman proportional bias": lambda s, g: (
            bland_altman(s.judge, s.humans[:, 0], g).proportional_bias
        ),
        "spearman with the mean of 3 raters": lambda s, g: spearman(s.judge, s.humans.mean(axis=1)).estimate(
            g
        ),
        "pearson by system, mean": lambda s, g: (
            by_system(pearson, s.judge, s.humans[:, 0], s.systems, g).estimate
        ),
        "ceiling, pairwise spearman": lambda s, g: pairwise_ceiling(s.humans, spearman, g).estimate,
        "ceiling, leave-one-out spearman": lambda s, g: leave_one_out(s.humans, spearman, groups=g).human,
        "judge minus human, leave-one-out": lambda s, g: (
            leave_one_out(s.humans, spearman, s.judge, g).difference
        ),
        "preference agreement": preference,
    }


def preference(sample: Sample, groups: IntArray | None) -> Estimate:
    """Sides win by more or less than level 3; agreement of the judge with the first rater."""
    votes = [np.sign(values - 3).astype(np.intp) for values in (sample.judge, sample.humans[:, 0])]
    return agreement_with(votes[0], votes[1], groups).with_ties


def grouped_figures() -> dict[str, Figure]:
    """Figures averaged over dialogues: only dialogues with several turns have a value."""
    return {
        "pearson by group, mean": lambda s, _: by_group(pearson, s.judge, s.humans[:, 0], s.groups).estimate,
        "pairwise accuracy by group, mean": lambda s, _: grouped_accuracy(s.judge, s.humans[:, 0], s.groups),
    }


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high


def true_values(figures: dict[str, Figure], design: Design) -> dict[str, float]:
    size = TRUTH_ITEMS // design.size
    sample = draw(np.random.default_rng(SEED), Design(size, design.size, design.noise))
    return {name: figure(sample, sample.groups).require() for name, figure in figures.items()}


def coverage(figures: dict[str, Figure], design: Design, replications: int) -> dict[str, tuple[float, float]]:
    """Return by figure the coverage of the clustered and of the naive interval."""
    truth = true_values(figures, design)
    hits = {name: np.zeros(2) for name in figures}
    rng = np.random.default_rng(SEED + 1)
    for _ in range(replications):
        sample = draw(rng, design)
        for name, figure in figures.items():
            hits[name] += [holds(figure(sample, codes), truth[name]) for codes in (sample.groups, None)]
    return {name: tuple(hit / replications) for name, hit in hits.items()}


def main_table(replications: int) -> Iterator[str]:
    yield "Coverage of CR1 + t(G-1), and in brackets of the same interval without clusters."
    yield ""
    yield "| figure | " + " | ".join(f"{design} turns" for design in DESIGNS) + " |"
    yield "|---|" + "---|" * len(DESIGNS)
    figures = {name: named(name) for name in PAIR_STATISTICS} | others()
    single = {design: coverage(figures, design, replications) for design in DESIGNS}
    several = [design for design in DESIGNS if design.size > 1]
    nested = {design: coverage(grouped_figures(), design, replications) for design in several}
    for name in (*figures, *grouped_figures()):
        cells = [
            _cell((single if name in figures else nested).get(design, {}).get(name)) for design in DESIGNS
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    clustered, naive = pair
    return f"{clustered:.3f}" if clustered == naive else f"{clustered:.3f} ({naive:.3f})"


def resampling_table(replications: int, draws: int = 400) -> Iterator[str]:
    """Compare the linearised interval with those that recompute the statistic."""
    designs = (Design(8, 6, 0.5), Design(20, 6, 0.5), Design(40, 1, 0.5))
    names = ("pearson", "spearman", "cohen_kappa_quadratic", "icc_2_1", "krippendorff_ordinal")
    yield f"Coverage with few groups: linearised, jackknife, BCa and bootstrap-t ({draws} draws)."
    yield ""
    yield "| figure | turns | CR1 + t(G-1) | jackknife + t(G-1) | BCa | bootstrap-t |"
    yield "|---|---|---|---|---|---|"
    for design in designs:
        truth = true_values({name: named(name) for name in names}, design)
        for name in names:
            hits = np.zeros(4)
            rng = np.random.default_rng(SEED + 2)
            for replication in range(replications):
                hits += [
                    holds(found, truth[name])
                    for found in _recomputed(name, draw(rng, design), draws, replication)
                ]
            yield f"| {name} | {design} | " + " | ".join(f"{hit / replications:.3f}" for hit in hits) + " |"


def labelled_table(replications: int) -> Iterator[str]:
    """Intervals of figures of all items that come from many scores and few labels, and of weighted figures."""
    yield "Coverage of means of all items (2,000 of them, 4 in a dialogue) from a judge and a few labelled dialogues,"
    yield "and of weighted figures from as many labels, drawn more often where the judge is far from the middle."
    yield ""
    yield "| figure | 5 labelled dialogues | 12 | 25 | 50 |"
    yield "|---|---|---|---|---|"
    sizes = (5, 12, 25, 50)
    hits: dict[str, list[float]] = {}
    for place, size in enumerate(sizes):
        rng = np.random.default_rng(SEED + 3)
        for _ in range(replications):
            for name, held in _labelled(rng, size).items():
                hits.setdefault(name, [0.0] * len(sizes))[place] += held / replications
    for name, cells in hits.items():
        yield f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def _labelled(rng: np.random.Generator, dialogues: int) -> dict[str, bool]:
    """Whether each interval holds the mean of the population's labels, or the statistic of all its items."""
    sample = draw(rng, Design(500, 4, 0.5))
    judge, human, groups = sample.judge, sample.humans[:, 0], sample.groups
    truth = float(human.mean())
    chosen = np.isin(groups, rng.permutation(500)[:dialogues])
    labelled = LabelledSample.of(
        human[chosen],
        judge[chosen],
        judge[~chosen],
        groups=groups[chosen],
        rest_groups=groups[~chosen],
        scale=(1, 5),
    )
    ppi, strata = ppi_mean(labelled), post_stratified_mean(labelled)
    good, said = human >= 4, judge >= 4
    counts = JudgeCounts(
        int(said[~chosen].sum()),
        int((~chosen).sum()),
        int((~said & ~good)[chosen].sum()),
        int((~good)[chosen].sum()),
        int((said & good)[chosen].sum()),
        int(good[chosen].sum()),
    )
    weight = 0.4 + np.abs(judge - 3)
    chance = np.minimum(1.0, 4 * dialogues * weight / weight.sum())
    drawn = rng.random(judge.size) < chance
    tilted = weighted_mean(judge, human, drawn, np.where(drawn, chance, 1.0), groups, scale=(1, 5))
    copies = copies_of(chance[drawn])
    found = {
        "mean, labels alone": holds(ppi.human_only, truth),
        "mean, PPI++": holds(ppi.estimate, truth),
        "mean, post-stratified": holds(strata.estimate, truth),
        "share good, Rogan-Gladen (items taken as independent)": holds(
            rogan_gladen(counts), float(good.mean())
        ),
        "mean, weighted PPI++": holds(tilted.estimate, truth),
        "mean, weighted labels": holds(tilted.human_only, truth),
    }
    for name in ("spearman", "cohen_kappa_quadratic", "percent"):
        statistic = pair_statistic(name, SCALE)
        everything = statistic(judge, human).value
        assert everything is not None
        one = weighted(statistic, copies)(judge[drawn], human[drawn]).estimate(groups[drawn])
        found[f"{name}, weighted"] = holds(one, everything)
    return found


def _recomputed(name: str, sample: Sample, draws: int, seed: int) -> list[Estimate]:
    statistic = pair_statistic(name, SCALE)
    x, y = sample.judge, sample.humans[:, 0]

    def recompute(rows: IntArray) -> Statistic:
        return statistic(x[rows], y[rows])

    return [
        statistic(x, y).estimate(sample.groups),
        jackknife_interval(recompute, sample.groups),
        bca_interval(recompute, sample.groups, draws=draws, seed=seed),
        bootstrap_t_interval(recompute, sample.groups, draws=draws, seed=seed),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=2_000)
    parser.add_argument(
        "--resampling-replications", type=int, default=None, help="default: a quarter of the others"
    )
    options = parser.parse_args()
    for line in main_table(options.replications):
        print(line, flush=True)
    print()
    for line in resampling_table(options.resampling_replications or max(1, options.replications // 4)):
        print(line, flush=True)
    print()
    for line in labelled_table(10 * options.replications):
        print(line, flush=True)


if __name__ == "__main__":
    main()
