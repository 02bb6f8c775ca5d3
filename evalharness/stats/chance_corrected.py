"""Agreement of two or more raters on categories: percent, Fleiss, Conger, Brennan-Prediger, Gwet's AC1/AC2.

Notation of Gwet, Handbook of Inter-Rater Reliability (4th ed. 2014): n units, q categories, r raters; r_ik
raters put unit i into category k, r_i = sum_k r_ik; w_kl are agreement weights. All coefficients are
(p_a - p_e) / (1 - p_e) with the same weighted agreement p_a over units with two or more ratings; they differ in
the agreement by chance p_e, which units with one rating help to estimate. Missing ratings are NaN. For two
raters Fleiss' kappa is Scott's pi and Conger's kappa is Cohen's.

Standard errors are those of Gwet (ibid. ch. 5) where every unit has two or more ratings. Where some have only
one, Gwet's formula counts each such unit as a deviation from the coefficient and overstates the error (2.3 times
in a simulation with 70 % of the ratings missing); here p_a is linearised as the ratio that it is.
``gwet_error=True`` gives Gwet's figure and plain interval, which irrCAC prints; else intervals are made on Fisher's
scale, which keeps them at their level near 1 and with few units.

>>> ratings = [[1, 1], [1, 1], [2, 2], [1, 2]]
>>> round(fleiss_kappa(ratings, [1, 2]).value, 6), round(gwet_ac1(ratings, [1, 2]).value, 6)
(0.466667, 0.529412)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, ratings_matrix
from evalharness.stats.categories import MISSING, code_labels, count_matrix, declared
from evalharness.stats.clustered import Scale
from evalharness.stats.distances import Weights, WeightsLike, agreement_weights
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.undefined import Cause, Undefined


@dataclass(frozen=True, slots=True, eq=False)
class _Observed:
    """What every coefficient shares.

    given: (all units,) which units have a rating; the other fields are about those n units only.
    shares: (n, q) share of each unit's ratings in each category.
    agreement: (n,) weighted agreement within each unit, zero for units with a single rating.
    part: (n,) n over the number of pairable units, zero for units with a single rating: p_a = mean(part *
    agreement).
    """

    given: BoolArray
    shares: FloatArray
    agreement: FloatArray
    part: FloatArray
    weights: FloatArray
    p_a: float


_Chance = Callable[[_Observed], tuple[float, FloatArray]]


def percent_agreement(
    ratings: ArrayLike,
    categories: ArrayLike,
    weights: WeightsLike = Weights.IDENTITY,
    *,
    gwet_error: bool = False,
) -> Statistic:
    """Return the (weighted) share of agreeing pairs of ratings, averaged over units with two or more.

    ratings: (units, raters), NaN where missing.
    """
    observed = _observe(*_counts_and_weights(ratings, categories, weights))
    if isinstance(observed, Undefined):
        return observed
    influence = _agreement_influence(observed, 0.0, gwet_error)
    scale = Scale.IDENTITY if gwet_error else Scale.LOGIT
    return Linearized(observed.p_a, influence, scale=scale, bounds=(0.0, 1.0)).embedded(observed.given)


def fleiss_kappa(
    ratings: ArrayLike,
    categories: ArrayLike,
    weights: WeightsLike = Weights.IDENTITY,
    *,
    gwet_error: bool = False,
) -> Statistic:
    """Return Fleiss' generalized kappa of ratings (units, raters), NaN where missing."""
    return _coefficient(*_counts_and_weights(ratings, categories, weights), _fleiss_chance, gwet_error)


def gwet_ac1(ratings: ArrayLike, categories: ArrayLike, *, gwet_error: bool = False) -> Statistic:
    """Return Gwet's AC1 (2008), which stays stable where one category is far more common than the others."""
    return gwet_ac2(ratings, categories, Weights.IDENTITY, gwet_error=gwet_error)


