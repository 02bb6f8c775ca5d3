"""Agreement on pairwise preferences, as MT-Bench counts it: with ties, without, and corrected for chance.

Votes are +1 (the first of the pair wins), 0 (tie) and -1 (the second wins) on pairs in one canonical order; a
verdict on the swapped pair is turned round first. Every pair of votes on an item counts, so that an item with
many votes weighs more (FastChat's compute_agreement). Leaving ties out selects the clear cases: the share
left out is stated, and both figures.

Which system is called "first" is arbitrary, yet kappa on first/second labels depends on it: the kappa here is
that of the table averaged with its mirror image. Zheng et al. (2023), arXiv 2306.05685.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.errors import InputError, Problem
from evalharness.stats.arrays import FloatArray, IntArray, group_codes
from evalharness.stats.categories import cross_table
from evalharness.stats.clustered import Scale
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized
from evalharness.stats.kappa import kappa_cells
from evalharness.stats.pairs import within_group_pairs
from evalharness.stats.rates import share_interval
from evalharness.stats.undefined import Undefined

FIRST, TIE, SECOND = 1, 0, -1


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Agreement of pairs of votes.

    with_ties: agreeing pairs of votes over all pairs (a tie is a vote; 1/3 by blind chance).
    without_ties: the same over pairs where neither vote is a tie (1/2 by chance).
    kappa, kappa_without_ties: corrected for chance on the symmetrised table of 3 and of 2 outcomes.
    agreeing, pairs, agreeing_without_ties, pairs_without_ties: the counts behind them.
    share_dropped: share of pairs of votes left out with the ties; ``None`` without pairs.
    """

    with_ties: Estimate
    without_ties: Estimate
    kappa: Estimate
    kappa_without_ties: Estimate
    agreeing: int
    pairs: int
    agreeing_without_ties: int
    pairs_without_ties: int
    share_dropped: float | None


@dataclass(frozen=True, slots=True)
class SwapConsistency:
    """A judge's verdicts on the same pairs shown in both orders.

    inconsistent: share of pairs whose verdict changes with the order.
    counts: consistent; favouring the reply shown first in both orders; the one shown second; changed to or
    from a tie.
    first_share: share favouring the first among those favouring a position; ``None`` if there are none.
    """

    inconsistent: Estimate
    consistent_count: int
    first_count: int
    second_count: int
    tie_count: int
    first_share: float | None


def canonical_votes(votes: ArrayLike, swapped: ArrayLike) -> IntArray:
    """Return votes (n,) turned round where the pair was shown in swapped order."""
    checked = _votes(votes)
    return np.where(np.asarray(swapped, dtype=bool), -checked, checked)


def agreement_among(
    items: ArrayLike,
    raters: ArrayLike,
    votes: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> PairAgreement:
    """Return the agreement between raters: all pairs of votes of different raters on the same item.

    items, raters, votes: (n,) one row a vote; a rater votes once on an item, else ``ValueError``.
    groups: (n,) codes of clusters; the items where absent.
    """
    checked = _votes(votes)
    codes, _ = group_codes(items, checked.size)
    who, count = group_codes(raters, checked.size)
    if np.unique(codes * count + who).size < checked.size:
        raise ValueError("a rater has two votes on one item")
    left, right = within_group_pairs(codes)
    clusters = codes if groups is None else np.asarray(groups)
    return _agreement(checked[left], checked[right], clusters[left], level)


def agreement_with(
    judge_votes: ArrayLike, votes: ArrayLike, groups: ArrayLike | None = None, *, level: float = 0.95
) -> PairAgreement:
    """Return the agreement of a judge with raters: for each vote (n,) the judge's vote on the same item (n,).

    groups: (n,) codes of clusters, at least the items; each vote its own where absent.
    """
    judge, human = _votes(judge_votes), _votes(votes)
    if judge.size != human.size:
        raise ValueError(f"votes differ in number: {judge.size} and {human.size}")
    codes, _ = group_codes(groups, human.size)
    return _agreement(judge, human, codes, level)


def swap_consistency(
    forward: ArrayLike, swapped: ArrayLike, groups: ArrayLike | None = None, *, level: float = 0.95
) -> SwapConsistency:
    """Return how verdicts change with the order shown; votes by POSITION (+1: the reply shown first wins)."""
    a, b = _votes(forward), _votes(swapped)
    if a.size != b.size:
        raise ValueError(f"verdicts differ in number: {a.size} and {b.size}")
    changed = a != -b
    first, second = (a == FIRST) & (b == FIRST), (a == SECOND) & (b == SECOND)
    positional = int(first.sum() + second.sum())
    return SwapConsistency(
        inconsistent=share_interval(changed.astype(np.float64), groups, level),
        consistent_count=int((~changed).sum()),
        first_count=int(first.sum()),
        second_count=int(second.sum()),
        tie_count=int(changed.sum()) - positional,
        first_share=int(first.sum()) / positional if positional else None,
    )


def _votes(votes: ArrayLike) -> IntArray:
    array = np.asarray(votes)
    off = ~np.isin(array, (FIRST, TIE, SECOND))
    if array.ndim != 1:
        raise ValueError(f"votes must be a vector, got shape {array.shape}")
    if off.any():
        shown = ", ".join(str(vote) for vote in np.unique(array[off])[:5])
        raise InputError(
            Problem(
                f"votes outside 1, 0, -1: {shown}", fix="Code the first as 1, a tie as 0, the second as -1"
            )
        )
    return array.astype(np.intp)


def _agreement(a: IntArray, b: IntArray, groups: IntArray, level: float) -> PairAgreement:
    clear = (a != TIE) & (b != TIE)
    same = a == b
    return PairAgreement(
        with_ties=_share(same, groups, level),
        without_ties=_share(same[clear], groups[clear], level),
        kappa=_symmetric_kappa(a + 1, b + 1, 3, groups, level),
        kappa_without_ties=_symmetric_kappa(
            (a[clear] + 1) // 2, (b[clear] + 1) // 2, 2, groups[clear], level
        ),
        agreeing=int(same.sum()),
        pairs=int(same.size),
        agreeing_without_ties=int(same[clear].sum()),
        pairs_without_ties=int(clear.sum()),
        share_dropped=1.0 - float(clear.mean()) if clear.size else None,
    )


def _share(same: np.ndarray, groups: IntArray, level: float) -> Estimate:
    if same.size == 0:
        return undefined("no pair of votes", level=level)
    return share_interval(same.astype(np.float64), groups, level)


def _symmetric_kappa(a: IntArray, b: IntArray, q: int, groups: IntArray, level: float) -> Estimate:
    """Return kappa of the table averaged over mirror image and transposition: no side or order has a name."""
    if a.size == 0:
        return undefined("no pair of votes", level=level)
    cells = kappa_cells(_symmetrised(cross_table(a, b, q)), np.eye(q))
    if isinstance(cells, Undefined):
        return cells.estimate(level=level)
    value, influence = cells
    each = _symmetrised(influence)[a, b]
    return Linearized(value, each, scale=Scale.FISHER, bounds=(-1.0, 1.0)).estimate(groups, level=level)


def _symmetrised(table: FloatArray) -> FloatArray:
    mirrored = (table + table[::-1, ::-1]) / 2.0
    return np.asarray((mirrored + mirrored.T) / 2.0)
