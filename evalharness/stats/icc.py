"""Intraclass correlations of Shrout & Fleiss (1979), with their F intervals and influence values.

Names: (1,1) one-way random; (2,1) two-way random, absolute agreement; (3,1) two-way mixed, consistency; and k
for the mean of the k raters. McGraw & Wong (1996) call them ICC(1), ICC(A,1), ICC(C,1), ICC(k), ICC(A,k),
ICC(C,k).

Ratings are a complete matrix (units, raters): units with a missing rating are left out, and counted by `n` of
the estimate. The F interval assumes independent units and normal effects; the one of ``icc`` clusters by
group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri

from evalharness.stats.arrays import FloatArray, is_constant, of_unit_size, ratings_matrix
from evalharness.stats.clustered import Scale
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.undefined import Cause, Undefined


class IccForm(StrEnum):
    """Which intraclass correlation."""

    ONE_1 = "1_1"
    TWO_1 = "2_1"
    THREE_1 = "3_1"
    ONE_K = "1_k"
    TWO_K = "2_k"
    THREE_K = "3_k"


@dataclass(frozen=True, slots=True)
class AnovaTable:
    """Mean squares of n units by k raters: between units, within units, between raters, residual."""

    n: int
    k: int
    between: float
    within: float
    raters: float
    residual: float

    @property
    def f_one_way(self) -> float | None:
        """F of units in the one-way layout; ``None`` without variation within units."""
        return self.between / self.within if self.within > 0.0 else None

    @property
    def f_two_way(self) -> float | None:
        """F of units in the two-way layout; ``None`` without residual variation."""
        return self.between / self.residual if self.residual > 0.0 else None


def icc(ratings: ArrayLike, form: IccForm | str = IccForm.TWO_1) -> Statistic:
    """Return an intraclass correlation of ratings (units, raters) with influence values of the units.

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> [round(icc(table, form).value, 4) for form in ("1_1", "2_1", "3_1", "1_k", "2_k", "3_k")]
    [0.1657, 0.2898, 0.7148, 0.4428, 0.6201, 0.9093]
    """
    matrix = ratings_matrix(ratings)
    complete = np.asarray(~np.isnan(matrix).any(axis=1))
    x = of_unit_size(matrix[complete])
    lacking = _why_undefined(x)
    if lacking is not None:
        return lacking
    top, base, d_top, d_base = _fraction(x, anova(x), IccForm(form))
    if base <= 1e-12 * float(np.square(x - x.mean()).mean()):
        return Undefined(
            Cause.NO_VARIATION, x.shape[0], "the variance that the coefficient divides by is not positive"
        )
    value = top / base
    influence = (d_top - value * d_base) / base
    scale = Scale.FISHER if value > -1.0 else Scale.IDENTITY
    return Linearized(value, influence - influence.mean(), scale=scale, bounds=(-math.inf, 1.0)).embedded(
        complete
    )


def icc_f_interval(
    ratings: ArrayLike, form: IccForm | str = IccForm.TWO_1, *, level: float = 0.95
) -> Estimate:
    """Return an intraclass correlation with the F interval of Shrout & Fleiss, for independent units.

    The interval of (2,1) uses the Satterthwaite degrees of freedom; that of (2,k) is its Spearman-Brown form.
    """
    matrix = ratings_matrix(ratings)
    x = matrix[~np.isnan(matrix).any(axis=1)]
    found = icc(x, form)
    if isinstance(found, Undefined):
        return found.estimate(level=level)
    table = anova(x)
    bounds = _f_bounds(table, IccForm(form), level)
    if bounds is None:
        return Estimate(
            found.value, None, None, None, level, "none: no residual variation", table.n, table.n, None
        )
    return Estimate(found.value, None, *bounds, level, "F (Shrout & Fleiss)", table.n, table.n, None)


def anova(ratings: ArrayLike) -> AnovaTable:
    """Return the mean squares of a complete matrix (units, raters), at least 2 x 2."""
    x = np.asarray(ratings, dtype=np.float64)
    n, k = x.shape
    rows, columns = x.mean(axis=1) - x.mean(), x.mean(axis=0) - x.mean()
    residual = _residuals(x)
    ss_residual, ss_raters = float(np.square(residual).sum()), n * float(columns @ columns)
    return AnovaTable(
        n=n,
        k=k,
        between=k * float(rows @ rows) / (n - 1),
        within=(ss_raters + ss_residual) / (n * (k - 1)),
        raters=ss_raters / (k - 1),
        residual=ss_residual / ((n - 1) * (k - 1)),
    )


def _why_undefined(x: FloatArray) -> Undefined | None:
    n, k = x.shape
    if k < 2:
        return Undefined(Cause.ONE_RATER, n)
    if n < 2:
        return Undefined(Cause.TOO_FEW if n else Cause.EMPTY, n, "two units with all ratings are needed")
    if is_constant(x.ravel()):
        return Undefined(Cause.NO_VARIATION, n)
    return None


def _residuals(x: FloatArray) -> FloatArray:
    return np.asarray(x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + x.mean())


def _mean_square_influence(
    x: FloatArray, table: AnovaTable
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the influence values (n,) of the mean squares between, within, of raters, and residual.

    They are n times the derivative by the weight of a unit, degrees of freedom moving along.
    """
    n, k = x.shape
    rows, columns = x.mean(axis=1) - x.mean(), x.mean(axis=0) - x.mean()
    residual = _residuals(x)
    d_rows = k * rows**2
    d_residual = np.square(residual).sum(axis=1)
    d_raters = float(columns @ columns) + 2.0 * residual @ columns
    between = n / (n - 1) * (d_rows - table.between)
    error = n / (n - 1) * (d_residual / (k - 1) - table.residual)
    raters = n * d_raters / (k - 1)
    within = (d_raters + d_residual) / (k - 1) - table.within
    return between, within, raters, error