def gwet_ac2(
    ratings: ArrayLike,
    categories: ArrayLike,
    weights: WeightsLike = Weights.QUADRATIC,
    *,
    gwet_error: bool = False,
) -> Statistic:
    """Return Gwet's AC2, the weighted form of AC1, of ratings (units, raters), NaN where missing."""
    return _coefficient(*_counts_and_weights(ratings, categories, weights), _gwet_chance, gwet_error)


def brennan_prediger(
    ratings: ArrayLike,
    categories: ArrayLike,
    weights: WeightsLike = Weights.IDENTITY,
    *,
    gwet_error: bool = False,
) -> Statistic:
    """Return Brennan & Prediger's coefficient (S, PABAK, Randolph's free-marginal kappa): uniform chance."""
    return _coefficient(*_counts_and_weights(ratings, categories, weights), _uniform_chance, gwet_error)


def fleiss_kappa_counts(counts: ArrayLike, weights: FloatArray | None = None) -> Statistic:
    """Return Fleiss' kappa from counts (units, categories) of ratings."""
    return _coefficient(*_checked_counts(counts, weights), _fleiss_chance)


def gwet_ac2_counts(counts: ArrayLike, weights: FloatArray | None = None) -> Statistic:
    """Return AC1 (no weights) or AC2 from counts (units, categories) of ratings."""
    return _coefficient(*_checked_counts(counts, weights), _gwet_chance)


def brennan_prediger_counts(counts: ArrayLike, weights: FloatArray | None = None) -> Statistic:
    """Return Brennan & Prediger's coefficient from counts (units, categories) of ratings."""
    return _coefficient(*_checked_counts(counts, weights), _uniform_chance)


def conger_kappa(
    ratings: ArrayLike,
    categories: ArrayLike,
    weights: WeightsLike = Weights.IDENTITY,
    *,
    gwet_error: bool = False,
) -> Statistic:
    """Return Conger's kappa (1980): agreement by chance of raters with their own marginals.

    p_e is the mean over ordered pairs of different raters g, h of sum_kl w_kl p_gk p_hl, where p_gk is the
    share of category k among rater g's ratings. Columns without a rating are no raters.
    """
    levels = declared(categories)
    codes = code_labels(ratings_matrix(ratings), levels)
    codes = codes[:, (codes != MISSING).any(axis=0)]
    if codes.shape[1] < 2:
        return Undefined(Cause.ONE_RATER, codes.shape[0])
    w = agreement_weights(weights, levels)

    def chance(observed: _Observed) -> tuple[float, FloatArray]:
        return _conger_chance(codes[observed.given], w)

    return _coefficient(count_matrix(codes, levels.size), w, chance, gwet_error)


def fleiss_null_error(counts: ArrayLike) -> float | None:
    """Return the standard error of Fleiss' kappa where there is no agreement beyond chance.

    Fleiss, Nee & Landis (1979); needs the same number m of ratings for every unit, else ``ValueError``.
    """
    table = np.asarray(counts, dtype=np.float64)
    m = table.sum(axis=1)
    if m.size == 0 or (m != m[0]).any() or m[0] < 2:
        raise ValueError("every unit needs the same number of ratings, two or more")
    p = table.sum(axis=0) / table.sum()
    spread = float(p @ (1 - p))
    if spread == 0.0:
        return None
    inner = spread**2 - float((p * (1 - p)) @ (1 - 2 * p))
    return math.sqrt(2.0 * inner / (m.size * m[0] * (m[0] - 1))) / spread


def _fleiss_chance(observed: _Observed) -> tuple[float, FloatArray]:
    pi = observed.shares.mean(axis=0)
    toward = (observed.weights + observed.weights.T) / 2 @ pi
    p_e = float(pi @ toward)
    return p_e, 2.0 * (observed.shares @ toward - p_e)


def _gwet_chance(observed: _Observed) -> tuple[float, FloatArray]:
    pi = observed.shares.mean(axis=0)
    factor = float(observed.weights.sum()) / (pi.size * (pi.size - 1))
    p_e = factor * float(pi @ (1.0 - pi))
    return p_e, 2.0 * (factor * observed.shares @ (1.0 - pi) - p_e)


