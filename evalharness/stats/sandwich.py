"""Errors of fitted coefficients: the inverse information, the clustered sandwich, and when the data give neither.

Coefficients that the data hardly determine have an information matrix that is singular up to rounding; its inverse is
noise, and variances read from it can be negative. It is therefore looked at before it is inverted, free of units, and
the sandwich is built from the influence of each group, so that no variance comes out below zero but for rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.clustered import group_sums, t_quantile
from evalharness.stats.estimate import Estimate
from evalharness.stats.influence import NO_VARIATION

_SMALLEST = 1e-10  # share of the largest eigenvalue, all coefficients brought to information 1
_WHOLE = 1.0 - 1e-9  # leverage of a group without which a coefficient is not determined
_ROUNDING = 1e-7  # share of the model-based error below which a sandwich error is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Sandwich:
    """Model-based covariance (k, k), and the CR1 sandwich over groups, ``None`` with a single group."""

    model: FloatArray
    robust: FloatArray | None
    groups: int

    def mapped(self, matrix: FloatArray) -> Sandwich:
        """Return the same errors of matrix (l, k) times coefficients."""
        robust = None if self.robust is None else matrix @ self.robust @ matrix.T
        return Sandwich(matrix @ self.model @ matrix.T, robust, self.groups)

    def error(self, direction: FloatArray) -> float | None:
        """Return the robust standard error of direction (k,) times coefficients; exactly 0 where it is rounding."""
        if self.robust is None:
            return None
        se, model = (_root(direction, covariance) for covariance in (self.robust, self.model))
        return se if se > _ROUNDING * model else 0.0


def inverse_information(information: FloatArray) -> FloatArray | None:
    """Return the inverse (k, k) of a symmetric information matrix; ``None`` where it is singular up to rounding."""
    diagonal = np.diag(information)
    if not np.isfinite(information).all() or bool(np.any(diagonal <= 0.0)):
        return None
    unit = 1.0 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(information * np.outer(unit, unit))
    if values.size and values[0] <= _SMALLEST * values[-1]:
        return None
    scaled = unit[:, None] * vectors
    return np.asarray((scaled / values) @ scaled.T)


def sandwich(bread: FloatArray, scores: FloatArray) -> Sandwich:
    """Return the covariance from the inverse information (k, k) and the score sums of groups (G, k)."""
    count = len(scores)
    if count < 2:
        return Sandwich(bread, None, count)
    influence = scores @ bread
    return Sandwich(bread, influence.T @ influence * (count / (count - 1)), count)


def rests_on_one_group(design: FloatArray, codes: IntArray, count: int) -> bool:
    """Whether a design (n, k) of full rank loses rank without one of its groups.

    That group's residuals cancel by the fit itself, so that the sandwich takes its noise for nothing.
    """
    axes = np.linalg.qr(design)[0]
    k = axes.shape[1]
    products = (axes[:, :, None] * axes[:, None, :]).reshape(-1, k * k)
    leverage = np.linalg.eigvalsh(group_sums(products, codes, count).reshape(count, k, k))
    return bool(leverage[:, -1].max(initial=0.0) > _WHOLE)


def robust_interval(value: float, se: float, *, n: int, groups: int, level: float) -> Estimate:
    """Return the t(G - 1) interval of a coefficient; none where groups don't vary, as a width of 0 would be a claim."""
    if se == 0.0:
        return Estimate(value, 0.0, None, None, level, NO_VARIATION, n, groups, None)
    half = t_quantile(0.5 + level / 2, groups - 1) * se
    method = f"sandwich CR1+t({groups - 1})"
    return Estimate(value, se, value - half, value + half, level, method, n, groups, None)


def _root(direction: FloatArray, covariance: FloatArray) -> float:
    return math.sqrt(max(0.0, float(direction @ covariance @ direction)))
