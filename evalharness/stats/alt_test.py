"""The Alternative Annotator Test: may a judge stand in for the human annotators?

Each annotator is compared with the judge on how close they come to the OTHER annotators. On every item of
annotator j, the judge is at least as close (W_f = 1), the human is (W_h = 1), or both. With d = W_h - W_f, the
cost benefit epsilon (0.2 for experts, 0.15 for skilled annotators, 0.1 for crowd workers) and H0: mean d >=
epsilon, a rejected annotator is one that the judge may replace. omega is the share of rejections at false
discovery rate q (Benjamini-Yekutieli); the judge passes at omega >= 0.5. rho, the mean of W_f, ranks judges.
Calderon, Reichart & Dror (2025), arXiv 2501.10970.

Closeness is compared on exact sufficient statistics (numbers of matches, sums of squared errors), since ties
decide. The published test takes items as independent; its cluster-robust form stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, ratings_matrix
from evalharness.stats.categories import MISSING, code_labels
from evalharness.stats.clustered import Scale, cr1_standard_error
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized, mean_of
from evalharness.stats.multiple import benjamini_yekutieli, rejections
from evalharness.stats.significance import student_p

MIN_ITEMS = 30
EPSILON_EXPERT, EPSILON_SKILLED, EPSILON_CROWD = 0.2, 0.15, 0.1
_RELATIVE_TIE = 1e-9

SmallSamples = Literal["skip", "wilcoxon"]


class Closeness(StrEnum):
    """How near an annotation is to those of the others."""

    MATCH = "match"  # share of equal labels
    RMSE = "rmse"  # negative root mean squared error


@dataclass(frozen=True, slots=True)
class AnnotatorResult:
    """The comparison with one annotator.

    annotator: column index; n: items; judge_wins, human_wins: mean W_f and W_h.
    p: one-sided p-value that the annotator is not better by epsilon; p_clustered: the same, clustered by
    group. Both ``None``, with ``note`` saying why, where the annotator is not tested.
    """

    annotator: int
    n: int
    judge_wins: float
    human_wins: float
    p: float | None
    p_clustered: float | None
    rejected: bool
    rejected_clustered: bool
    note: str


@dataclass(frozen=True, slots=True)
class AltTest:
    """The outcome of the test.

    winning_rate: omega, and its cluster-robust form; ``None`` where no annotator could be tested, and
    ``undefined``
        says why.
    advantage: rho with an interval clustered by group.
    labels_disjoint: matching, and no label of the judge is ever used by a human: the mark of a coding error.
    """

    winning_rate: float | None
    winning_rate_clustered: float | None
    advantage: Estimate
    epsilon: float
    q: float
    annotators: tuple[AnnotatorResult, ...]
    labels_disjoint: bool
    undefined: str | None

    @property
    def tested(self) -> int:
        """Number of annotators tested."""
        return sum(result.p is not None for result in self.annotators)

    @property
    def passed(self) -> bool | None:
        """Whether omega >= 0.5; ``None`` where undefined."""
        return None if self.winning_rate is None else self.winning_rate >= 0.5

    @property
    def passed_clustered(self) -> bool | None:
        """Whether the cluster-robust omega is >= 0.5; ``None`` where undefined."""
        return None if self.winning_rate_clustered is None else self.winning_rate_clustered >= 0.5


def alternative_annotator_test(
    judge: ArrayLike,
    humans: ArrayLike,
    *,
    epsilon: float,
    closeness: Closeness,
    categories: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    min_items: int = MIN_ITEMS,
    small_samples: SmallSamples = "skip",
    q: float = 0.05,
    level: float = 0.95,
) -> AltTest:
    """Return the test of a judge (n,) against annotators (n, r), NaN where an annotation is missing.

    Items without a judge's annotation or with fewer than two human ones don't count.
    categories: the declared labels, needed by ``MATCH``; other labels raise ``InputError``.
    small_samples: annotators with fewer than ``min_items`` items are skipped, or tested with Wilcoxon's
    signed ranks.
    """
    matrix, own = ratings_matrix(humans), np.asarray(judge, dtype=np.float64)
    if own.shape != (len(matrix),):
        raise ValueError(f"{len(matrix)} items have {own.shape} annotations of the judge")
    usable = ~np.isnan(own) & ((~np.isnan(matrix)).sum(axis=1) >= 2)
    codes, _ = group_codes(groups, len(matrix))
    x, f = matrix[usable], own[usable]
    if closeness is Closeness.MATCH:
        if categories is None:
            raise ValueError("matching needs the declared categories")
        wins = _match_wins(code_labels(f, categories).astype(np.float64), _coded(x, categories))
    else:
        wins = _error_wins(f, x)
    is_match = closeness is Closeness.MATCH
    disjoint = is_match and bool(f.size) and not np.isin(f, x[~np.isnan(x)]).any()
    rules = _Rules(epsilon, min_items, small_samples, q, level)
    return _tested(wins, codes[usable], rules, disjoint)


@dataclass(frozen=True, slots=True)
class _Rules:
    """How annotators are tested."""

    epsilon: float
    min_items: int
    small_samples: SmallSamples
    q: float
    level: float


def _tested(wins: tuple[FloatArray, FloatArray], groups: IntArray, rules: _Rules, disjoint: bool) -> AltTest:
    judge_wins, human_wins = wins
    rows = [
        _annotator(j, judge_wins[:, j], human_wins[:, j], groups, rules) for j in range(judge_wins.shape[1])
    ]
    plain = _rejected([row.p for row in rows], rules.q)
    robust = _rejected([row.p_clustered for row in rows], rules.q)
    results = tuple(
        replace(row, rejected=a, rejected_clustered=b) for row, a, b in zip(rows, plain, robust, strict=True)
    )
    tested = [r for r in results if r.p is not None]
    if not tested:
        reason = f"no annotator has {rules.min_items} items with another annotation and one of the judge"
        empty = undefined(reason, n=len(judge_wins), level=rules.level)
        return AltTest(None, None, empty, rules.epsilon, rules.q, results, disjoint, reason)
    clustered = [r for r in tested if r.p_clustered is not None]
    return AltTest(
        winning_rate=sum(r.rejected for r in tested) / len(tested),
        winning_rate_clustered=sum(r.rejected_clustered for r in clustered) / len(clustered)
        if clustered
        else None,
        advantage=_advantage(judge_wins, [r.annotator for r in tested], groups, rules.level),
        epsilon=rules.epsilon,
        q=rules.q,
        annotators=results,
        labels_disjoint=disjoint,
        undefined=None,
    )


def _rejected(p: list[float | None], q: float) -> list[bool]:
    return [bool(rejected) for rejected in rejections(benjamini_yekutieli(p), q)]


def _annotator(
    j: int, judge_wins: FloatArray, human_wins: FloatArray, groups: IntArray, rules: _Rules
) -> AnnotatorResult:
    rated = ~np.isnan(judge_wins)
    f, h = judge_wins[rated], human_wins[rated]
    shares = (float(f.mean()), float(h.mean())) if f.size else (0.0, 0.0)
    small = f.size < rules.min_items
    if f.size == 0 or (small and rules.small_samples == "skip"):
        note = f"{f.size} items, fewer than {rules.min_items}"
        return AnnotatorResult(j, f.size, *shares, None, None, False, False, note)
    excess = h - f - rules.epsilon
    p, note = (_wilcoxon(excess), "Wilcoxon signed ranks") if small else (_mean_below_zero(excess, None), "")
    robust = _mean_below_zero(excess, groups[rated])
    return AnnotatorResult(j, f.size, *shares, p, robust, False, False, note)


def _mean_below_zero(excess: FloatArray, groups: IntArray | None) -> float | None:
    """Return the one-sided t-test's p-value that the mean is below zero; ``None`` with fewer than two groups.

    Without variation the sign of the mean decides: 0 below zero, else 1.
    """
    se, count = cr1_standard_error(excess, groups)
    if se is None:
        return None
    mean = float(excess.mean())
    if se == 0.0:
        return 0.0 if mean < -1e-12 else 1.0
    return student_p(mean / se, count - 1, "less")


def _wilcoxon(excess: FloatArray) -> float:
    from scipy.stats import wilcoxon

    if not excess.any():
        return 1.0
    return float(wilcoxon(excess, alternative="less").pvalue)


def _coded(ratings: FloatArray, categories: ArrayLike) -> FloatArray:
    codes = code_labels(ratings, categories)
    return np.where(codes == MISSING, np.nan, codes)


def _match_wins(judge: FloatArray, humans: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return W_f and W_h (n, r), NaN where not rated: by number of equal labels among the others."""
    rated = ~np.isnan(humans)
    judge_hits = judge[:, None] == humans
    judge_score = judge_hits.sum(axis=1, keepdims=True) - judge_hits
    human_score = np.stack(
        [(humans[:, [j]] == humans).sum(axis=1) - rated[:, j] for j in range(humans.shape[1])], axis=1
    )
    return _wins(judge_score >= human_score, human_score >= judge_score, rated)


