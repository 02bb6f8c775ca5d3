"""Labels on a declared scale: codes, counts and tables. A label outside the scale is an error, never a
class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.errors import InputError, Problem
from evalharness.stats.arrays import RELATIVE_TIE, FloatArray, IntArray, ratings_matrix, vector

MISSING = -1
_SHOWN = 5


def declared(categories: ArrayLike) -> FloatArray:
    """Return the declared levels (q,), ascending; ``ValueError`` when fewer than two or not distinct."""
    levels = np.sort(vector(categories, "categories"))
    if levels.size < 2:
        raise ValueError("a scale needs at least two levels")
    if (np.diff(levels) <= RELATIVE_TIE * np.abs(levels[1:])).any():
        raise ValueError("the levels of a scale must be distinct")
    return levels


def code_labels(values: ArrayLike, categories: ArrayLike) -> IntArray:
    """Return the position of each label on the declared scale, of the shape of `values`; NaN becomes
    ``MISSING``.

    Raises ``InputError`` naming the labels that are not on the scale.
    """
    levels = declared(categories)
    array = np.asarray(values, dtype=np.float64)
    missing = np.isnan(array)
    filled = np.where(missing, levels[0], array)
    above = np.clip(np.searchsorted(levels, filled), 1, levels.size - 1)
    nearest = np.where(filled - levels[above - 1] <= levels[above] - filled, above - 1, above)
    off = ~(np.abs(filled - levels[nearest]) <= RELATIVE_TIE * np.maximum(1.0, np.abs(filled)))
    if off.any():
        raise InputError(_off_scale(np.unique(filled[off]), levels))
    return np.where(missing, MISSING, nearest).astype(np.intp)


def _off_scale(found: FloatArray, levels: FloatArray) -> Problem:
    shown = ", ".join(f"{value:g}" for value in found[:_SHOWN]) + (", …" if found.size > _SHOWN else "")
    scale = ", ".join(f"{level:g}" for level in levels)
    return Problem(f"labels outside the declared scale: {shown}", fix=f"The scale has {scale}")


def paired_codes(first: ArrayLike, second: ArrayLike, categories: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return the codes (n,) of two complete label vectors of equal length."""
    a, b = vector(first, "first"), vector(second, "second")
    if a.size != b.size:
        raise ValueError(f"paired labels differ in length: {a.size} and {b.size}")
    return code_labels(a, categories), code_labels(b, categories)


def count_matrix(codes: IntArray, q: int) -> FloatArray:
    """Return how many raters put each unit into each category, (units, q), from codes (units, raters)."""
    units = codes.shape[0]
    rows = np.broadcast_to(np.arange(units)[:, None], codes.shape)
    rated = codes != MISSING
    flat = np.bincount(rows[rated] * q + codes[rated], minlength=units * q)
    return flat.reshape(units, q).astype(np.float64)


def rating_counts(ratings: ArrayLike, categories: ArrayLike) -> FloatArray:
    """Return counts (units, q) of ratings (units, raters) on a declared scale."""
    levels = declared(categories)
    return count_matrix(code_labels(ratings_matrix(ratings), levels), levels.size)


def cross_table(first: IntArray, second: IntArray, q: int) -> FloatArray:
    """Return the q x q table of two code vectors: rows the first, columns the second."""
    flat = np.bincount(first * q + second, minlength=q * q)
    return flat.reshape(q, q).astype(np.float64)
