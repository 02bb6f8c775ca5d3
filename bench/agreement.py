"""Speed of the agreement statistics: ratios to the reference packages, measured in one run.

    python bench/agreement.py
    python bench/agreement.py --command     # also `evalharness agree` on 100,000 labelled items, some minutes

Prints one Markdown table. Bars: Krippendorff's alpha on 4,000 units x 101 values at least 50 times the speed of the
`krippendorff` package (every metric, same value); tie calibration of 500 groups x 15 items under 0.1 s; one pooled
statistic with its clustered interval on 100,000 items under a second; `evalharness agree` with its default figures on
100,000 labelled items under 20 s of processor time and 1 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import krippendorff
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from processes import run_measured

from evalharness.stats.averaging import by_group
from evalharness.stats.catalogue import pair_statistic
from evalharness.stats.correlation import pearson
from evalharness.stats.distances import Metric
from evalharness.stats.krippendorff import krippendorff_alpha
from evalharness.stats.pairwise_accuracy import calibrate_ties, tie_calibrated_accuracy
from evalharness.stats.rank_correlation import kendall_tau_b, spearman


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Return the fastest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def row(name: str, ours: float, theirs: float | None, bar: str, kept: bool) -> str:
    ratio = "" if theirs is None else f"{theirs / ours:.0f} x"
    other = "" if theirs is None else f"{theirs:.3f}"
    return f"| {name} | {ours:.4f} | {other} | {ratio} | {bar} | {'yes' if kept else 'NO'} |"


def alpha_rows() -> list[str]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 101, 4000)
    ratings = np.clip(truth[:, None] + rng.integers(-9, 10, (4000, 3)), 0, 100).astype(float)
    rows = []
    for metric in Metric:
        ours = seconds(lambda metric=metric: krippendorff_alpha(ratings, metric))
        theirs = seconds(
            lambda metric=metric: krippendorff.alpha(ratings.T, level_of_measurement=metric.value), 2
        )
        same = abs(
            (krippendorff_alpha(ratings, metric).value or 0.0)
            - krippendorff.alpha(ratings.T, level_of_measurement=metric.value)
        )
        kept = theirs / ours >= 50 and same < 1e-9
        rows.append(
            row(f"alpha {metric}, 4,000 units x 101 values x 3", ours, theirs, ">= 50 x, same value", kept)
        )
    return rows


def tie_rows() -> list[str]:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(500), 15)
    human = rng.integers(1, 6, groups.size).astype(float)
    metric = human + rng.normal(size=groups.size)
    once = seconds(lambda: calibrate_ties(metric, human, groups))
    crossed = seconds(lambda: tie_calibrated_accuracy(metric, human, groups))
    return [
        row("tie calibration, 500 x 15", once, None, "< 0.1 s", once < 0.1),
        row("tie calibration, cross-fitted with interval, 500 x 15", crossed, None, "< 0.2 s", crossed < 0.2),
    ]


def large_rows() -> list[str]:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(20_000), 5)
    human = rng.integers(1, 6, groups.size).astype(float)
    judge = np.clip(human + rng.integers(-1, 2, groups.size), 1, 5)
    rows = []
    for name in (
        "pearson",
        "spearman",
        "kendall_tau_b",
        "cohen_kappa_quadratic",
        "gwet_ac1",
        "krippendorff_ordinal",
        "icc_2_1",
        "pairwise_accuracy",
    ):
        statistic = pair_statistic(name, [1, 2, 3, 4, 5])
        ours = seconds(lambda statistic=statistic: statistic(judge, human).estimate(groups), 3)
        rows.append(row(f"{name} with clustered interval, 100,000 items", ours, None, "< 1 s", ours < 1))
    for name, statistic in (("pearson", pearson), ("spearman", spearman), ("kendall_tau_b", kendall_tau_b)):
        ours = seconds(lambda statistic=statistic: by_group(statistic, judge, human, groups), 3)
        rows.append(row(f"{name} by group, 20,000 groups x 5", ours, None, "< 1 s", ours < 1))
    return rows


RUBRIC = """\
rubric: reply
version: 1
unit: turn
about: A reply.
criteria:
  tone:
    question: How friendly is it?
    scale: ordinal
    levels: {1: "rude", 2: "cold", 3: "plain", 4: "warm", 5: "very warm"}
"""


def command_rows(dialogues: int = 20_000, turns: int = 5) -> list[str]:
    """`evalharness agree` in a process of its own, with processor seconds and peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _write_run(place, dialogues, turns)
        here = [sys.executable, "-m", "evalharness"]
        judge = f"j=replay:{place / 'outputs.jsonl'}"
        scored = [
            *here,
            "score",
            place / "in.jsonl",
            "-r",
            place / "reply.yaml",
            "-j",
            judge,
            "-o",
            place / "run",
            "-q",
        ]
        subprocess.run(scored, check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured = run_measured([*here, "agree", place / "run", "-l", place / "labels.csv", "-q"], os.environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Not ru_maxrss: Linux counts in it what this process held when it started the command, and that is the
    # arrays of the rows above.
    peak, items = measured.peak / 1e3, f"{dialogues * turns:,}"
    kept = "yes" if peak < 1 else "NO"
    return [
        row(f"evalharness agree, {items} labelled items, processor time", used, None, "< 20 s", used < 20),
        f"| the same, peak memory in GB | {peak:.2f} |  |  | < 1 GB | {kept} |",
    ]


def _write_run(place: Path, dialogues: int, turns: int) -> None:
    rng = np.random.default_rng(3)
    human = rng.integers(1, 6, (dialogues, turns))
    judge = np.clip(human + rng.integers(-1, 2, human.shape), 1, 5)
    (place / "reply.yaml").write_text(RUBRIC, encoding="utf-8")
    with (place / "in.jsonl").open("w") as lines, (place / "outputs.jsonl").open("w") as said:
        said.write('{"judge": "recorded"}\n')
        for i in range(dialogues):
            messages = []
            for k in range(turns):
                messages += [
                    {"role": "user", "content": f"question {k}"},
                    {"role": "assistant", "content": "word " * (3 + (i + k) % 20)},
                ]
                answer = {"dialogue": f"d{i}", "turn": 2 * k + 1, "criterion": "tone"}
                said.write(json.dumps({**answer, "outputs": [float(judge[i, k])]}) + "\n")
            lines.write(json.dumps({"id": f"d{i}", "messages": messages}) + "\n")
    with (place / "labels.csv").open("w") as labels:
        labels.write("dialogue,turn,criterion,rater,value\n")
        for i in range(dialogues):
            for k in range(turns):
                labels.write(f"d{i},{2 * k + 1},tone,ann,{human[i, k]}\n")


def main() -> None:
    print("| what | ours, s | theirs, s | ratio | bar | kept |")
    print("|---|---|---|---|---|---|")
    for line in (*alpha_rows(), *tie_rows(), *large_rows()):
        print(line, flush=True)
    for line in command_rows() if "--command" in sys.argv[1:] else ():
        print(line)


if __name__ == "__main__":
    main()
