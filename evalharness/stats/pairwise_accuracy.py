"""Pairwise accuracy with ties, as in the WMT metrics tasks, and the calibration of a metric's tie threshold.

Over pairs of items, a metric is right where it orders them as the human does, a tie being one of three
orders:

    acc_eq = (C + T_both) / pairs,
    tau_23 = (C + T_both - D - T_metric - T_human) / pairs = 2 acc_eq - 1.

A metric with fine-grained scores never ties, so metric differences up to a threshold epsilon count as ties.
Choosing epsilon on the data that are scored is optimistic: the cross-fitted value is the one to report.
Deutsch, Foster & Freitag (2023), "Ties Matter", arXiv 2305.14324.

The first side is always the metric (or judge), the second the human.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import RELATIVE_TIE, FloatArray, IntArray, group_codes, of_unit_size, paired
from evalharness.stats.clustered import Scale, group_sums
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized, Statistic
from evalharness.stats.pairs import PAIR_LIMIT, pair_counts, pair_total, within_group_pairs
from evalharness.stats.undefined import Cause, Undefined

SEED = 20231
CALIBRATION_PAIRS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TieCalibration:
    """Accuracy by tie threshold, and the best one.

    thresholds: (t,) zero and every distinct metric difference, ascending; accuracies: (t,) acc_eq at each,
    averaged over groups. epsilon: the smallest threshold of highest accuracy; accuracy: its value, optimistic
    on these data.
    """

    thresholds: FloatArray
    accuracies: FloatArray
    epsilon: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Tie-calibrated accuracy where no pair was scored with a threshold that it helped to choose.

    estimate: mean over groups; epsilons: the threshold each fold was scored with; in_sample: the optimistic
    value with one threshold from all data, for comparison with published figures.
    """

    estimate: Estimate
    epsilons: tuple[float, ...]
    in_sample: float | None


def pairwise_accuracy(
    metric: ArrayLike, human: ArrayLike, *, epsilon: float = 0.0, copies: IntArray | None = None
) -> Statistic:
    """Return acc_eq over all pairs of items.

    copies: (n,) how often each item counts; a pair then counts as often as the product of both, and an item makes no
    pair with itself.

    >>> round(pairwise_accuracy([2, 1, 1.5, 5, 3], [1, 2, 2, 3, 4]).value, 3)
    0.6
    """
    x, y = paired(metric, human)
    if x.size < 2:
        return Undefined(Cause.TOO_FEW if x.size else Cause.EMPTY, x.size)
    w = np.ones_like(x) if copies is None else copies.astype(np.float64)
    every = np.arange(x.size)
    rows, first = (every, every) if copies is None else (np.repeat(every, copies), np.cumsum(copies) - copies)
    counts = pair_counts(x[rows], y[rows], epsilon)
    # Of an item's copies all have the same counts; its other copies, tied with it on both sides, are no pairs.
    right = (counts.concordant + counts.tied_both)[first] - (w - 1.0)
    base = w.sum() - w
    pairs = float(w @ base)
    value = float(w @ right) / pairs
    influence = 2.0 * x.size * w * (right - value * base) / pairs
    return Linearized(value, influence, scale=Scale.LOGIT, bounds=(0.0, 1.0))


def tau_23(
    metric: ArrayLike, human: ArrayLike, *, epsilon: float = 0.0, copies: IntArray | None = None
) -> Statistic:
    """Return tau_23 = 2 acc_eq - 1; ``copies`` as in :func:`pairwise_accuracy`."""
    found = pairwise_accuracy(metric, human, epsilon=epsilon, copies=copies)
    if isinstance(found, Undefined):
        return found
    return Linearized(2.0 * found.value - 1.0, 2.0 * found.influence, scale=Scale.FISHER, bounds=(-1.0, 1.0))