def _error_wins(judge: FloatArray, humans: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return W_f and W_h (n, r) by sum of squared errors to the others, equal up to rounding being a tie."""
    rated = ~np.isnan(humans)
    judge_errors = np.where(rated, np.square(judge[:, None] - humans), 0.0)
    judge_score = np.stack(
        [np.delete(judge_errors, j, axis=1).sum(axis=1) for j in range(humans.shape[1])], axis=1
    )
    human_score = np.stack(
        [
            np.where(rated, np.square(humans[:, [j]] - humans), 0.0).sum(axis=1)
            for j in range(humans.shape[1])
        ],
        axis=1,
    )
    tie = np.abs(judge_score - human_score) <= _RELATIVE_TIE * np.maximum(judge_score, human_score)
    return _wins((judge_score < human_score) | tie, (human_score < judge_score) | tie, rated)


def _wins(judge: BoolArray, human: BoolArray, rated: BoolArray) -> tuple[FloatArray, FloatArray]:
    return np.where(rated, judge, np.nan), np.where(rated, human, np.nan)


def _advantage(judge_wins: FloatArray, columns: list[int], groups: IntArray, level: float) -> Estimate:
    """Return rho, the mean over annotators of mean W_f, clustered by group."""
    parts = []
    for j in columns:
        rated = np.asarray(~np.isnan(judge_wins[:, j]))
        wins = judge_wins[rated, j]
        mean = math.fsum(wins) / wins.size
        parts.append(Linearized(mean, wins - mean, scale=Scale.LOGIT, bounds=(0.0, 1.0)).embedded(rated))
    return mean_of(parts).estimate(groups, level=level)
