"""How much each member of a panel agrees with the others: weights that need no labels.

A member that agrees with the rest only by chance weighs nothing. Agreement without truth can't tell a member that is
right alone from one that is wrong alone: where labels exist, measure members against them instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, ratings_matrix
from evalharness.stats.correlation import lins_ccc
from evalharness.stats.influence import Linearized
from evalharness.stats.kappa import cohen_kappa


def member_agreement(ratings: ArrayLike, categories: ArrayLike | None = None) -> FloatArray:
    """Return each member's mean chance-corrected agreement with the others (m,), NaN where it has none.

    ratings: (n, m), NaN for a missing verdict. Pairs of members are compared on the items that both judged: by Cohen's
    kappa of codes where `categories` are declared (labels without an order), else by Lin's concordance, which is
    Cohen's kappa with squared distances as weights (Krippendorff 1970).
    """
    matrix = ratings_matrix(ratings)
    members = matrix.shape[1]
    found = np.full((members, members), np.nan)
    for one in range(members):
        for other in range(one):
            both = ~np.isnan(matrix[:, one]) & ~np.isnan(matrix[:, other])
            x, y = matrix[both, one], matrix[both, other]
            statistic = lins_ccc(x, y) if categories is None else cohen_kappa(x, y, categories)
            if isinstance(statistic, Linearized):
                found[one, other] = found[other, one] = statistic.value
    defined = ~np.isnan(found)
    counts = defined.sum(axis=1)
    sums = np.where(defined, found, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def agreement_weights(ratings: ArrayLike, categories: ArrayLike | None = None) -> FloatArray | None:
    """Return weights (m,) that sum to 1: each member's agreement with the others, below 0 cut to 0.

    ``None`` where no member agrees with another better than by chance, or nothing is defined: there is nothing to
    weigh by.
    """
    agreement = np.nan_to_num(member_agreement(ratings, categories), nan=0.0)
    weights = np.maximum(agreement, 0.0)
    total = float(weights.sum())
    return weights / total if total > 1e-12 else None
