"""How many labels a wanted half-width needs (``agree --plan``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalharness.stats.label_budget import kappa_labels, mean_labels, pearson_labels, rate_labels

KAPPAS = (0.4, 0.6, 0.8)
PREVALENCES = (0.5, 0.8, 0.9, 0.95)
CORRELATIONS = (0.3, 0.5, 0.7, 0.85)
RATES = (0.5, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """Labels needed for a statistic at an assumed value; ``prevalence`` is the share of the commoner class."""

    statistic: str
    value: float
    prevalence: float | None
    labels: int


def label_budget(half_width: float, level: float = 0.95) -> tuple[BudgetRow, ...]:
    """Labels on independent items for intervals of plus or minus ``half_width``."""
    rows = [
        BudgetRow("cohen_kappa", k, p, _needed(kappa_labels(k, p, half_width, level)))
        for k in KAPPAS
        for p in PREVALENCES
    ]
    rows += [
        BudgetRow("pearson", r, None, _needed(pearson_labels(r, half_width, level))) for r in CORRELATIONS
    ]
    rows += [BudgetRow("rate", p, None, _needed(rate_labels(p, half_width, level))) for p in RATES]
    rows += [BudgetRow("mean_in_sd", 1.0, None, _needed(mean_labels(1.0, half_width, level)))]
    return tuple(rows)


def _needed(labels: float) -> int:
    return math.ceil(labels - 1e-9)
