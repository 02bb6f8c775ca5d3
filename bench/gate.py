"""Operating characteristics of the gate: how often it raises false alarms, lets regressions through, or cannot tell.

    python bench/gate.py [--runs N]     Markdown tables, seeded: the ones in docs/gate.md
    python bench/gate.py --speed        seconds for 100,000 paired items

The first table varies groups, intraclass correlation and turns; the second is the power curve, the gate's three answers
by true drop. Beside the gate stand two rules that others use on the same data: "exit 1 when the mean is lower", and
sacrebleu's paired bootstrap over items, whose p-value is effectively one-sided.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evalharness.core.dialogue import Unit
from evalharness.core.policy import Amount, Policy
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot, Subject
from evalharness.gate.decide import gate
from evalharness.gate.types import Verdict

SD = 0.8  # of one score on a 1-5 scale
MARGIN = 0.2  # 5 % of the range
RELIABLE = 0.5  # share of a score's variance that both runs have in common: what pairing removes
COLUMN = Column("judge", "quality", Unit.TURN, "simulated", "rubric", 1.0, 5.0, None, True, judged=True)
RESAMPLES = 300


@dataclass(frozen=True)
class Setting:
    groups: int
    icc: float
    turns: int
    drop: float


def differences(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores (groups, turns) of two runs; their differences have intraclass correlation `icc`."""
    shape = (setting.groups, setting.turns)
    shared = rng.normal(0.0, SD * math.sqrt(RELIABLE), shape)
    own = SD * math.sqrt(1.0 - RELIABLE)
    runs = []
    for _ in range(2):
        by_group = rng.normal(0.0, own * math.sqrt(setting.icc), (setting.groups, 1))
        runs.append(3.5 + shared + by_group + rng.normal(0.0, own * math.sqrt(1.0 - setting.icc), shape))
    return runs[0], runs[1] - setting.drop


def snapshot(values: np.ndarray, tag: str) -> Snapshot:
    subjects = tuple(Subject(f"{tag}{g:03}", f"{g:03}", tag) for g in range(len(values)))
    marks = tuple(
        Mark(g, t, t, float(value), "scored") for g, row in enumerate(values) for t, value in enumerate(row)
    )
    return Snapshot(tag, "2026-01-01", subjects, (Series(COLUMN, len(marks), marks),))


def sacrebleu_alarm(before: np.ndarray, after: np.ndarray, rng: np.random.Generator) -> bool:
    """Paired bootstrap over items as sacrebleu computes its p: |d*| - mean |d*| against |d|, and the run is lower."""
    change = (after - before).ravel()
    samples = change[rng.integers(0, change.size, (RESAMPLES, change.size))].mean(axis=1)
    size = np.abs(samples)
    p = (np.sum(size - size.mean() > abs(change.mean())) + 1) / (RESAMPLES + 1)
    return bool(change.mean() < 0.0 and p < 0.05)


def simulate(setting: Setting, runs: int, seed: int) -> dict[str, float]:
    """Shares of runs with each answer, and of alarms of the other rules."""
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys((*Verdict, "mean", "sacrebleu"), 0)
    policy = Policy(max_drop=Amount(MARGIN, relative=False))
    for _ in range(runs):
        before, after = differences(setting, rng)
        counts[gate(snapshot(before, "old"), snapshot(after, "new"), policy).verdict] += 1
        counts["mean"] += after.mean() < before.mean()
        counts["sacrebleu"] += sacrebleu_alarm(before, after, rng)
    return {name: count / runs for name, count in counts.items()}


def shares(found: dict[str, float], *names: str) -> str:
    return " | ".join(f"{100 * found[name]:.1f} %" for name in names)


def error_rates(runs: int) -> None:
    """A row for every number of groups, correlation and number of turns: both error rates, and what is decided."""
    print(
        "| groups | ICC | turns | no change: fails | mean is lower | bootstrap | drop of max_drop: passes ",
        end="",
    )
    print("| no change: passes | twice max_drop: fails |")
    print("|---|---|---|---|---|---|---|---|---|")
    places = [(g, icc, turns) for g in (8, 15, 30, 60) for icc in (0.0, 0.5) for turns in (3, 8)]
    for seed, (groups, icc, turns) in enumerate(places):
        none, margin, twice = (
            simulate(Setting(groups, icc, turns, drop), runs, 10 * seed + place)
            for place, drop in enumerate((0.0, MARGIN, 2 * MARGIN))
        )
        cells = (
            shares(none, "fail", "mean", "sacrebleu"),
            shares(margin, "pass"),
            shares(none, "pass"),
            shares(twice, "fail"),
        )
        print(f"| {groups} | {icc:g} | {turns} | {' | '.join(cells)} |", flush=True)


def power_curve(runs: int) -> None:
    """The gate's answers as the true drop grows."""
    print("| groups | true drop | pass | fail | inconclusive | mean is lower | bootstrap |")
    print("|---|---|---|---|---|---|---|")
    for seed, groups in enumerate((15, 30, 60)):
        for place, drop in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
            found = simulate(Setting(groups, 0.2, 5, drop), runs, 1000 + 10 * seed + place)
            row = shares(found, "pass", "fail", "inconclusive", "mean", "sacrebleu")
            print(f"| {groups} | {drop:g} | {row} |", flush=True)


def speed() -> None:
    """Seconds to compare 100,000 pairs of items, as wall time and as time of the processor."""
    rng = np.random.default_rng(0)
    before, after = differences(Setting(20_000, 0.2, 5, 0.0), rng)
    old, new = snapshot(before, "old"), snapshot(after, "new")
    wall, used = time.perf_counter(), time.process_time()
    gate(old, new, Policy())
    wall, used = time.perf_counter() - wall, time.process_time() - used
    print(f"{before.size:,} pairs: {wall:.1f} s, {used:.1f} s of a processor")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    scale = f"scores with SD {SD:g}, tolerated drop {MARGIN:g} (5 % of a 1-5 scale)"
    print(f"{options.runs} simulated comparisons a row; {scale}\n")
    error_rates(options.runs)
    print()
    power_curve(options.runs)


if __name__ == "__main__":
    main()