def kendall_like(metric: ArrayLike, human: ArrayLike, *, threshold: float = 25.0) -> float | None:
    """Return the Kendall-like tau of the WMT direct-assessment years; ``None`` without a pair.

    Only pairs whose human scores differ by `threshold` or more count; a metric tie is discordant.
    """
    x, y = paired(metric, human)
    left, right = within_group_pairs(np.zeros(x.size, dtype=np.intp))
    gap = y[left] - y[right]
    counted = np.abs(gap) >= threshold
    if not counted.any():
        return None
    same = np.sign(x[left] - x[right])[counted] * np.sign(gap[counted]) > 0
    return float(2.0 * same.mean() - 1.0)


def grouped_accuracy(
    metric: ArrayLike, human: ArrayLike, groups: ArrayLike, *, epsilon: float = 0.0, level: float = 0.95
) -> Estimate:
    """Return the mean over groups of acc_eq within each; groups with one item have no pair."""
    x, y = paired(metric, human)
    codes, count = group_codes(groups, x.size)
    return _mean_over_groups(x, y, codes, np.full(count, epsilon), level)


def calibrate_ties(
    metric: ArrayLike, human: ArrayLike, groups: ArrayLike | None = None
) -> TieCalibration | None:
    """Return accuracy by tie threshold, averaged over groups; ``None`` where no group has two items.

    groups: (n,) codes within which items are paired; all items are one group where absent. Above 2 million
    pairs the thresholds come from a fixed random sample of pairs in each group.
    """
    x, y = paired(metric, human)
    codes, _ = group_codes(np.zeros(x.size) if groups is None else groups, x.size)
    pairs = _signed_pairs(x, y, codes)
    return None if pairs is None else _calibration(*pairs)


def tie_calibrated_accuracy(
    metric: ArrayLike,
    human: ArrayLike,
    groups: ArrayLike,
    *,
    folds: int = 2,
    seed: int = SEED,
    level: float = 0.95,
) -> CrossFitted:
    """Return acc_eq averaged over groups, each scored with the threshold of the other folds of groups."""
    x, y = paired(metric, human)
    codes, count = group_codes(groups, x.size)
    sizes = np.bincount(codes, minlength=count)
    usable = np.flatnonzero(sizes >= 2)
    if usable.size < folds:
        reason = f"{usable.size} groups with two items, {folds} folds need at least {folds}"
        return CrossFitted(undefined(reason, n=x.size, groups=count, level=level), (), None)
    fold_of_group = np.zeros(count, dtype=np.intp)
    fold_of_group[usable] = np.random.default_rng(seed).permutation(usable.size) % folds
    epsilons = _fold_epsilons(x, y, codes, fold_of_group[codes], folds)
    estimate = _mean_over_groups(x, y, codes, np.asarray(epsilons)[fold_of_group], level)
    whole = calibrate_ties(x, y, codes)
    labelled = replace(estimate, method=f"{estimate.method}, cross-fitted in {folds} folds")
    return CrossFitted(labelled, epsilons, None if whole is None else whole.accuracy)


def tie_calibrated_accuracy_pooled(
    metric: ArrayLike,
    human: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    folds: int = 2,
    seed: int = SEED,
    level: float = 0.95,
) -> CrossFitted:
    """Return acc_eq over pairs of all items inside a fold, scored with the threshold fitted on the other
    folds.

    groups: (n,) codes of clusters, kept whole by the folds and respected by the interval.
    """
    x, y = paired(metric, human)
    codes, count = group_codes(groups, x.size)
    if count < 2 * folds:
        reason = f"{count} groups, {folds} folds need at least {2 * folds}"
        return CrossFitted(undefined(reason, n=x.size, groups=count, level=level), (), None)
    fold = (np.random.default_rng(seed).permutation(count) % folds)[codes]
    epsilons = _fold_epsilons(x, y, fold, fold, folds)
    value, influence = 0.0, np.zeros(x.size)
    for k, epsilon in enumerate(epsilons):
        found = pairwise_accuracy(x[fold == k], y[fold == k], epsilon=epsilon)
        if isinstance(found, Undefined):
            return CrossFitted(found.estimate(level=level), epsilons, None)
        part = found.embedded(fold == k)
        value, influence = value + part.value / folds, influence + part.influence / folds
    whole_value = Linearized(value, influence, scale=Scale.LOGIT, bounds=(0.0, 1.0))
    estimate = whole_value.estimate(codes, level=level)
    whole = calibrate_ties(x, y)
    labelled = replace(estimate, method=f"{estimate.method}, cross-fitted in {folds} folds")
    return CrossFitted(labelled, epsilons, None if whole is None else whole.accuracy)


