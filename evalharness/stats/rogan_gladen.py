"""The true rate behind a binary judge's rate, corrected for its known errors (Rogan & Gladen 1978)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from evalharness.stats.arrays import BoolArray, FloatArray
from evalharness.stats.clustered import cr1_standard_error, t_quantile
from evalharness.stats.estimate import Estimate, undefined

_METHOD = "Rogan-Gladen, Lee et al. interval"


@dataclass(frozen=True, slots=True)
class JudgeCounts:
    """What a binary judge said about all items, and how it did on human-labelled ones.

    positives of n: unlabelled items that the judge calls good. true_negatives of negatives: labelled bad items that it
    calls bad (specificity). true_positives of positives_labelled: labelled good items that it calls good (sensitivity).
    """

    positives: int
    n: int
    true_negatives: int
    negatives: int
    true_positives: int
    positives_labelled: int

    def __post_init__(self) -> None:
        for part, whole in (
            (self.positives, self.n),
            (self.true_negatives, self.negatives),
            (self.true_positives, self.positives_labelled),
        ):
            if not 0 <= part <= whole:
                raise ValueError(f"{part} of {whole} is no count")


def rogan_gladen(counts: JudgeCounts, level: float = 0.95, *, widening: float = 1.0) -> Estimate:
    """Return theta = (p + q0 - 1) / (q0 + q1 - 1), cut to 0..1, with the interval of Lee et al. (arXiv 2511.21140).

    The interval counts the noise of the judge's rate p AND of specificity q0 and sensitivity q1: each is shrunk as
    Agresti and Coull do (p by z^2/2 successes in z^2, q0 and q1 by 1 in 2), shifted by the bias of the ratio and cut
    to 0..1. ``widening`` multiplies the half-width, for items that are alike within groups. Undefined for a judge that
    is no better than chance: then its rate says nothing about the true one.
    """
    n = counts.n + counts.negatives + counts.positives_labelled
    if counts.n == 0 or counts.negatives == 0 or counts.positives_labelled == 0:
        reason = "needs judged items, and labelled ones of both classes"
        return undefined(reason, n=n, groups=n, level=level, method=_METHOD)
    q0, q1 = counts.true_negatives / counts.negatives, counts.true_positives / counts.positives_labelled
    z = float(ndtri(0.5 + level / 2))
    shrunk0 = (counts.true_negatives + 1) / (counts.negatives + 2)
    shrunk1 = (counts.true_positives + 1) / (counts.positives_labelled + 2)
    if min(q0 + q1, shrunk0 + shrunk1) <= 1.0:
        reason = "sensitivity plus specificity is at most 1: the judge is no better than chance"
        return undefined(reason, n=n, groups=n, level=level, method=_METHOD)
    value = min(1.0, max(0.0, (counts.positives / counts.n + q0 - 1) / (q0 + q1 - 1)))
    low, high = _bounds(counts, shrunk0, shrunk1, z, widening)
    return Estimate(value, None, low, high, level, _METHOD, n, n, None)


def clustered_rogan_gladen(
    said: BoolArray,
    good: BoolArray,
    said_rest: BoolArray,
    groups: ArrayLike,
    rest_groups: ArrayLike,
    level: float = 0.95,
) -> Estimate:
    """Return :func:`rogan_gladen` for items that are alike within groups.

    said, good: (n,) what the judge and the label say of labelled items; said_rest: (N,) what the judge says of all
    others; groups (n,) and rest_groups (N,) codes from one numbering. The interval is widened by the CR1 error of the
    linearised ratio, groups with labelled and other items being one cluster, over its error without groups, and by
    Student's quantile with the labelled groups less one over the normal one.
    """
    counts = JudgeCounts(
        int(said_rest.sum()), said_rest.size, int((~said & ~good).sum()), int((~good).sum()),
        int((said & good).sum()), int(good.sum()),
    )  # fmt: skip
    plain = rogan_gladen(counts, level)
    own, others = np.asarray(groups), np.asarray(rest_groups)
    labelled = int(np.unique(own).size)
    if plain.value is None or labelled < 2:
        return plain
    influence = _influence(counts, plain.value, said, good, said_rest)
    clustered, count = cr1_standard_error(influence, np.concatenate([own, others]))
    alone, _ = cr1_standard_error(influence)
    ratio = 1.0 if not clustered or not alone else max(1.0, clustered / alone)
    student = t_quantile(0.5 + level / 2, labelled - 1) / float(ndtri(0.5 + level / 2))
    found = rogan_gladen(counts, level, widening=ratio * student)
    return replace(found, se=clustered, groups=count, method=f"{_METHOD}, clustered, t({labelled - 1})")


def _influence(
    counts: JudgeCounts, theta: float, said: BoolArray, good: BoolArray, said_rest: BoolArray
) -> FloatArray:
    """Return influence values of the labelled (n,) and then of the other items (N,)."""
    q0, q1 = counts.true_negatives / counts.negatives, counts.true_positives / counts.positives_labelled
    specific = np.where(good, 0.0, (~said - q0) / counts.negatives)
    sensitive = np.where(good, (said - q1) / counts.positives_labelled, 0.0)
    rate = (said_rest - counts.positives / counts.n) / counts.n
    parts = np.concatenate([(1 - theta) * specific - theta * sensitive, rate])
    return np.asarray(parts * parts.size / (q0 + q1 - 1))


def label_allocation(labels: int, rate: float, variance_ratio: float = 1.0) -> tuple[int, int]:
    """Return how to split labels between items that the judge calls (bad, good) for the narrowest interval.

    m1 = m / (1 + (1 / p - 1) sqrt(kappa)), kappa being q0 (1 - q0) / (q1 (1 - q1)) (ibid.). rate: the judge's p.
    """
    if not (0.0 < rate < 1.0 and variance_ratio > 0.0):
        raise ValueError("the rate lies strictly between 0 and 1 and the ratio is positive")
    good = round(labels / (1.0 + (1.0 / rate - 1.0) * math.sqrt(variance_ratio)))
    good = min(max(good, min(1, labels)), max(labels - 1, 0))
    return labels - good, good


def _bounds(counts: JudgeCounts, q0: float, q1: float, z: float, widening: float) -> tuple[float, float]:
    n, m0, m1 = counts.n + z * z, counts.negatives + 2, counts.positives_labelled + 2
    p = (counts.positives + z * z / 2) / n
    theta = (p + q0 - 1) / (q0 + q1 - 1)
    noise0, noise1 = q0 * (1 - q0) / m0, q1 * (1 - q1) / m1
    shift = 2 * z * z * (theta * noise1 - (1 - theta) * noise0)
    se = math.sqrt(p * (1 - p) / n + (1 - theta) ** 2 * noise0 + theta**2 * noise1) / (q0 + q1 - 1)
    centre, half = theta + shift, z * se * widening
    return _unit(centre - half), _unit(centre + half)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
