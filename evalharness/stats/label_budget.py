"""How many human labels a wanted half-width of an interval needs. Sizes are unrounded."""

from __future__ import annotations

import math

from scipy.special import ndtri

from evalharness.stats.bisection import bisect


def rate_labels(rate: float, half_width: float, level: float = 0.95) -> float:
    """Return labels for a rate, n = z^2 p (1 - p) / h^2; a rate of .5 is the worst case."""
    return _z(level) ** 2 * rate * (1.0 - rate) / half_width**2


def mean_labels(sd: float, half_width: float, level: float = 0.95) -> float:
    """Return labels for a mean of values with standard deviation ``sd``."""
    return (_z(level) * sd / half_width) ** 2


def kappa_labels(kappa: float, prevalence: float, half_width: float, level: float = 0.95) -> float:
    """Return labels for Cohen's kappa of two classes with equal marginals.

    n = z^2 V / h^2, V = (1 - k) ((1 - k)(1 - 2k) + k (2 - k) / (2 p (1 - p))) (Donner & Eliasziw 1992).
    ``half_width`` is the plus-or-minus of the interval, not its whole width.
    """
    if not 0.0 < prevalence < 1.0:
        raise ValueError("prevalence lies between 0 and 1")
    spread = kappa * (2.0 - kappa) / (2.0 * prevalence * (1.0 - prevalence))
    variance = (1.0 - kappa) * ((1.0 - kappa) * (1.0 - 2.0 * kappa) + spread)
    return _z(level) ** 2 * variance / half_width**2


def kappa_half_width(kappa: float, prevalence: float, n: float, level: float = 0.95) -> float:
    """Return the half-width of the interval of kappa that ``n`` labels give."""
    return math.sqrt(kappa_labels(kappa, prevalence, 1.0, level) / n)


def pearson_labels(r: float, half_width: float, level: float = 0.95) -> float:
    """Return labels for Pearson's r: the Fisher-z interval tanh(atanh r +- z / sqrt(n - 3)) is 2 h wide.

    Bonett & Wright (2000), Psychometrika 65:23-28.
    """
    centre, z = math.atanh(r), _z(level)
    reach = bisect(lambda d: half_width - 0.5 * (math.tanh(centre + d) - math.tanh(centre - d)), 0.0, 20.0)
    return 3.0 + (z / reach) ** 2


def _z(level: float) -> float:
    return float(ndtri(0.5 + level / 2))