def pairwise_difference_pearson(
    metric: ArrayLike, human: ArrayLike, groups: ArrayLike | None = None, *, level: float = 0.95
) -> Estimate:
    """Return the Pearson correlation, about zero, of differences between items of the same group.

    Over all pairs inside groups: sum dx dy / sqrt(sum dx^2 sum dy^2). Without groups it is Pearson's r. Each
    group counts by its pairs; the interval clusters by group.
    """
    x, y = paired(metric, human)
    codes, count = group_codes(np.zeros(x.size) if groups is None else groups, x.size)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    x, y = of_unit_size(x), of_unit_size(y)
    a = x - (group_sums(x, codes, count) / sizes)[codes]
    b = y - (group_sums(y, codes, count) / sizes)[codes]
    xy, xx, yy = (sizes * group_sums(w, codes, count) for w in (a * b, a * a, b * b))
    scale = float(np.sqrt(xx.sum() * yy.sum()))
    if scale <= RELATIVE_TIE * float(np.abs(x).max(initial=0.0) * np.abs(y).max(initial=0.0)):
        return undefined("one side does not vary within groups", n=x.size, groups=count, level=level)
    value = float(xy.sum()) / scale
    influence = count * (xy / scale - value / 2.0 * (xx / xx.sum() + yy / yy.sum()))
    found = Linearized(value, influence, scale=Scale.FISHER, bounds=(-1.0, 1.0)).estimate(level=level)
    return replace(found, n=x.size)


def _fold_epsilons(
    x: FloatArray, y: FloatArray, codes: IntArray, fold: IntArray, folds: int
) -> tuple[float, ...]:
    """Return the best threshold on the items outside each fold; zero where they hold no pair."""
    epsilons = []
    for k in range(folds):
        others = fold != k
        fitted = calibrate_ties(x[others], y[others], codes[others])
        epsilons.append(0.0 if fitted is None else fitted.epsilon)
    return tuple(epsilons)


def _mean_over_groups(
    x: FloatArray, y: FloatArray, codes: IntArray, epsilons: FloatArray, level: float
) -> Estimate:
    """Return the mean over groups of acc_eq, each group with its own threshold (count,)."""
    accuracy = _accuracy_by_group(x, y, codes, epsilons)
    defined = np.isfinite(accuracy)
    if not defined.any():
        return undefined("no group has two items", n=x.size, groups=epsilons.size, level=level)
    mean = float(accuracy[defined].mean())
    deviations = accuracy[defined] - mean
    found = Linearized(mean, deviations, scale=Scale.LOGIT, bounds=(0.0, 1.0)).estimate(level=level)
    return replace(found, n=int(defined[codes].sum()))


def _accuracy_by_group(x: FloatArray, y: FloatArray, codes: IntArray, epsilons: FloatArray) -> FloatArray:
    """Return acc_eq of each group (count,), NaN for groups with one item."""
    if pair_total(codes, epsilons.size) > PAIR_LIMIT:
        return _accuracy_one_by_one(x, y, codes, epsilons)
    left, right = within_group_pairs(codes)
    group = codes[left]
    gap_x, gap_y = _gaps(x, left, right), _gaps(y, left, right)
    tie = np.abs(gap_x) <= epsilons[group] * (1.0 + RELATIVE_TIE)
    correct = np.where(tie, gap_y == 0.0, np.sign(gap_x) == np.sign(gap_y)).astype(np.float64)
    pairs = np.bincount(group, minlength=epsilons.size)
    hits = group_sums(correct, group, epsilons.size)
    accuracy: FloatArray = np.full(epsilons.size, np.nan)
    np.divide(hits, pairs, out=accuracy, where=pairs > 0)
    return accuracy


