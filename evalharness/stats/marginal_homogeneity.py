"""Do two raters use the categories equally often? Symmetry and marginal homogeneity of a square table.

A judge that is more lenient than the humans shows as heterogeneous marginals. Bowker (1948) tests symmetry of
the whole table; Stuart (1955) and Maxwell (1970) test the marginals; Bhapkar's (1966) form is the more
powerful Wald test, and the clustered one is the same with a CR1 covariance and Hotelling's F.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc

from evalharness.stats.arrays import FloatArray, group_codes
from evalharness.stats.categories import declared, paired_codes
from evalharness.stats.clustered import cr1_covariance
from evalharness.stats.significance import Significance, untestable


def bowker(table: ArrayLike) -> Significance:
    """Return Bowker's test of symmetry of a square table of counts.

    sum_{k<l} (n_kl - n_lk)^2 / (n_kl + n_lk); degrees of freedom count the pairs of cells that are not both
    empty.
    """
    counts = _square(table)
    upper, lower = np.triu_indices(counts.shape[0], 1)
    forward, back = counts[upper, lower], counts[lower, upper]
    informative = forward + back > 0
    df, n = int(informative.sum()), int(counts.sum())
    if df == 0:
        return untestable("the two sides never disagree", method="Bowker", n=n, groups=n)
    chi2 = float((np.square(forward - back)[informative] / (forward + back)[informative]).sum())
    return Significance(float(chdtrc(df, chi2)), chi2, f"Bowker chi2({df})", n, n)


def stuart_maxwell(table: ArrayLike) -> Significance:
    """Return the Stuart-Maxwell test of marginal homogeneity of a square table of counts."""
    return _marginal_test(table, "Stuart-Maxwell", centred=False)


def bhapkar(table: ArrayLike) -> Significance:
    """Return Bhapkar's test of marginal homogeneity: Stuart-Maxwell's W / (1 - W / n)."""
    return _marginal_test(table, "Bhapkar", centred=True)


def clustered_marginal_homogeneity(
    first: ArrayLike, second: ArrayLike, categories: ArrayLike, groups: ArrayLike | None = None
) -> Significance:
    """Return a Wald test of marginal homogeneity that respects clustering: Hotelling's F over G groups.

    W = d' V^-1 d with d the differences of category shares and V their CR1 covariance; W (G - m) / (m (G - 1))
    is     compared with F(m, G - m), m being the rank of V.
    """
    levels = declared(categories)
    a, b = paired_codes(first, second, levels)
    _, count = group_codes(groups, a.size)
    step = np.eye(levels.size)[:, :-1]
    gaps = step[a] - step[b]
    covariance, _ = cr1_covariance(gaps, groups) if a.size else (None, 0)
    if covariance is None:
        return untestable("fewer than two groups", method="clustered Wald", n=a.size, groups=count)
    if not gaps.any():
        return untestable("the two sides never disagree", method="clustered Wald", n=a.size, groups=count)
    if count - 1 < np.linalg.matrix_rank(gaps):
        reason = f"{count} groups are too few to test {levels.size} categories"
        return untestable(reason, method="clustered Wald", n=a.size, groups=count)
    wald, m = _wald(gaps.mean(axis=0), covariance)
    if m == 0:
        return untestable("all groups disagree alike", method="clustered Wald", n=a.size, groups=count)
    f = wald * (count - m) / (m * (count - 1))
    return Significance(
        float(fdtrc(m, count - m, f)), f, f"clustered Wald F({m}, {count - m})", a.size, count
    )


def _marginal_test(table: ArrayLike, name: str, *, centred: bool) -> Significance:
    counts = _square(table)
    n = int(counts.sum())
    gap = counts.sum(axis=1) - counts.sum(axis=0)
    off = counts - np.diag(np.diag(counts))
    covariance = np.diag(off.sum(axis=1) + off.sum(axis=0)) - off - off.T
    wald, df = _wald(gap, covariance)
    if df == 0:
        return untestable("the two sides never disagree", method=name, n=n, groups=n)
    if centred and wald >= n * (1.0 - 1e-12):
        return untestable("the marginals have no category in common", method=name, n=n, groups=n)
    chi2 = wald / (1.0 - wald / n) if centred else wald
    return Significance(float(chdtrc(df, chi2)), chi2, f"{name} chi2({df})", n, n)


def _wald(gap: FloatArray, covariance: FloatArray) -> tuple[float, int]:
    """Return d' V^+ d and the rank of V: categories that nobody uses, or the redundant last one, drop out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-10 * max(float(values[-1]), 0.0)
    if values[-1] <= 0.0:
        return 0.0, 0
    along = gap @ vectors[:, kept]
    return float((np.square(along) / values[kept]).sum()), int(kept.sum())


def _square(table: ArrayLike) -> FloatArray:
    counts = np.asarray(table, dtype=np.float64)
    if (
        counts.ndim != 2
        or counts.shape[0] != counts.shape[1]
        or not np.isfinite(counts).all()
        or (counts < 0).any()
    ):
        raise ValueError("a square table of non-negative counts is needed")
    return counts
