import numpy as np
import pytest

from evalharness.stats.bca_tails import acceleration, bca_tails, bias_correction
from evalharness.stats.chance_corrected import fleiss_kappa
from evalharness.stats.correlation import pearson
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.resampling import bca_interval, bootstrap_t_interval, jackknife_interval

INTERVALS = [bca_interval, bootstrap_t_interval]


def correlated(seed: int, groups: int = 25, size: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)
    x = rng.normal(size=groups)[codes] + rng.normal(size=codes.size)
    return x, x + rng.normal(size=groups)[codes] + rng.normal(size=codes.size), codes


@pytest.mark.parametrize("interval", INTERVALS)
def test_close_to_the_linearised_interval(interval) -> None:
    x, y, codes = correlated(1)
    found = interval(lambda rows: pearson(x[rows], y[rows]), codes, draws=1000)
    linear = pearson(x, y).estimate(codes)
    assert found.value == linear.value
    assert found.se == pytest.approx(linear.se, rel=0.25)
    assert (found.low, found.high) == pytest.approx((linear.low, linear.high), abs=0.12)
    assert "1000 draws of 25 groups, seed 0" in found.method


@pytest.mark.parametrize("interval", INTERVALS)
def test_seeded(interval) -> None:
    x, y, codes = correlated(2, groups=10)
    runs = [interval(lambda rows: spearman(x[rows], y[rows]), codes, draws=60, seed=s) for s in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0].low != runs[2].low


@pytest.mark.parametrize("interval", INTERVALS)
def test_groups_are_drawn_whole(interval) -> None:
    x, y, codes = correlated(3)
    seen: list[np.ndarray] = []

    def recompute(rows: np.ndarray):
        seen.append(rows)
        return pearson(x[rows], y[rows])

    interval(recompute, codes, draws=20)
    for rows in seen[1:21]:
        counts = np.bincount(rows, minlength=100).reshape(25, 4)
        assert (counts == counts[:, :1]).all()
        assert rows.size == 100


@pytest.mark.parametrize("interval", INTERVALS)
def test_without_interval_says_why(interval) -> None:
    x, y, codes = correlated(4, groups=4)
    few = interval(lambda rows: pearson(x[rows], y[rows]), codes)
    assert few.low is None
    assert "needs at least 5 groups" in few.method
    flat = interval(lambda rows: pearson(np.ones(rows.size), rows), np.arange(30))
    assert flat.undefined.startswith("the first side")
    same = interval(
        lambda rows: fleiss_kappa(np.tile([[1, 1], [2, 2]], (10, 1))[rows], [1, 2]), np.arange(20), draws=50
    )
    assert same.value == 1.0
    assert same.low is None


@pytest.mark.parametrize("interval", INTERVALS)
def test_undefined_resamples_are_counted(interval) -> None:
    x = np.zeros(12)
    x[0] = 1.0
    y = np.random.default_rng(5).normal(size=12)
    found = interval(lambda rows: pearson(x[rows], y[rows]), np.arange(12), draws=200)
    assert found.low is None
    assert "undefined in" in found.method


def test_bca_of_the_law_school_data() -> None:
    """Efron & Tibshirani (1993): correlation of 15 law schools .776; their 90 % BCa interval is about [.43, .92]."""
    lsat = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594])
    gpa = np.array([3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96])
    found = bca_interval(lambda rows: pearson(lsat[rows], gpa[rows]), np.arange(15), level=0.9, draws=4000)
    assert found.value == pytest.approx(0.776, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((0.43, 0.92), abs=0.03)


def test_bca_agrees_with_scipy() -> None:
    import scipy.stats as ss

    x, y, _ = correlated(6, groups=30, size=1)
    ours = bca_interval(lambda rows: pearson(x[rows], y[rows]), np.arange(30), draws=4000)
    theirs = ss.bootstrap(
        (x, y), lambda a, b: np.corrcoef(a, b)[0, 1], paired=True, n_resamples=4000, vectorized=False, rng=1
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bca_arithmetic() -> None:
    assert bca_tails(0.0, 0.0, 0.95) == pytest.approx((0.025, 0.975))
    low, high = bca_tails(0.1, 0.05, 0.95)
    assert low > 0.025
    assert high > 0.975
    assert bias_correction(np.array([1.0, 2.0, 3.0]), 2.0) == pytest.approx(0.0)
    assert bias_correction(np.array([1.0]), 2.0) == np.inf
    assert acceleration(np.ones(5)) == 0.0
    assert acceleration(np.array([0.0, 0.0, 0.0, -4.0])) > 0


def test_jackknife_of_a_mean_like_statistic_is_cr1() -> None:
    x, y, codes = correlated(7)
    found = jackknife_interval(lambda rows: pearson(x[rows], y[rows]), codes)
    linear = pearson(x, y).estimate(codes)
    assert found.value == linear.value
    assert linear.se < found.se < 1.2 * linear.se
    assert found.method == "jackknife+t(24), fisher scale"
    assert found.low < linear.low


def test_jackknife_without_an_answer() -> None:
    x, y, codes = correlated(8, groups=3)
    single = jackknife_interval(lambda rows: pearson(x[rows], y[rows]), np.zeros(12))
    assert (single.se, single.method) == (None, "none: a single group")
    lonely = jackknife_interval(lambda rows: pearson(codes[rows] == 0, y[rows]), codes)
    assert lonely.method == "none: undefined without one of the groups"
    flat = jackknife_interval(lambda rows: pearson(x[rows], x[rows]), codes)
    assert flat.method == "none: no variation between groups"
    undefined = jackknife_interval(lambda rows: pearson(np.ones(rows.size), y[rows]), codes)
    assert undefined.value is None
