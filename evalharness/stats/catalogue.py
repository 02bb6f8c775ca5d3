"""The agreement statistics by name: of a judge with a reference, and among several raters.

Of a pair, the first side is the judge and the second the reference (human). Statistics of categories need the
declared levels of the scale; those of raters applied to a pair see the two sides as two raters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from evalharness.errors import UsageError
from evalharness.stats.arrays import FloatArray
from evalharness.stats.chance_corrected import (
    brennan_prediger,
    conger_kappa,
    fleiss_kappa,
    gwet_ac1,
    gwet_ac2,
    percent_agreement,
)
from evalharness.stats.correlation import lins_ccc, pearson
from evalharness.stats.distances import Metric, Weights
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.icc import IccForm, icc
from evalharness.stats.influence import Statistic
from evalharness.stats.kappa import cohen_kappa, scott_pi
from evalharness.stats.krippendorff import krippendorff_alpha
from evalharness.stats.pairwise_accuracy import pairwise_accuracy, tau_23
from evalharness.stats.rank_correlation import (
    goodman_kruskal_gamma,
    kendall_tau_b,
    kendall_tau_c,
    somers_d,
    spearman,
)

RaterStatistic = Callable[[FloatArray], Statistic]
_OnCategories = Callable[[FloatArray, FloatArray, ArrayLike], Statistic]
_RatersOnCategories = Callable[[FloatArray, ArrayLike], Statistic]


@dataclass(frozen=True, slots=True)
class NamedStatistic:
    """What a name stands for: whether it needs declared categories, and its value without any relation."""

    name: str
    needs_categories: bool
    chance_value: float | None


def _somers_d_of_judge(judge: FloatArray, reference: FloatArray) -> Statistic:
    """Somers' D of the judge given the reference: pairs that the reference ties don't count."""
    return somers_d(reference, judge)


_NUMERIC: Mapping[str, PairStatistic] = MappingProxyType(
    {
        "pearson": pearson,
        "spearman": spearman,
        "kendall_tau_b": kendall_tau_b,
        "kendall_tau_c": kendall_tau_c,
        "somers_d": _somers_d_of_judge,
        "goodman_kruskal_gamma": goodman_kruskal_gamma,
        "lins_ccc": lins_ccc,
        "pairwise_accuracy": pairwise_accuracy,
        "tau_23": tau_23,
    }
)

_CATEGORICAL: Mapping[str, _OnCategories] = MappingProxyType(
    {
        "cohen_kappa": cohen_kappa,
        "cohen_kappa_linear": lambda x, y, levels: cohen_kappa(x, y, levels, Weights.LINEAR),
        "cohen_kappa_quadratic": lambda x, y, levels: cohen_kappa(x, y, levels, Weights.QUADRATIC),
        "scott_pi": scott_pi,
    }
)

_RATERS: Mapping[str, RaterStatistic] = MappingProxyType(
    {f"krippendorff_{metric}": lambda r, metric=metric: krippendorff_alpha(r, metric) for metric in Metric}
    | {f"icc_{form}": lambda r, form=form: icc(r, form) for form in IccForm}
)

_RATERS_ON_CATEGORIES: Mapping[str, _RatersOnCategories] = MappingProxyType(
    {
        "percent": percent_agreement,
        "fleiss_kappa": fleiss_kappa,
        "conger_kappa": conger_kappa,
        "brennan_prediger": brennan_prediger,
        "gwet_ac1": gwet_ac1,
        "gwet_ac2_linear": lambda r, levels: gwet_ac2(r, levels, Weights.LINEAR),
        "gwet_ac2_quadratic": lambda r, levels: gwet_ac2(r, levels, Weights.QUADRATIC),
        "gwet_ac2_ordinal": lambda r, levels: gwet_ac2(r, levels, Weights.ORDINAL),
    }
)

_WITHOUT_CHANCE_VALUE = frozenset({"percent", "pairwise_accuracy", "tau_23"})

PAIR_STATISTICS: tuple[str, ...] = (*_NUMERIC, *_CATEGORICAL, *_RATERS, *_RATERS_ON_CATEGORIES)
RATER_STATISTICS: tuple[str, ...] = (*_RATERS, *_RATERS_ON_CATEGORIES)


def describe(name: str) -> NamedStatistic:
    """Return what is known of a statistic; ``UsageError`` for an unknown name."""
    if name not in PAIR_STATISTICS:
        raise UsageError(f"no statistic is called {name!r}", fix=f"Known are: {', '.join(PAIR_STATISTICS)}")
    needs = name in _CATEGORICAL or name in _RATERS_ON_CATEGORIES
    return NamedStatistic(name, needs, None if name in _WITHOUT_CHANCE_VALUE else 0.0)


def pair_statistic(name: str, categories: ArrayLike | None = None) -> PairStatistic:
    """Return the statistic of (judge, reference), each (n,), given the declared levels where it needs them."""
    known = describe(name)
    if name in _NUMERIC:
        return _NUMERIC[name]
    if name in _RATERS:
        of_raters = _RATERS[name]
        return lambda x, y: of_raters(np.stack([x, y], axis=1))
    levels = _declared_for(known, categories)
    if name in _CATEGORICAL:
        on_categories = _CATEGORICAL[name]
        return lambda x, y: on_categories(x, y, levels)
    raters_on_categories = _RATERS_ON_CATEGORIES[name]
    return lambda x, y: raters_on_categories(np.stack([x, y], axis=1), levels)


def rater_statistic(name: str, categories: ArrayLike | None = None) -> RaterStatistic:
    """Return the statistic of ratings (units, raters), NaN where missing."""
    known = describe(name)
    if name not in RATER_STATISTICS:
        raise UsageError(f"{name} compares two sides only", fix=f"For raters: {', '.join(RATER_STATISTICS)}")
    if name in _RATERS:
        return _RATERS[name]
    levels, on_categories = _declared_for(known, categories), _RATERS_ON_CATEGORIES[name]
    return lambda ratings: on_categories(ratings, levels)


def _declared_for(known: NamedStatistic, categories: ArrayLike | None) -> ArrayLike:
    if categories is None:
        raise UsageError(f"{known.name} needs the declared levels of the scale")
    return categories
