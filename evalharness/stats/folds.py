"""Splits of items into folds that keep groups whole: what is predicted was never trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import IntArray, group_codes
from evalharness.stats.unfitted import Unfitted


def assign_folds(groups: ArrayLike | None, n: int, *, folds: int = 10, seed: int = 0) -> IntArray | Unfitted:
    """Return the fold (n,) of each item: groups stay whole, folds get about the same number of items.

    Groups are shuffled by the seed and then dealt, largest first, to the smallest fold. With fewer groups than
    ``folds`` every group is a fold; fewer than two groups can't be split.
    """
    codes, count = group_codes(groups, n)
    if count < 2:
        return Unfitted("needs at least two groups to hold one out", n)
    sizes = np.bincount(codes, minlength=count)
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros(min(folds, count))
    fold_of_group = np.empty(count, dtype=np.intp)
    for group in order:
        fold = int(load.argmin())
        fold_of_group[group] = fold
        load[fold] += sizes[group]
    return np.asarray(fold_of_group[codes])
