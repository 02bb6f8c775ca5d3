"""Two or more binary outcomes on the same items: McNemar's tests, Tango's score interval, Cochran's Q.

Differences are first minus second throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc, ndtri

from evalharness.stats.arrays import FloatArray, paired
from evalharness.stats.bisection import bisect
from evalharness.stats.clustered import cr1_standard_error, t_quantile
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.rates import binomial_pmf
from evalharness.stats.significance import Alternative, Significance, normal_p, untestable

McNemarKind = Literal["exact", "mid-p", "asymptotic", "corrected"]


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """The 2x2 table of paired yes/no outcomes: how many pairs were good under both, one, or neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_first, self.only_second, self.neither) < 0:
            raise ValueError("counts can't be negative")

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def discordant(self) -> int:
        """Number of pairs whose outcomes differ."""
        return self.only_first + self.only_second


def paired_counts(first: ArrayLike, second: ArrayLike) -> PairedCounts:
    """Return the table of two vectors (n,) of 0/1 outcomes; ``ValueError`` on any other value."""
    a, b = _binary_pair(first, second)
    return PairedCounts(
        both=int(np.sum((a == 1) & (b == 1))),
        only_first=int(np.sum((a == 1) & (b == 0))),
        only_second=int(np.sum((a == 0) & (b == 1))),
        neither=int(np.sum((a == 0) & (b == 0))),
    )


def mcnemar(
    table: PairedCounts, kind: McNemarKind = "mid-p", alternative: Alternative = "two-sided"
) -> Significance:
    """Return McNemar's test that both rates are equal.

    exact: binomial over the discordant pairs, conservative. mid-p: half the weight of the observed outcome, the
    default of Fagerland, Lydersen & Laake (2013), BMC Med Res Methodol 13:91. asymptotic, corrected: chi-squared
    with one degree of freedom, without and with Edwards' correction; two-sided only for the corrected one.
    ``statistic`` is the difference of rates for the exact kinds, chi-squared for the others.
    """
    method = f"McNemar {kind}"
    if table.discordant == 0:
        reason = "no discordant pair" if table.n else "no pairs"
        return untestable(reason, method=method, n=table.n, groups=table.n)
    if kind in ("exact", "mid-p"):
        p = _binomial_mcnemar(table, alternative, mid=kind == "mid-p")
        return Significance(p, _difference(table), method, table.n, table.n)
    z = _mcnemar_z(table, corrected=kind == "corrected")
    if kind == "corrected" and alternative != "two-sided":
        raise ValueError("the corrected McNemar test is two-sided")
    return Significance(normal_p(z, alternative), z * z, method, table.n, table.n)


def tango(table: PairedCounts, level: float = 0.95) -> Estimate:
    """Return the difference of paired rates with Tango's score interval.

    Tango (1998), Statistics in Medicine 17:891-908: all differences that the score test does not reject.
    Defined, and not empty, without discordant pairs too.
    """
    if table.n == 0:
        return undefined("no pairs", level=level, method="Tango")
    z = float(ndtri(0.5 + level / 2))
    low, high = _tango_bounds(table.only_first, table.only_second, table.n, z)
    return Estimate(_difference(table), None, low, high, level, "Tango", table.n, table.n, None)


