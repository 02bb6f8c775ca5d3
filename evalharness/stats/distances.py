"""How near two categories are: agreement weights (1 on the diagonal) and squared distances (0 on the
diagonal).

Weights are functions of the DECLARED levels, so that a level nobody used still counts for the width of the
scale. The eight families are those of Gwet, Handbook of Inter-Rater Reliability (2014), ch. 3.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray
from evalharness.stats.categories import declared


class Weights(StrEnum):
    """Families of agreement weights."""

    IDENTITY = "identity"
    LINEAR = "linear"
    QUADRATIC = "quadratic"
    ORDINAL = "ordinal"
    RADICAL = "radical"
    RATIO = "ratio"
    CIRCULAR = "circular"
    BIPOLAR = "bipolar"


class Metric(StrEnum):
    """Difference functions of Krippendorff's alpha."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


WeightsLike = Weights | str | FloatArray


def agreement_weights(weights: WeightsLike, categories: ArrayLike) -> FloatArray:
    """Return the weight matrix (q, q) over the declared levels; a matrix is checked and passed through.

    A custom matrix holds agreement, 1 for full and 0 for none; see ``from_disagreement`` for the converse.

    >>> agreement_weights("linear", [1, 2, 3]).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """
    levels = declared(categories)
    if isinstance(weights, np.ndarray):
        return _custom(weights, levels.size)
    family = Weights(weights)
    if family is Weights.IDENTITY:
        return np.eye(levels.size)
    return _complement(_disagreement(family, levels))


def from_disagreement(matrix: ArrayLike) -> FloatArray:
    """Return agreement weights from disagreement weights (0 on the diagonal), as Cohen (1968) writes them."""
    disagreement = np.asarray(matrix, dtype=np.float64)
    if not disagreement.max() > 0.0:
        raise ValueError("disagreement weights need a positive entry")
    return _complement(disagreement)


def _complement(disagreement: FloatArray) -> FloatArray:
    return 1.0 - disagreement / float(disagreement.max())


def _custom(weights: FloatArray, q: int) -> FloatArray:
    matrix = np.asarray(weights, dtype=np.float64)
    if matrix.shape != (q, q):
        raise ValueError(
            f"weights must be {q} x {q}, one row and column per declared level, got {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise ValueError("weights must be finite")
    return matrix


def _disagreement(family: Weights, x: FloatArray) -> FloatArray:
    """Return the disagreement that a family gives each pair of levels, up to a factor."""
    gap: FloatArray = np.abs(x[:, None] - x[None, :])
    match family:
        case Weights.LINEAR:
            return gap
        case Weights.QUADRATIC:
            return np.square(gap)
        case Weights.RADICAL:
            return np.sqrt(gap)
        case Weights.ORDINAL:
            return _ordinal(x.size)
        case Weights.RATIO:
            return squared_distance(Metric.RATIO, x[:, None], x[None, :])
        case Weights.CIRCULAR:
            return np.square(np.sin(gap * (np.pi / float(x[-1] - x[0] + 1.0))))
        case Weights.BIPOLAR:
            return _bipolar(x, gap)
        case Weights.IDENTITY:
            return 1.0 - np.eye(x.size)


def _ordinal(q: int) -> FloatArray:
    """Return C(s, 2) with s the number of levels from k to l, both included."""
    position = np.arange(q, dtype=np.float64)
    steps: FloatArray = np.abs(position[:, None] - position[None, :])
    return steps * (steps + 1.0) / 2.0


def _bipolar(x: FloatArray, gap: FloatArray) -> FloatArray:
    total = x[:, None] + x[None, :]
    base = (total - 2 * x[0]) * (2 * x[-1] - total)
    bipolar: FloatArray = np.zeros_like(gap)
    np.divide(np.square(gap), base, out=bipolar, where=gap > 0)
    return bipolar


def squared_distance(metric: Metric, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return Krippendorff's squared difference of values, elementwise: nominal, interval or ratio.

    The ordinal difference depends on how often each value occurs: it is the interval difference of mean ranks.
    """
    gap: FloatArray = first - second
    match metric:
        case Metric.NOMINAL:
            return np.where(gap == 0.0, 0.0, 1.0)
        case Metric.INTERVAL:
            return np.square(gap)
        case Metric.RATIO:
            return _ratio(gap, first + second)
        case Metric.ORDINAL:
            raise ValueError("the ordinal difference needs the frequencies of the values")


def _ratio(gap: FloatArray, total: FloatArray) -> FloatArray:
    if (total < np.abs(gap)).any():
        raise ValueError("a ratio scale has no negative values")
    return np.square(np.divide(gap, total, out=np.zeros_like(gap), where=total > 0))
