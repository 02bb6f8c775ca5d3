"""Array types, and the checks that every statistic makes of its input."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# Values closer than this, relative to the larger one, are the same value computed in two ways.
RELATIVE_TIE = 1e-12


def vector(values: ArrayLike, name: str = "values") -> FloatArray:
    """Return `values` as a finite float vector (n,); ``ValueError`` on another shape, NaN or infinity."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite: leave missing values out before")
    return array


def paired(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return two finite vectors (n,) of equal length."""
    x, y = vector(first, "first"), vector(second, "second")
    if x.size != y.size:
        raise ValueError(f"paired values differ in length: {x.size} and {y.size}")
    return x, y


def ratings_matrix(ratings: ArrayLike) -> FloatArray:
    """Return ratings (units, raters) as floats, NaN for a missing rating; infinities are refused."""
    array = np.asarray(ratings, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"ratings must be a matrix (units, raters), got shape {array.shape}")
    if np.isinf(array).any():
        raise ValueError("ratings must be finite or NaN (missing)")
    return array


def group_codes(groups: ArrayLike | None, n: int) -> tuple[IntArray, int]:
    """Return codes 0..G-1 (n,) and G; without groups every observation is a group of its own."""
    if groups is None:
        return np.arange(n, dtype=np.intp), n
    array = np.asarray(groups)
    if array.shape != (n,):
        raise ValueError(f"expected {n} group codes, got shape {array.shape}")
    distinct, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.intp), int(distinct.size)


def dense_codes(values: FloatArray) -> IntArray:
    """Return the dense rank 0..K-1 of each value (n,); values equal up to rounding share a rank.

    Two neighbours in sorted order are tied when they differ by less than ``RELATIVE_TIE`` relative to the
    larger, so that 0.1 + 0.2 and 0.3 are one value and not an order.
    """
    if values.size == 0:
        return np.zeros(0, dtype=np.intp)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    size = np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
    steps = np.diff(ordered) > RELATIVE_TIE * size
    codes = np.empty(values.size, dtype=np.intp)
    codes[order] = np.concatenate(([0], np.cumsum(steps)))
    return codes


def of_unit_size(values: FloatArray) -> FloatArray:
    """Return `values` divided by the largest absolute one, so that squares neither overflow nor vanish."""
    size = float(np.abs(values).max(initial=0.0))
    return np.asarray(values / size) if size > 0.0 else values


def is_constant(values: FloatArray) -> bool:
    """Whether all values are the same up to rounding; true of an empty vector."""
    if values.size == 0:
        return True
    low, high = float(values.min()), float(values.max())
    return high - low <= RELATIVE_TIE * max(abs(low), abs(high))