def _fraction(x: FloatArray, t: AnovaTable, form: IccForm) -> tuple[float, float, FloatArray, FloatArray]:
    """Return numerator and denominator of a coefficient, and their influence values."""
    n, k = t.n, t.k
    between, within, raters, error = _mean_square_influence(x, t)
    excess = (t.raters - t.residual) / n
    d_excess = (raters - error) / n - excess
    match form:
        case IccForm.ONE_1:
            return (
                t.between - t.within,
                t.between + (k - 1) * t.within,
                between - within,
                between + (k - 1) * within,
            )
        case IccForm.ONE_K:
            return t.between - t.within, t.between, between - within, between
        case IccForm.TWO_1:
            base = t.between + (k - 1) * t.residual + k * excess
            return t.between - t.residual, base, between - error, between + (k - 1) * error + k * d_excess
        case IccForm.TWO_K:
            return t.between - t.residual, t.between + excess, between - error, between + d_excess
        case IccForm.THREE_1:
            base = t.between + (k - 1) * t.residual
            return t.between - t.residual, base, between - error, between + (k - 1) * error
        case IccForm.THREE_K:
            return t.between - t.residual, t.between, between - error, between


def _f_bounds(t: AnovaTable, form: IccForm, level: float) -> tuple[float, float] | None:
    n, k, p = t.n, t.k, 0.5 + level / 2
    match form:
        case IccForm.ONE_1 | IccForm.ONE_K:
            f, df = t.f_one_way, n * (k - 1)
        case _:
            f, df = t.f_two_way, (n - 1) * (k - 1)
    if f is None or f == 0.0:
        return None
    if form in (IccForm.TWO_1, IccForm.TWO_K):
        return _absolute_bounds(t, p, single=form is IccForm.TWO_1)
    low, high = f / float(fdtri(n - 1, df, p)), f * float(fdtri(df, n - 1, p))
    if form in (IccForm.ONE_K, IccForm.THREE_K):
        return 1.0 - 1.0 / low, 1.0 - 1.0 / high
    return (low - 1.0) / (low + k - 1.0), (high - 1.0) / (high + k - 1.0)


def _absolute_bounds(t: AnovaTable, p: float, *, single: bool) -> tuple[float, float]:
    """Return the bounds of (2,1), Shrout & Fleiss (1979) p. 424, stepped up for the mean of k raters."""
    n, k = t.n, t.k
    rho = (t.between - t.residual) / (t.between + (k - 1) * t.residual + k * (t.raters - t.residual) / n)
    f_raters = t.raters / t.residual
    weight = n * (1.0 + (k - 1) * rho) - k * rho
    nu = (k - 1) * (n - 1) * (k * rho * f_raters + weight) ** 2
    nu /= (n - 1) * k**2 * rho**2 * f_raters**2 + weight**2
    spread = k * t.raters + (k * n - k - n) * t.residual
    f_low, f_high = float(fdtri(n - 1, nu, p)), float(fdtri(nu, n - 1, p))
    low = n * (t.between - f_low * t.residual) / (f_low * spread + n * t.between)
    high = n * (f_high * t.between - t.residual) / (spread + n * f_high * t.between)
    return (low, high) if single else (_stepped_up(low, k), _stepped_up(high, k))


def _stepped_up(rho: float, k: int) -> float:
    """Return the Spearman-Brown reliability of the mean of k raters."""
    return k * rho / (1.0 + (k - 1) * rho)
