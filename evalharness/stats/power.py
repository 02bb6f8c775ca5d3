"""How many items, scenarios and judge samples a comparison needs, and what it can detect.

``alpha`` is the error rate of the whole test and ``sides`` 2 or 1; ``power`` the wanted probability of detection.
Sizes are returned unrounded (:func:`whole` rounds them up), effects in units of the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtr, nctdtr, ndtri

from evalharness.stats.bisection import bisect
from evalharness.stats.clustered import t_quantile

_SMALLEST_N = 2.0
_LARGEST_N = 1e9
_NEGLIGIBLE_OTHER_TAIL = 5.0  # the other tail is below Phi(-5), and scipy loses it to NaN further out


@dataclass(frozen=True, slots=True)
class Wanted:
    """The error rates of a planned test: false alarms ``alpha`` over ``sides``, detections ``power``."""

    alpha: float = 0.05
    power: float = 0.8
    sides: int = 2

    def __post_init__(self) -> None:
        if not (0.0 < self.alpha < 1.0 and 0.0 < self.power < 1.0 and self.sides in (1, 2)):
            raise ValueError("alpha and power lie between 0 and 1, sides are 1 or 2")

    @property
    def z(self) -> float:
        """z_(1 - alpha/sides) + z_power."""
        return float(ndtri(1.0 - self.alpha / self.sides) + ndtri(self.power))


DEFAULT = Wanted()


def whole(n: float) -> int:
    """Return the smallest whole number of items that is enough, forgiving rounding noise."""
    return math.ceil(n - 1e-9)


def paired_n(sd: float, effect: float, wanted: Wanted = DEFAULT) -> float:
    """Return the number of pairs to detect a mean difference, n = (z sd / effect)^2."""
    return (wanted.z * sd / _positive(effect)) ** 2


def paired_effect(sd: float, n: float, wanted: Wanted = DEFAULT) -> float:
    """Return the smallest mean difference that ``n`` pairs detect."""
    return wanted.z * sd / math.sqrt(n)


def two_sample_n(sd: float, effect: float, wanted: Wanted = DEFAULT) -> float:
    """Return the number of items per run to detect a difference of two independent means."""
    return 2.0 * paired_n(sd, effect, wanted)


def noninferiority_n(
    sd: float, margin: float, true_difference: float = 0.0, wanted: Wanted = DEFAULT
) -> float:
    """Return the number of pairs for the lower bound to clear -margin; one-sided whatever ``wanted.sides`` says."""
    one_sided = Wanted(wanted.alpha, wanted.power, 1)
    return (one_sided.z * sd / _positive(margin + true_difference)) ** 2


def paired_t_n(effect_size: float, wanted: Wanted = DEFAULT) -> float:
    """Return the number of pairs of the t-test for a standardised effect, by the noncentral t distribution."""
    return _smallest(lambda n: t_power(effect_size * math.sqrt(n), n - 1, wanted), wanted)


def two_sample_t_n(effect_size: float, wanted: Wanted = DEFAULT) -> float:
    """Return the number per sample of the two-sample t-test for a standardised effect."""
    return _smallest(lambda n: t_power(effect_size * math.sqrt(n / 2), 2 * n - 2, wanted), wanted)


def t_power(noncentrality: float, df: float, wanted: Wanted = DEFAULT) -> float:
    """Return the probability that a t-test rejects when its statistic has this noncentrality."""
    critical = t_quantile(1.0 - wanted.alpha / wanted.sides, df)
    upper = _upper_tail(critical, df, noncentrality)
    if wanted.sides == 1 or noncentrality > _NEGLIGIBLE_OTHER_TAIL:
        return upper
    return upper + float(nctdtr(df, noncentrality, -critical))


def _upper_tail(critical: float, df: float, noncentrality: float) -> float:
    """Return P(T > critical) of the noncentral t distribution.

    Far out, where scipy gives NaN, the mean over the normal part Z of P(chi2 < df ((noncentrality + Z) / critical)^2).
    """
    lower = float(nctdtr(df, noncentrality, critical))
    if not math.isnan(lower):
        return 1.0 - lower
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    reached = np.maximum(noncentrality + nodes, 0.0) / critical
    return float(weights @ chdtr(df, df * reached**2)) / math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Noise:
    """Variances of a paired difference: what averages out with scenarios, with items, and with judge samples.

    group: between groups. item: between items of a group, of the true differences. first, second: of repeated
    sampling of one item in each run. With one item a group only ``group + item`` matters: Miller's omega^2.
    """

    group: float = 0.0
    item: float = 0.0
    first: float = 0.0
    second: float = 0.0

    def per_group(self, items: float = 1.0, samples_first: float = 1.0, samples_second: float = 1.0) -> float:
        """Return the variance of one group's mean difference."""
        repeated = self.first / samples_first + self.second / samples_second
        return self.group + (self.item + repeated) / items