def _accuracy_one_by_one(x: FloatArray, y: FloatArray, codes: IntArray, epsilons: FloatArray) -> FloatArray:
    accuracy = np.full(epsilons.size, np.nan)
    for group in np.flatnonzero(np.bincount(codes, minlength=epsilons.size) >= 2):
        members = codes == group
        found = pairwise_accuracy(x[members], y[members], epsilon=float(epsilons[group]))
        accuracy[group] = np.nan if found.value is None else found.value
    return accuracy


def _gaps(values: FloatArray, left: IntArray, right: IntArray) -> FloatArray:
    """Return value differences of pairs (p,), zero where the two are equal up to rounding."""
    gap = values[left] - values[right]
    size = np.maximum(np.abs(values[left]), np.abs(values[right]))
    return np.where(np.abs(gap) <= RELATIVE_TIE * size, 0.0, gap)


def _signed_pairs(
    x: FloatArray, y: FloatArray, codes: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return |metric difference|, the gain in accuracy of calling the pair a tie, and the base accuracy it
    starts from.

    Each pair weighs one over the pairs of its group and the number of groups with pairs.
    """
    sizes = np.bincount(codes)
    left, right = _sampled_pairs(codes, sizes)
    if left.size == 0:
        return None
    group = codes[left]
    per_group = np.bincount(group, minlength=sizes.size)
    weight = 1.0 / (per_group[group] * int((per_group > 0).sum()))
    gap_x, gap_y = _gaps(x, left, right), _gaps(y, left, right)
    right_untied = np.sign(gap_x) == np.sign(gap_y)
    return np.abs(gap_x), weight * ((gap_y == 0.0).astype(np.float64) - right_untied), weight * right_untied


def _sampled_pairs(codes: IntArray, sizes: IntArray) -> tuple[IntArray, IntArray]:
    """Return all pairs inside groups, or a fixed random sample in each group where there are too many."""
    total = int((sizes.astype(np.int64) * (sizes - 1) // 2).sum())
    if total <= CALIBRATION_PAIRS:
        return within_group_pairs(codes)
    rng = np.random.default_rng(SEED)
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    share = max(1, CALIBRATION_PAIRS // int((sizes >= 2).sum()))
    wanted = np.minimum(share, sizes * (sizes - 1) // 2)
    group = np.repeat(np.arange(sizes.size), wanted)
    first = (rng.random(group.size) * sizes[group]).astype(np.intp)
    step = 1 + (rng.random(group.size) * (sizes[group] - 1)).astype(np.intp)
    second = (first + step) % sizes[group]
    return order[starts[group] + first], order[starts[group] + second]


def _calibration(gap: FloatArray, gain: FloatArray, base: FloatArray) -> TieCalibration:
    """Return the accuracy at every threshold by one sort and one cumulative sum."""
    order = np.argsort(gap, kind="stable")
    ordered, total = gap[order], np.cumsum(gain[order])
    step = np.diff(ordered) > RELATIVE_TIE * np.abs(ordered[1:])
    last = np.append(np.flatnonzero(step), ordered.size - 1)
    thresholds, accuracies = ordered[last], float(base.sum()) + total[last]
    if thresholds[0] > 0.0:
        thresholds, accuracies = np.append(0.0, thresholds), np.append(float(base.sum()), accuracies)
    best = int(np.argmax(accuracies >= accuracies.max() - 1e-12))
    return TieCalibration(thresholds, accuracies, float(thresholds[best]), float(accuracies[best]))
