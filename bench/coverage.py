"""Simulated coverage of the agreement intervals: how often a nominal 95 % interval holds the true value.

    python bench/coverage.py                        # the full tables, about an hour
    python bench/coverage.py --replications 200     # a look, some minutes

Judge and human rate the turns of dialogues on 1..5. A dialogue has an effect on the quality of its turns and on
the judge's error, so its turns are alike (intraclass correlation .3). The truth is the statistic on 360,000 turns.
Each cell is the share of replications whose interval holds it; a replication without an interval counts as a miss. The
standard error of a cell is about .005 with 2,000 replications. Calibration, pairs, trials, changes and promises follow
from `coverage_wider.py`. Prints Markdown on stdout; seeded, so the same tables every time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from coverage_wider import wider_tables
from simulated import DESIGNS, SCALE, SEED, TRUTH_ITEMS, Design, Sample, draw, holds

from evalharness.stats.alt_test import Closeness, alternative_annotator_test
from evalharness.stats.arrays import IntArray
from evalharness.stats.averaging import by_group, by_system, compare_pooled
from evalharness.stats.bland_altman import bland_altman, deming_slope
from evalharness.stats.catalogue import PAIR_STATISTICS, pair_statistic
from evalharness.stats.ceiling import intra_rater, leave_one_out, pairwise_ceiling
from evalharness.stats.clustered import mean_interval
from evalharness.stats.confusion import confusion
from evalharness.stats.correlation import pearson
from evalharness.stats.debias import post_stratified_mean, ppi_mean, weighted_mean
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.influence import Statistic
from evalharness.stats.jackknife import group_jackknife
from evalharness.stats.krippendorff import krippendorff_alpha
from evalharness.stats.labelled_sample import LabelledSample
from evalharness.stats.pair_agreement import PairAgreement, agreement_with
from evalharness.stats.pairwise_accuracy import (
    grouped_accuracy,
    tie_calibrated_accuracy,
    tie_calibrated_accuracy_pooled,
)
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.rates import share_interval, wilson_clustered
from evalharness.stats.resampling import bca_interval, bootstrap_t_interval, jackknife_interval
from evalharness.stats.rogan_gladen import JudgeCounts, clustered_rogan_gladen, rogan_gladen
from evalharness.stats.weighting import copies_of, weighted

Figure = Callable[[Sample, IntArray | None], Estimate]


def named(name: str) -> Figure:
    statistic = pair_statistic(name, SCALE)
    return lambda s, groups: statistic(s.judge, s.humans[:, 0]).estimate(groups)


def others() -> dict[str, Figure]:
    return {
        "mean score": lambda s, g: mean_interval(s.judge, g),
        "recall of level 4": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).classes[3].recall,
        "precision of level 4": lambda s, g: (
            confusion(s.judge, s.humans[:, 0], SCALE, g).classes[3].precision
        ),
        "F1 of level 4": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).classes[3].f1,
        "balanced accuracy": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).balanced_accuracy,
        "share good, Wilson": lambda s, g: wilson_clustered(s.judge >= 4, g),
        "within one of the raters": lambda s, g: share_interval(
            (np.abs(s.humans - s.judge[:, None]) <= 1).mean(axis=1), g
        ),
        "tie-calibrated accuracy": tie_calibrated,
        "spearman minus that of a second judge": lambda s, g: (
            compare_pooled(spearman, s.judge, s.second[0], s.humans[:, 0], g).difference
        ),
        "spearman in a slice, a third of the turns": sliced,
        "second looks of a rater, spearman": lambda s, g: (
            intra_rater(s.humans[:, 0], s.second[1], spearman, np.zeros(s.judge.size), g).estimate
        ),
        "second looks of a rater, share changed": lambda s, g: (
            intra_rater(s.humans[:, 0], s.second[1], spearman, np.zeros(s.judge.size), g).changed
        ),
        "alpha (ordinal) of 3 raters": lambda s, g: krippendorff_alpha(s.humans, "ordinal").estimate(g),
        "advantage (rho) of the alternative annotator test": lambda s, g: (
            alternative_annotator_test(
                s.judge, s.humans, epsilon=0.2, closeness=Closeness.MATCH, categories=SCALE, groups=g
            ).advantage
        ),
        "accuracy": lambda s, g: confusion(s.judge, s.humans[:, 0], SCALE, g).accuracy,
        "Bland-Altman bias": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).bias,
        "Bland-Altman lower limit": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).lower,
        "Bland-Altman upper limit": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).upper,
        "Bland-Altman proportional bias": lambda s, g: (
            bland_altman(s.judge, s.humans[:, 0], g).proportional_bias
        ),
        "Bland-Altman ratio of spreads": lambda s, g: bland_altman(s.judge, s.humans[:, 0], g).sd_ratio,
        "Deming slope (jackknife)": deming,
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
        "preference agreement": lambda s, g: preferences(s, g).with_ties,
        "preference agreement without ties": lambda s, g: preferences(s, g).without_ties,
        "preference kappa": lambda s, g: preferences(s, g).kappa,
    }


def preferences(sample: Sample, groups: IntArray | None) -> PairAgreement:
    """Sides win by more or less than level 3; agreement of the judge with the first rater."""
    votes = [np.sign(values - 3).astype(np.intp) for values in (sample.judge, sample.humans[:, 0])]
    return agreement_with(votes[0], votes[1], groups)


def deming(sample: Sample, groups: IntArray | None) -> Estimate:
    """The slope with its jackknife interval; of the whole population the value alone, as that needs no interval."""
    judge, human = sample.judge, sample.humans[:, 0]
    if judge.size == TRUTH_ITEMS:
        return point(deming_slope(judge, human) or 0.0, n=judge.size, groups=judge.size)
    codes = np.arange(judge.size) if groups is None else groups
    return group_jackknife(lambda kept: deming_slope(judge[kept], human[kept]), codes, reason="no slope")


def tie_calibrated(sample: Sample, groups: IntArray | None) -> Estimate:
    fine = sample.judge + 0.3 * sample.second[0]  # scores that hardly ever tie
    codes = np.arange(fine.size) if groups is None else groups
    return tie_calibrated_accuracy_pooled(fine, sample.humans[:, 0], codes).estimate


def sliced(sample: Sample, groups: IntArray | None) -> Estimate:
    chosen = np.arange(sample.judge.size) % 3 == 0
    codes = None if groups is None else groups[chosen]
    return spearman(sample.judge[chosen], sample.humans[chosen, 0]).estimate(codes)


def grouped_figures() -> dict[str, Figure]:
    """Figures averaged over dialogues: only dialogues with several turns have a value."""
    return {
        "pearson by group, mean": lambda s, _: by_group(pearson, s.judge, s.humans[:, 0], s.groups).estimate,
        "pairwise accuracy by group, mean": lambda s, _: grouped_accuracy(s.judge, s.humans[:, 0], s.groups),
        "tie-calibrated accuracy by group, mean": lambda s, _: (
            tie_calibrated_accuracy(s.judge + 0.3 * s.second[0], s.humans[:, 0], s.groups).estimate
        ),
    }


def true_values(figures: dict[str, Figure], design: Design) -> dict[str, float]:
    size = TRUTH_ITEMS // design.size
    sample = draw(np.random.default_rng(SEED), Design(size, design.size, design.noise), second=True)
    return {name: figure(sample, sample.groups).require() for name, figure in figures.items()}


def coverage(figures: dict[str, Figure], design: Design, replications: int) -> dict[str, tuple[float, float]]:
    """Return by figure the coverage of the clustered and of the naive interval."""
    truth = true_values(figures, design)
    hits = {name: np.zeros(2) for name in figures}
    rng = np.random.default_rng(SEED + 1)
    for _ in range(replications):
        sample = draw(rng, design, second=True)
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
        "share good, Rogan-Gladen as printed": holds(
            clustered_rogan_gladen(
                said[chosen], good[chosen], said[~chosen], groups[chosen], groups[~chosen]
            ),
            float(good.mean()),
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
    for name, default in (
        ("resampling", "a quarter of them"),
        ("labelled", "ten times as many"),
        ("wider", "as many"),
    ):
        parser.add_argument(f"--{name}-replications", type=int, default=None, help=f"default: {default}")
    options = parser.parse_args()
    for lines in (
        main_table(options.replications),
        resampling_table(options.resampling_replications or max(1, options.replications // 4)),
        labelled_table(options.labelled_replications or 10 * options.replications),
        wider_tables(options.wider_replications or options.replications),
    ):
        for line in lines:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
