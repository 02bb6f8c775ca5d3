"""Win rates with the pull of length taken out: what the judge would prefer at equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, is_constant, paired
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.logistic import fit_logistic
from evalharness.stats.sandwich import inverse_information
from evalharness.stats.unfitted import Unfitted


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A win rate as it is and at equal length.

    raw: mean preference. controlled: predicted preference at a length difference of 0.
    length_effect: log odds per unit of tanh(length difference / its standard deviation): 0 if length doesn't matter.
    """

    raw: Estimate
    controlled: Estimate
    length_effect: Estimate


def length_controlled_win_rate(
    preference: ArrayLike, length_difference: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> LengthControlled:
    """Return raw and length-controlled win rates of a candidate over a baseline.

    preference: (n,) within 0..1, 1 where the candidate wins, .5 for a tie, or a probability.
    length_difference: (n,) candidate minus baseline, in any unit of length.
    The regression of AlpacaEval 2 (Dubois et al. 2024, arXiv 2404.04475) without its per-instruction term: a logistic
    model of the preference on an intercept and tanh of the standardised length difference. The standard error is that
    of the fitted intercept, clustered; the published one is the error of the predictions' mean alone, which leaves out
    both the coefficients' and the outcomes' noise. Where the lengths don't determine the fit (a single group with
    another gap, gaps so alike that an equal length is out of sight) there is a reason instead.
    """
    y, gap = paired(preference, length_difference)
    raw = mean_interval(y, groups, level)
    if y.size == 0 or is_constant(gap):
        reason = "the length difference does not vary" if y.size else "no comparisons"
        return _without_control(raw, reason, level)
    design = _design(gap)
    if inverse_information(design.T @ design) is None:
        return _without_control(raw, "the length difference hardly varies beside its own size", level)
    fit = fit_logistic(design, y, groups)
    if isinstance(fit, Unfitted):
        return _without_control(raw, fit.reason, level)
    return LengthControlled(raw, fit.probability([1.0, 0.0], level), fit.coefficient(1, level))


def _design(gap: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(gap), np.tanh(gap / gap.std())], axis=1)


def _without_control(raw: Estimate, reason: str, level: float) -> LengthControlled:
    missing = undefined(reason, n=raw.n, groups=raw.groups, level=level, method="length-controlled")
    return LengthControlled(raw, missing, missing)
