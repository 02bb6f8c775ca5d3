import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.paired_rates import (
    PairedCounts,
    cochran_q,
    mcnemar,
    paired_counts,
    tango,
    tango_clustered,
    tango_test,
)

cell = st.integers(0, 60)
tables = st.builds(PairedCounts, cell, cell, cell, cell)

AGRESTI = PairedCounts(794, 86, 150, 570)  # Agresti (1990), approval of a prime minister
BENTUR = PairedCounts(1, 1, 7, 12)  # Fagerland, Lydersen & Laake (2014)
CAVO = PairedCounts(59, 6, 16, 80)  # ibid.


def test_mcnemar_agresti() -> None:
    assert mcnemar(AGRESTI, "asymptotic").statistic == pytest.approx(17.356, abs=5e-4)
    assert mcnemar(AGRESTI, "corrected").statistic == pytest.approx(16.818, abs=5e-4)
    assert mcnemar(AGRESTI, "exact").p == pytest.approx(3.716e-5, abs=5e-9)


def test_mcnemar_fagerland() -> None:
    kinds = ("exact", "mid-p", "asymptotic", "corrected")
    assert [round(mcnemar(BENTUR, kind).p, 3) for kind in kinds] == [0.070, 0.039, 0.034, 0.077]
    assert round(mcnemar(CAVO, "exact").p, 6) == 0.052479
    assert round(mcnemar(CAVO, "mid-p").p, 6) == 0.034690


@pytest.mark.parametrize(
    ("table", "level", "low", "high"),
    [
        (BENTUR, 0.95, -0.517, -0.026),
        (CAVO, 0.95, -0.1240, -0.0054),
        (PairedCounts(300, 28, 25, 265), 0.90, -0.0148, 0.0247),
    ],
)
def test_tango_published(table: PairedCounts, level: float, low: float, high: float) -> None:
    """R contingencytables, ratesci and PropCIs print these digits."""
    digits = 3 if table is BENTUR else 4
    estimate = tango(table, level)
    assert (round(estimate.low, digits), round(estimate.high, digits)) == (low, high)


def test_tango_without_discordant_pairs_has_the_closed_form() -> None:
    z2 = 1.959963984540054**2
    estimate = tango(PairedCounts(20, 0, 0, 16))
    assert estimate.high == pytest.approx(z2 / (36 + z2), abs=1e-9)
    assert estimate.low == pytest.approx(-estimate.high, abs=1e-12)


@given(tables)
def test_mcnemar_agrees_with_statsmodels(table: PairedCounts) -> None:
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    if table.discordant == 0:
        assert mcnemar(table).undefined
        return
    cells = [[table.both, table.only_first], [table.only_second, table.neither]]
    assert mcnemar(table, "exact").p == pytest.approx(contingency.mcnemar(cells, exact=True).pvalue, rel=1e-8)
    plain = contingency.mcnemar(cells, exact=False, correction=False)
    assert mcnemar(table, "asymptotic").p == pytest.approx(plain.pvalue, rel=1e-8)


@given(tables)
def test_swapping_systems_mirrors(table: PairedCounts) -> None:
    if table.n == 0:
        assert tango(table).undefined == "no pairs"
        return
    swapped = PairedCounts(table.both, table.only_second, table.only_first, table.neither)
    one, other = tango(table), tango(swapped)
    assert one.low == pytest.approx(-other.high, abs=1e-9)
    assert one.low - 1e-12 <= one.value <= one.high + 1e-12
    if table.discordant:
        assert mcnemar(table).p == mcnemar(swapped).p
        assert mcnemar(table, alternative="less").p == mcnemar(swapped, alternative="greater").p


@given(tables, st.floats(-0.9, 0.9))
def test_interval_is_what_the_score_test_does_not_reject(table: PairedCounts, margin: float) -> None:
    if table.n == 0:
        return
    estimate, test = tango(table), tango_test(table, margin)
    if test.p is None:
        return
    inside = estimate.low < margin < estimate.high
    assert inside == (test.p > 0.05) or abs(test.p - 0.05) < 1e-6


def test_score_test_at_zero_is_mcnemar() -> None:
    assert tango_test(AGRESTI).statistic ** 2 == pytest.approx(mcnemar(AGRESTI, "asymptotic").statistic)


def test_counts_from_outcomes() -> None:
    assert paired_counts([1, 1, 0, 0, 1], [1, 0, 1, 0, 1]) == PairedCounts(2, 1, 1, 1)
    with pytest.raises(ValueError, match="0 or 1"):
        paired_counts([1, 2], [1, 0])  # a label outside the declared set is never mapped to a class


def test_clustered_tango_counts_groups() -> None:
    rng = np.random.default_rng(5)
    first, second = (rng.random(40) < 0.8).astype(float), (rng.random(40) < 0.6).astype(float)
    once = tango_clustered(first, second)
    copies = tango_clustered(np.repeat(first, 5), np.repeat(second, 5), np.repeat(np.arange(40), 5))
    naive = tango(paired_counts(np.repeat(first, 5), np.repeat(second, 5)))
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.03)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


def test_clustered_tango_of_equal_runs_is_no_point() -> None:
    same = tango_clustered(np.ones(100), np.ones(100), np.arange(100) % 10)
    assert same.value == 0.0
    assert same.low < -0.2 < 0.2 < same.high


@pytest.mark.parametrize(
    ("rows", "q"),
    [
        ("1011 0111 1110 0100 0100 1010 0100 1111 0100", 4.2),  # R CVST, 9 x 4
        ("111 111 010 110 000 111 111 110 001 010 111 111", 2.8),  # Conover, p. 253
    ],
)
def test_cochran_q_published(rows: str, q: float) -> None:
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    table = np.array([[int(cell) for cell in row] for row in rows.split()])
    ours = cochran_q(table)
    assert ours.statistic == pytest.approx(q)
    assert f"chi2({table.shape[1] - 1})" in ours.method
    assert ours.p == pytest.approx(contingency.cochrans_q(table).pvalue)


@given(st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=2), min_size=1, max_size=40))
def test_cochran_q_of_two_is_mcnemar(rows: list[list[int]]) -> None:
    table = paired_counts([row[0] for row in rows], [row[1] for row in rows])
    if table.discordant == 0:
        assert cochran_q(rows).undefined
    else:
        assert cochran_q(rows).statistic == pytest.approx(mcnemar(table, "asymptotic").statistic)


def test_nothing_to_test_is_undefined() -> None:
    assert mcnemar(PairedCounts(5, 0, 0, 3)).undefined == "no discordant pair"
    assert tango_test(PairedCounts(5, 0, 0, 3)).undefined
    assert tango_clustered([], []).undefined == "no pairs"
