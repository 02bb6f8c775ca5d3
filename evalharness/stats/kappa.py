"""Cohen's kappa of two raters, plain and weighted, and Scott's pi.

kappa = (p_o - p_e) / (1 - p_e) with p_o = sum_kl w_kl p_kl and p_e = sum_kl w_kl p_k. p_.l, over the DECLARED
levels.
Cohen (1960, 1968); asymptotic errors of Fleiss, Cohen & Everitt (1969), Psychological Bulletin 72:323-327.

>>> table = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
>>> inference = kappa_inference(table)
>>> round(inference.value, 4), round(inference.ase, 4), round(inference.ase0, 4)
(0.4842, 0.138, 0.1484)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from evalharness.stats.arrays import FloatArray
from evalharness.stats.categories import cross_table, declared, paired_codes
from evalharness.stats.chance_corrected import fleiss_kappa
from evalharness.stats.clustered import Scale
from evalharness.stats.distances import Weights, WeightsLike, agreement_weights
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.undefined import Cause, Undefined


@dataclass(frozen=True, slots=True)
class KappaInference:
    """Kappa of a table with its large-sample errors for independent items.

    ase: asymptotic standard error, for the interval ``low``..``high`` (normal, at ``level``).
    ase0: standard error if there is no agreement beyond chance, for ``z`` = value / ase0 and two-sided ``p``;
        all three ``None`` where it is zero.
    """

    value: float
    ase: float
    low: float
    high: float
    level: float
    ase0: float | None
    z: float | None
    p: float | None


def cohen_kappa(
    first: ArrayLike, second: ArrayLike, categories: ArrayLike, weights: WeightsLike = Weights.IDENTITY
) -> Statistic:
    """Return Cohen's kappa of two label vectors (n,); weights are agreement weights or the name of a family.

    Raises ``InputError`` for labels outside the declared ``categories``.
    """
    levels = declared(categories)
    a, b = paired_codes(first, second, levels)
    if a.size == 0:
        return Undefined(Cause.EMPTY)
    cells = kappa_cells(cross_table(a, b, levels.size), agreement_weights(weights, levels))
    if isinstance(cells, Undefined):
        return cells
    value, influence = cells
    return Linearized(value, influence[a, b], scale=Scale.FISHER, bounds=(-1.0, 1.0))


def scott_pi(
    first: ArrayLike, second: ArrayLike, categories: ArrayLike, weights: WeightsLike = Weights.IDENTITY
) -> Statistic:
    """Return Scott's pi (1955) of two label vectors (n,): chance from both marginals together."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return fleiss_kappa(np.stack([a, b], axis=1), categories, weights)


def kappa_inference(
    table: ArrayLike, weights: FloatArray | None = None, *, n: int | None = None, level: float = 0.95
) -> KappaInference | Undefined:
    """Return kappa of a square table with ASE, ASE under no agreement, z and p.

    table: (q, q) counts, or proportions together with the number of items ``n``.
    weights: (q, q) agreement weights; identity where absent.
    """
    counts = _square(table)
    w = np.eye(counts.shape[0]) if weights is None else agreement_weights(weights, np.arange(counts.shape[0]))
    cells = kappa_cells(counts, w)
    if isinstance(cells, Undefined):
        return cells
    value, influence = cells
    p = counts / counts.sum()
    size = float(counts.sum()) if n is None else float(n)
    ase = math.sqrt(float((p * influence**2).sum()) / size)
    ase0 = _null_error(p, w, size)
    z = value / ase0 if ase0 > 0.0 else None
    half = float(ndtri(0.5 + level / 2)) * ase
    p_value = None if z is None else min(1.0, 2.0 * float(ndtr(-abs(z))))
    return KappaInference(value, ase, value - half, value + half, level, ase0 or None, z, p_value)


def kappa_maximum(table: ArrayLike) -> float | None:
    """Return the largest unweighted kappa that the marginals of the table allow (Cohen 1960)."""
    p = _square(table)
    p = p / p.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    p_e = float(rows @ columns)
    if 1.0 - p_e < 1e-12:
        return None
    return (float(np.minimum(rows, columns).sum()) - p_e) / (1.0 - p_e)


def _square(table: ArrayLike) -> FloatArray:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] < 2:
        raise ValueError(f"a table of two raters must be square, got shape {counts.shape}")
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() == 0:
        raise ValueError("a table needs finite non-negative entries with a positive sum")
    return counts


def kappa_cells(table: FloatArray, w: FloatArray) -> tuple[float, FloatArray] | Undefined:
    """Return kappa and the influence value of an item in each cell (q, q)."""
    p = table / table.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    p_o, p_e = float((w * p).sum()), float(rows @ w @ columns)
    if abs(1.0 - p_e) < 1e-12:
        return Undefined(Cause.ONE_CATEGORY, round(float(table.sum())))
    value = (p_o - p_e) / (1.0 - p_e)
    d_p_e = (w @ columns)[:, None] + (rows @ w)[None, :] - 2.0 * p_e
    return value, (w - p_o - (1.0 - value) * d_p_e) / (1.0 - p_e)


def _null_error(p: FloatArray, w: FloatArray, n: float) -> float:
    """Return the standard error under independence of the raters: Fleiss, Cohen & Everitt (1969), eq. 9."""
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    p_e = float(rows @ w @ columns)
    spread = (w - (w @ columns)[:, None] - (rows @ w)[None, :]) ** 2
    variance = float(rows @ spread @ columns) - p_e**2
    return math.sqrt(max(variance, 0.0) / n) / abs(1.0 - p_e)
