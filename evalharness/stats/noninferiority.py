"""One-sided bounds, non-inferiority and equivalence: what a gate decides on.

"Not significant" is not "unchanged": a run passes when a bound clears the margin, and only then.
Differences are candidate minus baseline, larger is better, margins are positive.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from evalharness.stats.arrays import vector
from evalharness.stats.clustered import t_quantile
from evalharness.stats.differences import MeanDifference, paired_difference, unpaired_difference
from evalharness.stats.significance import Alternative, Significance, student_p, untestable


@dataclass(frozen=True, slots=True)
class OneSided:
    """A difference judged from both sides, each at ``confidence``.

    lower, upper: one-sided bounds, each wrong with probability 1 - confidence; ``None`` without a standard error.
    not_below_margin: test of H0: difference <= -margin; a small p says "non-inferior".
    drop: test of H0: difference >= 0; a small p says "really lower".
    margin: the tolerated drop, in units of the difference.
    """

    difference: MeanDifference
    lower: float | None
    upper: float | None
    confidence: float
    margin: float
    not_below_margin: Significance
    drop: Significance


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests (TOST) of "the difference lies between the limits"."""

    above_low: Significance
    below_high: Significance

    @property
    def p(self) -> float | None:
        """The larger of both p-values, small for equivalence; ``None`` where a side is undefined."""
        if self.above_low.p is None or self.below_high.p is None:
            return None
        return max(self.above_low.p, self.below_high.p)


def one_sided(difference: MeanDifference, *, margin: float, confidence: float = 0.95) -> OneSided:
    """Return one-sided Student bounds and both tests of a difference.

    A standard error of 0 gives bounds at the value itself and undefined tests: the data show no variation.
    """
    if margin < 0.0:
        raise ValueError("a margin is the size of a tolerated drop: it can't be negative")
    lower = upper = None
    if difference.se is not None and difference.df is not None:
        reach = t_quantile(confidence, difference.df) * difference.se
        lower, upper = difference.value - reach, difference.value + reach
    return OneSided(
        difference=difference,
        lower=lower,
        upper=upper,
        confidence=confidence,
        margin=margin,
        not_below_margin=_above(difference, -margin),
        drop=_below(difference, 0.0),
    )


def tost(difference: MeanDifference, low: float, high: float) -> Equivalence:
    """Return the two one-sided t-tests of H0: difference <= low or >= high (Schuirmann 1987)."""
    if low >= high:
        raise ValueError("the lower equivalence limit must lie below the upper one")
    return Equivalence(_above(difference, low), _below(difference, high))


def tost_paired(
    first: ArrayLike, second: ArrayLike, margin: float, groups: ArrayLike | None = None
) -> Equivalence:
    """Return TOST of the paired mean difference within +-margin, clustered by group."""
    return tost(_existing(paired_difference(first, second, groups)), -margin, margin)


def tost_unpaired(first: ArrayLike, second: ArrayLike, margin: float, *, pooled: bool = False) -> Equivalence:
    """Return TOST of two independent means within +-margin: Welch's error, or the pooled one of equal variances."""
    welch = _existing(unpaired_difference(first, second))
    return tost(_pooled(first, second, welch) if pooled else welch, -margin, margin)


def _existing(difference: MeanDifference | None) -> MeanDifference:
    if difference is None:
        raise ValueError("equivalence needs observations on both sides")
    return difference


def _pooled(first: ArrayLike, second: ArrayLike, welch: MeanDifference) -> MeanDifference:
    a, b = vector(first, "first"), vector(second, "second")
    df = a.size + b.size - 2
    within = float(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / df
    se = float((within * (1 / a.size + 1 / b.size)) ** 0.5)
    return MeanDifference(welch.value, se, float(df), welch.n, welch.groups)


def _above(difference: MeanDifference, limit: float) -> Significance:
    """Return the test of H0: difference <= limit."""
    return _student_test(difference, limit, "greater")


def _below(difference: MeanDifference, limit: float) -> Significance:
    """Return the test of H0: difference >= limit."""
    return _student_test(difference, limit, "less")


def _student_test(difference: MeanDifference, limit: float, alternative: Alternative) -> Significance:
    n, groups = difference.n, difference.groups
    if difference.se is None or difference.df is None:
        return untestable("a single group", method="t", n=n, groups=groups)
    method = f"t({difference.df:.4g})"
    if difference.se == 0.0:
        return untestable("the differences don't vary", method=method, n=n, groups=groups)
    t = (difference.value - limit) / difference.se
    return Significance(student_p(t, difference.df, alternative), t, method, n, groups)