def tango_clustered(
    first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return the difference of paired rates with Tango's interval at the effective number of pairs.

    The table is scaled by naive over CR1 variance of the difference (at most 1), and the normal quantile becomes
    Student's with G - 1 degrees of freedom. If no pair differs, one pair a group is counted.
    """
    a, b = _binary_pair(first, second)
    if a.size == 0:
        return undefined("no pairs", level=level, method="Tango, clustered")
    difference = a - b
    value = float(difference.mean())
    se, count = cr1_standard_error(difference, groups)
    if se is None:
        return point(value, n=a.size, groups=count, level=level, method="none: a single group")
    effective = _effective_pairs(difference, se, count)
    scale = effective / a.size
    only_first, only_second = float(np.sum(difference > 0)), float(np.sum(difference < 0))
    quantile = t_quantile(0.5 + level / 2, count - 1)
    low, high = _tango_bounds(only_first * scale, only_second * scale, effective, quantile)
    method = f"Tango, clustered (effective n {effective:.1f})+t({count - 1})"
    return Estimate(value, se, low, high, level, method, a.size, count, None)


def tango_test(
    table: PairedCounts, margin: float = 0.0, alternative: Alternative = "two-sided"
) -> Significance:
    """Return Tango's score test of H0: first - second = ``margin``; with margin 0 it is McNemar's.

    ``margin=-0.05, alternative="greater"`` tests non-inferiority by five points (Nam 1997; Tango 1998).
    """
    method = "Tango score test"
    if table.n == 0:
        return untestable("no pairs", method=method, n=0, groups=0)
    z = _tango_score(table.only_first, table.only_second, table.n, margin)
    if not math.isfinite(z):
        return untestable("no discordant pair", method=method, n=table.n, groups=table.n)
    return Significance(normal_p(z, alternative), z, method, table.n, table.n)


def cochran_q(outcomes: ArrayLike) -> Significance:
    """Return Cochran's Q (1950) for `outcomes` (n items, k systems) of 0/1: do k paired rates differ?

    Q = (k - 1) (k sum_j C_j^2 - T^2) / (k T - sum_i R_i^2), chi-squared with k - 1 degrees of freedom.
    """
    table = np.asarray(outcomes, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not np.isin(table, (0.0, 1.0)).all():
        raise ValueError("outcomes must be a matrix (items, at least 2 systems) of 0 and 1")
    n, k = table.shape
    method = f"Cochran Q, chi2({k - 1})"
    columns, rows, total = table.sum(axis=0), table.sum(axis=1), table.sum()
    spread = float(k * total - rows @ rows)
    if spread == 0.0:
        return untestable("no item on which the systems differ", method=method, n=n, groups=n)
    q = (k - 1) * float(k * (columns @ columns) - total**2) / spread
    return Significance(float(chdtrc(k - 1, q)), q, method, n, n)


def _binary_pair(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = paired(first, second)
    if not (np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
        raise ValueError("binary outcomes are 0 or 1")
    return a, b


def _difference(table: PairedCounts) -> float:
    return (table.only_first - table.only_second) / table.n


def _binomial_mcnemar(table: PairedCounts, alternative: Alternative, *, mid: bool) -> float:
    count, n = table.only_first, table.discordant
    if alternative == "greater":
        count = table.only_second
    elif alternative == "two-sided":
        count = min(table.only_first, table.only_second)
    tail = float(bdtr(count, n, 0.5))
    observed = float(binomial_pmf(n, 0.5)[count])
    if alternative != "two-sided":
        return tail - 0.5 * observed if mid else tail
    if table.only_first == table.only_second:
        return 1.0 - 0.5 * observed if mid else 1.0
    return 2.0 * tail - observed if mid else min(1.0, 2.0 * tail)


def _mcnemar_z(table: PairedCounts, *, corrected: bool) -> float:
    gap = table.only_first - table.only_second
    size = max(0, abs(gap) - 1) if corrected else abs(gap)
    return math.copysign(size / math.sqrt(table.discordant), gap)


def _effective_pairs(difference: FloatArray, se: float, groups: int) -> float:
    naive = float(difference.var(ddof=1)) / difference.size if difference.size > 1 else 0.0
    if se == 0.0 or naive == 0.0:
        return float(groups)
    return difference.size * min(1.0, naive / se**2)


def _tango_bounds(only_first: float, only_second: float, n: float, z: float) -> tuple[float, float]:
    value = (only_first - only_second) / n
    low = bisect(lambda delta: _tango_score(only_first, only_second, n, delta) - z, -1.0, value)
    high = bisect(lambda delta: _tango_score(only_first, only_second, n, delta) + z, value, 1.0)
    return low, high


def _tango_score(only_first: float, only_second: float, n: float, delta: float) -> float:
    """Return the score statistic of H0: difference = ``delta``; decreasing in ``delta``.

    q is the constrained maximum-likelihood rate of "only second": the root of a quadratic.
    """
    b = -only_first - only_second + (2 * n - only_first + only_second) * delta
    c = -only_second * delta * (1 - delta)
    q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    gap = only_first - only_second - n * delta
    if variance <= 0.0:
        return math.nan if gap == 0.0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)
