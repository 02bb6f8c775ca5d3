"""The arithmetic of bias-corrected and accelerated bootstrap intervals (Efron 1987, JASA 82:171-185)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from evalharness.stats.arrays import FloatArray


def bias_correction(drawn: FloatArray, value: float) -> float:
    """Return z0, the normal quantile of the share of resamples below the value, equal ones counted half.

    Infinite where all resamples lie on one side.
    """
    below = (np.sum(drawn < value) + 0.5 * np.sum(drawn == value)) / drawn.size
    return float(ndtri(below))


def acceleration(jackknife: FloatArray) -> float:
    """Return a, from the values without each group in turn; zero where they are all the same."""
    deviations = jackknife.mean() - jackknife
    spread = float(np.sum(deviations**2))
    return float(np.sum(deviations**3)) / (6.0 * spread**1.5) if spread > 0.0 else 0.0


def bca_tails(bias: float, accelerated: float, level: float) -> tuple[float, float]:
    """Return the two probabilities at which the resamples are read."""
    tails = []
    for p in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        shifted = bias + float(ndtri(p))
        tails.append(float(ndtr(bias + shifted / (1.0 - accelerated * shifted))))
    return tails[0], tails[1]
