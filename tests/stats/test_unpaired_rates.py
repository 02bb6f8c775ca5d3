import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from evalharness.stats.rates import wilson, wilson_clustered
from evalharness.stats.unpaired_rates import (
    TwoRates,
    agresti_caffo,
    difference_of_estimates,
    miettinen_nurminen,
    newcombe,
    two_rates_test,
)

sample = st.integers(1, 80).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
tables = st.builds(lambda a, b: TwoRates(a[0], a[1], b[0], b[1]), sample, sample)

PERONDI = TwoRates(7, 34, 1, 34)


def test_published_intervals() -> None:
    """Fagerland, Lydersen & Laake (2015) for 7/34 against 1/34, to the two digits printed there.

    The .028 to .34 that they print as Miettinen-Nurminen is the interval without the N/(N-1) factor (Mee); R
    contingencytables prints .0284 to .3439 for it.
    """
    printed = [newcombe(PERONDI), agresti_caffo(PERONDI), miettinen_nurminen(PERONDI, corrected=False)]
    assert [round(e.low, 3) for e in printed] == [0.019, 0.012, 0.028]
    assert [round(e.high, 2) for e in printed] == [0.34, 0.32, 0.34]
    assert (round(printed[2].low, 4), round(printed[2].high, 4)) == (0.0284, 0.3439)


def test_miettinen_nurminen_published() -> None:
    """R contingencytables: 0/16 against 15/72, where statsmodels' closed form fails with NaN."""
    estimate = miettinen_nurminen(TwoRates(0, 16, 15, 72))
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (-0.3164, -0.0056)


@given(tables)
def test_newcombe_and_agresti_caffo_agree_with_statsmodels(table: TwoRates) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    counts = (table.successes_first, table.n_first, table.successes_second, table.n_second)
    for ours, name in ((newcombe, "newcomb"), (agresti_caffo, "agresti-caffo")):
        low, high = proportion.confint_proportions_2indep(*counts, method=name, compare="diff")
        estimate = ours(table)
        assert estimate.low == pytest.approx(max(-1.0, low), abs=1e-9)
        assert estimate.high == pytest.approx(min(1.0, high), abs=1e-9)


@given(tables)
def test_score_bounds_solve_the_score_equation(table: TwoRates) -> None:
    """At a bound inside (-1, 1) the statistic, with the rates maximised numerically, equals the quantile."""
    estimate = miettinen_nurminen(table)
    for delta in (estimate.low, estimate.high):
        if abs(delta) < 0.999:
            assert abs(_numeric_score(table, delta)) == pytest.approx(1.959964, abs=2e-3)


def _numeric_score(table: TwoRates, delta: float) -> float:
    x1, n1, x2, n2 = table.successes_first, table.n_first, table.successes_second, table.n_second

    def loss(p: float) -> float:
        q = p + delta
        return -float(xlogy(x1, q) + xlogy(n1 - x1, 1 - q) + xlogy(x2, p) + xlogy(n2 - x2, 1 - p))

    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)
    p = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = ((p + delta) * (1 - p - delta) / n1 + p * (1 - p) / n2) * table.n / (table.n - 1)
    return (table.difference - delta) / np.sqrt(variance)


@given(tables, st.sampled_from([newcombe, agresti_caffo, miettinen_nurminen]))
def test_swapping_samples_mirrors(table: TwoRates, interval: object) -> None:
    swapped = TwoRates(table.successes_second, table.n_second, table.successes_first, table.n_first)
    one, other = interval(table), interval(swapped)
    assert one.value == pytest.approx(-other.value)
    assert one.low == pytest.approx(-other.high, abs=1e-8)
    assert -1.0 <= one.low <= one.high <= 1.0


@given(tables, st.floats(-0.8, 0.8))
def test_interval_is_what_the_test_does_not_reject(table: TwoRates, margin: float) -> None:
    estimate, test = miettinen_nurminen(table), two_rates_test(table, margin)
    if test.p is not None and abs(test.p - 0.05) > 1e-6:
        assert (estimate.low < margin < estimate.high) == (test.p > 0.05)


def test_noninferiority_is_one_sided() -> None:
    table = TwoRates(90, 100, 91, 100)
    assert two_rates_test(table, -0.1, "greater").p < 0.05 < two_rates_test(table, -0.05, "greater").p


def test_clustered_rates_combine() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(20), 10)
    first, second = (np.repeat(rng.random(20) < rate, 10).astype(float) for rate in (0.8, 0.5))
    clustered = difference_of_estimates(wilson_clustered(first, groups), wilson_clustered(second, groups))
    naive = difference_of_estimates(wilson(first.sum(), 200), wilson(second.sum(), 200))
    assert clustered.high - clustered.low > 2.5 * (naive.high - naive.low)


def test_empty_samples_are_undefined() -> None:
    empty = TwoRates(0, 0, 3, 4)
    assert all(f(empty).undefined for f in (newcombe, agresti_caffo, miettinen_nurminen, two_rates_test))
    assert two_rates_test(TwoRates(0, 5, 0, 5)).undefined == "neither sample varies"
    with pytest.raises(ValueError, match="do not fit"):
        TwoRates(5, 4, 0, 1)
