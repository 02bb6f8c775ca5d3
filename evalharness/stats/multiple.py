"""Adjusted p-values for families of tests; undefined tests stay undefined and don't count in the family."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evalharness.stats.arrays import FloatArray


def holm(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return Holm's step-down adjusted p-values (Holm 1979): control of the family-wise error rate.

    Valid under any dependence; p_(i) is multiplied by m - i + 1 and made monotone from below.
    """
    return _adjusted(p, _holm)


def benjamini_hochberg(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return step-up adjusted p-values (Benjamini & Hochberg 1995): control of the false discovery rate.

    Valid for independent or positively dependent tests.
    """
    return _adjusted(p, lambda ordered: _step_up(ordered, 1.0))


def benjamini_yekutieli(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return step-up adjusted p-values (Benjamini & Yekutieli 2001): FDR under any dependence.

    As Benjamini-Hochberg times the harmonic number 1 + 1/2 + ... + 1/m.
    """
    return _adjusted(p, lambda ordered: _step_up(ordered, _harmonic(ordered.size)))


def rejections(adjusted: Sequence[float | None], alpha: float) -> tuple[bool | None, ...]:
    """Return which tests are rejected at ``alpha``; ``None`` where a test is undefined."""
    return tuple(None if value is None else value <= alpha for value in adjusted)


def _adjusted(
    p: Sequence[float | None], method: Callable[[FloatArray], FloatArray]
) -> tuple[float | None, ...]:
    defined = [index for index, value in enumerate(p) if value is not None]
    values = np.array([p[index] for index in defined], dtype=np.float64)
    if not bool(np.all((values >= 0.0) & (values <= 1.0))):
        raise ValueError("p-values must lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(method(values[order]), 1.0)
    result: list[float | None] = [None] * len(p)
    for index, value in zip(defined, adjusted, strict=True):
        result[index] = float(value)
    return tuple(result)


def _holm(ordered: FloatArray) -> FloatArray:
    m = ordered.size
    return np.maximum.accumulate(ordered * (m - np.arange(m)))


def _step_up(ordered: FloatArray, penalty: float) -> FloatArray:
    m = ordered.size
    scaled = ordered * (penalty * m) / np.arange(1, m + 1)
    return np.minimum.accumulate(scaled[::-1])[::-1]


def _harmonic(m: int) -> float:
    return float(np.sum(1.0 / np.arange(1, m + 1)))
