"""Intervals for the difference of two independent rates, first minus second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from evalharness.stats.bisection import bisect
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.rates import wilson
from evalharness.stats.significance import Alternative, Significance, normal_p, untestable


@dataclass(frozen=True, slots=True)
class TwoRates:
    """Successes and numbers of observations of two independent samples."""

    successes_first: int
    n_first: int
    successes_second: int
    n_second: int

    def __post_init__(self) -> None:
        for successes, n in ((self.successes_first, self.n_first), (self.successes_second, self.n_second)):
            if not 0 <= successes <= n:
                raise ValueError(f"{successes} successes do not fit {n} observations")

    @property
    def n(self) -> int:
        """Observations in both samples."""
        return self.n_first + self.n_second

    @property
    def is_empty(self) -> bool:
        """Whether either sample has no observation."""
        return self.n_first == 0 or self.n_second == 0

    @property
    def rates(self) -> tuple[float, float]:
        """Both rates; needs non-empty samples."""
        return self.successes_first / self.n_first, self.successes_second / self.n_second

    @property
    def difference(self) -> float:
        """First rate minus second; needs non-empty samples."""
        first, second = self.rates
        return first - second


def newcombe(table: TwoRates, level: float = 0.95) -> Estimate:
    """Return Newcombe's hybrid score interval: two Wilson intervals combined by square-and-add.

    Newcombe (1998), Statistics in Medicine 17:873-890, method 10.
    """
    if table.is_empty:
        return _empty(table, level, "Newcombe")
    first = wilson(table.successes_first, table.n_first, level)
    second = wilson(table.successes_second, table.n_second, level)
    return difference_of_estimates(first, second, method="Newcombe")


def difference_of_estimates(first: Estimate, second: Estimate, method: str = "MOVER") -> Estimate:
    """Return ``first - second`` of independent estimates by variance recovery (Zou & Donner 2008).

    The distance from each value to its own bound stands for its standard error on that side, so that
    clustered or otherwise asymmetric intervals keep their properties in the difference.
    """
    n, groups = first.n + second.n, first.groups + second.groups
    if first.value is None or second.value is None:
        reason = first.undefined or second.undefined or "no value"
        return undefined(reason, n=n, groups=groups, level=first.level, method=method)
    if first.level != second.level:
        raise ValueError("both intervals must have the same level")
    difference = first.value - second.value
    low, high = _square_and_add(difference, first, second)
    return Estimate(difference, None, low, high, first.level, method, n, groups, None)


def agresti_caffo(table: TwoRates, level: float = 0.95) -> Estimate:
    """Return the Wald interval after adding one success and one failure to each sample.

    Agresti & Caffo (2000), The American Statistician 54:280-288. The value is the unadjusted difference.
    """
    if table.is_empty:
        return _empty(table, level, "Agresti-Caffo")
    n1, n2 = table.n_first + 2, table.n_second + 2
    p1, p2 = (table.successes_first + 1) / n1, (table.successes_second + 1) / n2
    se = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    reach = float(ndtri(0.5 + level / 2)) * se
    low, high = max(-1.0, p1 - p2 - reach), min(1.0, p1 - p2 + reach)
    return Estimate(table.difference, se, low, high, level, "Agresti-Caffo", table.n, table.n, None)


def miettinen_nurminen(table: TwoRates, level: float = 0.95, *, corrected: bool = True) -> Estimate:
    """Return the asymptotic score interval: all differences that the score test does not reject.

    Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226. corrected: with their N/(N-1) variance factor;
    without it the interval is Mee's (1984), slightly narrower, which some tables print under their name.
    """
    method = "Miettinen-Nurminen" if corrected else "Mee"
    if table.is_empty:
        return _empty(table, level, method)
    z = float(ndtri(0.5 + level / 2))
    factor = _small_sample_factor(table) if corrected else 1.0
    difference = table.difference
    low = bisect(lambda delta: _score(table, delta, factor) - z, -1.0, difference)
    high = bisect(lambda delta: _score(table, delta, factor) + z, difference, 1.0)
    return Estimate(difference, None, low, high, level, method, table.n, table.n, None)


def two_rates_test(
    table: TwoRates, margin: float = 0.0, alternative: Alternative = "two-sided"
) -> Significance:
    """Return the Miettinen-Nurminen score test of H0: first - second = ``margin``.

    With ``margin=-0.05, alternative="greater"`` it is the test of non-inferiority by five points.
    """
    method = "Miettinen-Nurminen score test"
    if table.is_empty:
        return untestable("a sample is empty", method=method, n=table.n, groups=table.n)
    z = _score(table, margin, _small_sample_factor(table))
    if not math.isfinite(z):
        return untestable("neither sample varies", method=method, n=table.n, groups=table.n)
    return Significance(normal_p(z, alternative), z, method, table.n, table.n)


def _empty(table: TwoRates, level: float, method: str) -> Estimate:
    return undefined("a sample is empty", n=table.n, groups=table.n, level=level, method=method)


def _square_and_add(
    difference: float, first: Estimate, second: Estimate
) -> tuple[float | None, float | None]:
    if first.value is None or first.low is None or first.high is None:
        return None, None
    if second.value is None or second.low is None or second.high is None:
        return None, None
    low = difference - math.hypot(first.value - first.low, second.high - second.value)
    high = difference + math.hypot(first.high - first.value, second.value - second.low)
    return low, high


def _small_sample_factor(table: TwoRates) -> float:
    return table.n / (table.n - 1)


def _score(table: TwoRates, delta: float, factor: float) -> float:
    """Return the score statistic of H0: difference = ``delta``; decreasing in ``delta``."""
    gap = table.difference - delta
    p1, p2 = _constrained(table, delta)
    n1, n2 = table.n_first, table.n_second
    variance = factor * (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    if variance <= 0.0:
        return math.nan if gap == 0.0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def _constrained(table: TwoRates, delta: float) -> tuple[float, float]:
    """Return the maximum-likelihood rates given their difference: the root of a cubic in closed form."""
    n1, n2, x2 = table.n_first, table.n_second, table.successes_second
    total, successes = n1 + n2, table.successes_first + x2
    l3 = float(total)
    l2 = (n1 + 2 * n2) * delta - total - successes
    l1 = (n2 * delta - total - 2 * x2) * delta + successes
    l0 = x2 * delta * (1 - delta)
    q = l2**3 / (27 * l3**3) - l1 * l2 / (6 * l3**2) + l0 / (2 * l3)
    u = math.copysign(math.sqrt(max(0.0, l2**2 / (9 * l3**2) - l1 / (3 * l3))), q)
    angle = (math.pi + math.acos(min(1.0, max(-1.0, q / u**3)))) / 3 if u != 0.0 else math.pi / 2
    p2 = 2 * u * math.cos(angle) - l2 / (3 * l3)
    p2 = min(max(p2, 0.0, -delta), 1.0, 1.0 - delta)
    return min(1.0, max(0.0, p2 + delta)), p2
