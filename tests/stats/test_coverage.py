"""Simulated coverage of a few intervals; ``bench/coverage.py`` makes the whole table."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "coverage.py"


@pytest.mark.slow
def test_nominal_intervals_hold_their_level() -> None:
    spec = importlib.util.spec_from_file_location("bench_coverage", BENCH)
    bench = importlib.util.module_from_spec(spec)
    sys.modules["bench_coverage"] = bench
    spec.loader.exec_module(bench)
    names = (
        "pearson",
        "spearman",
        "kendall_tau_b",
        "cohen_kappa",
        "gwet_ac1",
        "krippendorff_ordinal",
        "icc_2_1",
    )
    figures = {name: bench.named(name) for name in names} | {"mean": bench.others()["mean score"]}
    found = bench.coverage(figures, bench.Design(20, 6, 0.5), replications=600)
    for name, (clustered, _) in found.items():
        assert 0.92 <= clustered <= 0.98, name
    assert found["mean"][1] < 0.85
