"""Confusion of a judge with a reference on declared categories: table, precision, recall, accuracy against
chance.

Rows are the reference (human), columns the judge. Rates are ratios of sums, so their intervals are those of
the linearised ratio, clustered by group, made on the log-odds scale. A class that nobody predicted has no
precision, and one that never occurs no recall: undefined, not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray
from evalharness.stats.categories import cross_table, declared, paired_codes
from evalharness.stats.clustered import Scale, mean_interval, ratio_interval
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import interval_on_scale


@dataclass(frozen=True, slots=True)
class ClassRates:
    """One category: how often the reference and the judge use it, and the judge's rates for it."""

    category: float
    support: int
    predicted: int
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrix with rates.

    table: rows the reference, columns the judge, in the order of ``categories``.
    balanced_accuracy: mean recall over the categories that occur.
    modal_share: accuracy of always answering the most common reference category.
    expected_accuracy: accuracy by chance, given both sets of marginals (kappa's p_e).
    """

    categories: tuple[float, ...]
    table: tuple[tuple[int, ...], ...]
    accuracy: Estimate
    balanced_accuracy: Estimate
    classes: tuple[ClassRates, ...]
    modal_share: float | None
    expected_accuracy: float | None

    @property
    def beats_modal(self) -> bool | None:
        """Whether the lower limit of accuracy lies above that of a constant answer; ``None`` if unknown."""
        if self.accuracy.low is None or self.modal_share is None:
            return None
        return self.accuracy.low > self.modal_share


def confusion(
    judge: ArrayLike,
    reference: ArrayLike,
    categories: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Confusion:
    """Return the confusion of two label vectors (n,); ``InputError`` for labels outside the categories."""
    levels = declared(categories)
    said, true = paired_codes(judge, reference, levels)
    table = cross_table(true, said, levels.size)
    codes = None if groups is None else np.asarray(groups)
    if said.size == 0:
        empty = undefined("no items", level=level)
        return Confusion(_floats(levels), _integers(table), empty, empty, (), None, None)
    classes = tuple(
        _class_rates(float(levels[k]), said == k, true == k, codes, level) for k in range(levels.size)
    )
    accuracy = interval_on_scale(mean_interval((said == true).astype(np.float64), codes, level), Scale.LOGIT)
    rows, columns = table.sum(axis=1) / said.size, table.sum(axis=0) / said.size
    return Confusion(
        categories=_floats(levels),
        table=_integers(table),
        accuracy=accuracy,
        balanced_accuracy=_balanced_accuracy(said == true, true, levels.size, codes, level),
        classes=classes,
        modal_share=float(rows.max()),
        expected_accuracy=float(rows @ columns),
    )


def _class_rates(
    category: float, said: np.ndarray, true: np.ndarray, groups: np.ndarray | None, level: float
) -> ClassRates:
    both = (said & true).astype(np.float64)
    neither = (~said & ~true).astype(np.float64)
    predicted, support = said.astype(np.float64), true.astype(np.float64)
    return ClassRates(
        category=category,
        support=int(true.sum()),
        predicted=int(said.sum()),
        precision=_share(both, predicted, groups, level, "the judge never gives this category"),
        recall=_share(both, support, groups, level, "the reference never has this category"),
        specificity=_share(neither, 1.0 - support, groups, level, "the reference always has this category"),
        f1=_share(2.0 * both, predicted + support, groups, level, "neither side has this category"),
    )


def _share(
    top: FloatArray, base: FloatArray, groups: np.ndarray | None, level: float, reason: str
) -> Estimate:
    """Return sum(top) / sum(base), counting the items and groups with a base."""
    counted = base > 0.0
    if not counted.any():
        return undefined(reason, level=level)
    inside = None if groups is None else groups[counted]
    found = ratio_interval(top[counted], base[counted], inside, level)
    return interval_on_scale(found, Scale.LOGIT)


def _balanced_accuracy(
    correct: np.ndarray, true: np.ndarray, q: int, groups: np.ndarray | None, level: float
) -> Estimate:
    """Return mean recall over the categories present, with the influence value of each item."""
    support = np.bincount(true, minlength=q).astype(np.float64)
    present = support > 0
    hits = np.bincount(true, weights=correct, minlength=q)
    recall = np.divide(hits, support, out=np.zeros(q), where=present)
    value = float(recall[present].mean())
    weight = true.size / (support[true] * int(present.sum()))
    found = mean_interval(value + weight * (correct - recall[true]), groups, level)
    return interval_on_scale(found, Scale.LOGIT)


def _floats(levels: FloatArray) -> tuple[float, ...]:
    return tuple(float(level) for level in levels)


def _integers(table: FloatArray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(cell) for cell in row) for row in table)