def miller_n(
    noise: Noise,
    effect: float,
    samples_first: float = 1.0,
    samples_second: float = 1.0,
    wanted: Wanted = DEFAULT,
) -> float:
    """Return the number of independent questions, Miller (2024) eq. 9.

    n = z^2 (omega^2 + sigma_A^2 / K_A + sigma_B^2 / K_B) / effect^2: only the sampling part shrinks with K.
    """
    variance = noise.per_group(1.0, samples_first, samples_second)
    return wanted.z**2 * variance / _positive(effect) ** 2


def miller_effect(
    noise: Noise, n: float, samples_first: float = 1.0, samples_second: float = 1.0, wanted: Wanted = DEFAULT
) -> float:
    """Return the minimum detectable effect of ``n`` independent questions, Miller (2024) eq. 10."""
    return wanted.z * math.sqrt(noise.per_group(1.0, samples_first, samples_second) / n)


def groups_needed(
    noise: Noise, effect: float, items: float = 1.0, samples: float = 1.0, wanted: Wanted = DEFAULT
) -> int | None:
    """Return the number of groups of ``items`` items, each judged ``samples`` times a run, at t(G - 1).

    ``None`` if not even a billion groups are enough.
    """
    sd = math.sqrt(noise.per_group(items, samples, samples))
    if sd == 0.0:
        return 2
    n = paired_t_n(abs(_positive(effect)) / sd, wanted)
    return None if n >= _LARGEST_N else whole(n)


def detectable_effect(
    noise: Noise, groups: int, items: float = 1.0, samples: float = 1.0, wanted: Wanted = DEFAULT
) -> float | None:
    """Return the smallest mean difference that ``groups`` groups detect at t(G - 1); ``None`` with fewer than two."""
    if groups < 2:
        return None
    se = math.sqrt(noise.per_group(items, samples, samples) / groups)
    if se == 0.0:
        return 0.0
    most = 8.0
    while t_power(most, groups - 1, wanted) < wanted.power:
        most *= 2.0
    return se * bisect(lambda ncp: wanted.power - t_power(ncp, groups - 1, wanted), 0.0, most)


def mcnemar_n(discordance: float, effect: float, wanted: Wanted = DEFAULT) -> float:
    """Return the number of pairs for McNemar's test (Connor 1987).

    n = (z_(a/2) sqrt(psi) + z_b sqrt(psi - d^2))^2 / d^2 with the share psi of discordant pairs.
    """
    if not abs(_positive(abs(effect))) <= discordance <= 1.0:
        raise ValueError("the difference can't exceed the share of discordant pairs")
    critical = float(ndtri(1.0 - wanted.alpha / wanted.sides)) * math.sqrt(discordance)
    detected = float(ndtri(wanted.power)) * math.sqrt(discordance - effect**2)
    return ((critical + detected) / effect) ** 2


def mcnemar_effect(discordance: float, n: float, wanted: Wanted = DEFAULT) -> float | None:
    """Return the smallest difference of rates that ``n`` pairs detect; ``None`` if even all discordant pairs can't."""
    if discordance <= 0.0 or mcnemar_n(discordance, discordance, wanted) > n:
        return None
    return bisect(lambda effect: mcnemar_n(discordance, effect, wanted) - n, 1e-12, discordance)


def _smallest(power_at: Callable[[float], float], wanted: Wanted) -> float:
    """Return where a rising power curve reaches the wanted power; the largest n tried if it doesn't."""
    high = _SMALLEST_N
    while high < _LARGEST_N and power_at(high) < wanted.power:
        high *= 2.0
    return bisect(lambda n: wanted.power - power_at(n), max(_SMALLEST_N, high / 2.0), high)


def _positive(effect: float) -> float:
    if not effect > 0.0:
        raise ValueError(f"the effect to detect must be positive, got {effect!r}")
    return effect