def _uniform_chance(observed: _Observed) -> tuple[float, FloatArray]:
    q = observed.weights.shape[0]
    return float(observed.weights.sum()) / q**2, np.zeros(observed.agreement.size)


def _conger_chance(codes: IntArray, w: FloatArray) -> tuple[float, FloatArray]:
    """Return p_e and its influence values (n,) for codes (n, r)."""
    n, r = codes.shape
    present = codes != MISSING
    rated = present.sum(axis=0)
    p = np.stack([np.bincount(codes[present[:, g], g], minlength=w.shape[0]) / rated[g] for g in range(r)])
    total = p.sum(axis=0)
    pairs = r * (r - 1)
    p_e = (float(total @ w @ total) - float(np.einsum("gk,kl,gl->", p, w, p))) / pairs
    gain = (total - p) @ (w + w.T) / pairs  # (r, q): how p_e moves with one more rating (g, k)
    expected = np.einsum("gk,gk->g", gain, p)
    each = np.where(present, gain[np.arange(r), np.where(present, codes, 0)] - expected, 0.0)
    return p_e, np.asarray(each @ (n / rated))


def _coefficient(
    counts: FloatArray, weights: FloatArray, chance: _Chance, gwet_error: bool = False
) -> Statistic:
    """Return (p_a - p_e) / (1 - p_e) with its influence values."""
    observed = _observe(counts, weights)
    if isinstance(observed, Undefined):
        return observed
    p_e, d_p_e = chance(observed)
    room = 1.0 - p_e
    if abs(room) < 1e-12:
        return Undefined(Cause.ONE_CATEGORY, int(observed.given.sum()))
    value = (observed.p_a - p_e) / room
    d_p_a = _agreement_influence(observed, p_e, gwet_error)
    influence = (d_p_a - (1.0 - value) * d_p_e) / room
    scale = Scale.IDENTITY if gwet_error else Scale.FISHER
    return Linearized(value, influence, scale=scale, bounds=(-1.0, 1.0)).embedded(observed.given)


def _agreement_influence(observed: _Observed, p_e: float, gwet_error: bool) -> FloatArray:
    """Return how p_a - p_e moves with each unit's agreement, p_e held fixed (n,)."""
    if gwet_error:
        return observed.part * (observed.agreement - p_e) - (observed.p_a - p_e)
    return observed.part * (observed.agreement - observed.p_a)


def _observe(counts: FloatArray, weights: FloatArray) -> _Observed | Undefined:
    per_unit = counts.sum(axis=1)
    given = per_unit > 0
    counts, per_unit = counts[given], per_unit[given]
    pairable = per_unit >= 2
    if not pairable.any():
        return Undefined(Cause.NO_PAIRS if counts.shape[0] else Cause.EMPTY, counts.shape[0])
    agreeing = (counts * (counts @ ((weights + weights.T) / 2) - np.diag(weights))).sum(axis=1)
    possible = np.where(pairable, per_unit * (per_unit - 1.0), 1.0)
    agreement = np.where(pairable, agreeing / possible, 0.0)
    part = np.where(pairable, per_unit.size / pairable.sum(), 0.0)
    return _Observed(
        given, counts / per_unit[:, None], agreement, part, weights, float((part * agreement).mean())
    )


def _counts_and_weights(
    ratings: ArrayLike, categories: ArrayLike, weights: WeightsLike
) -> tuple[FloatArray, FloatArray]:
    levels = declared(categories)
    codes = code_labels(ratings_matrix(ratings), levels)
    return count_matrix(codes, levels.size), agreement_weights(weights, levels)


def _checked_counts(counts: ArrayLike, weights: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    matrix = np.asarray(counts, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2 or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("counts must be a matrix (units, two or more categories) of non-negative numbers")
    return matrix, np.eye(matrix.shape[1]) if weights is None else weights
