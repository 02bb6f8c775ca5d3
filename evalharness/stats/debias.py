"""The mean quality of all items from many judge scores and few human labels.

A judge alone is biased, a few labels alone are noisy. Prediction-powered inference adds to the mean of the judge's
scores what the labels say that it gets wrong. It needs labels on a random sample, or one with known probabilities;
labels where somebody looked closer don't do. It can be no better than 1 / (1 - r^2) times the labels, and with very few
labels it can be worse than the labels alone, which therefore always stand beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, is_constant, vector
from evalharness.stats.clustered import group_sums, mean_interval, t_quantile
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.labelled_sample import Caution, LabelledSample, cautions, clustered_error, human_only

MIN_STRATUM_LABELS = 5


@dataclass(frozen=True, slots=True)
class DebiasedMean:
    """A debiased mean with what it must be read beside.

    estimate: the debiased mean. human_only: the mean of the labels alone. judge_only: the mean of the judge's scores
    over all items, uncorrected. weight: how far the judge is used (lambda; 0 not at all, 1 fully), ``None`` for strata.
    correlation: of labels and judge on labelled items. effective_labels: how many labels alone would be as precise.
    """

    estimate: Estimate
    human_only: Estimate
    judge_only: float | None
    weight: float | None
    correlation: float | None
    effective_labels: float | None
    labels: int
    unlabelled: int
    cautions: tuple[Caution, ...]


def ppi_mean(sample: LabelledSample, *, weight: float | None = None, level: float = 0.95) -> DebiasedMean:
    """Return the prediction-powered mean with power tuning, PPI++ (Angelopoulos, Duchi & Zrnic, arXiv 2311.01453).

    theta = lambda mean(f_rest) + mean(Y - lambda f), with lambda = cov(Y, f) / ((1 + n / N) var f) cut to 0..1, or
    ``weight``. The variance takes ddof = 1 and the interval Student's t with (labelled groups - 1) degrees of freedom:
    the normal one with population variances covers .85-.93 with 20 to 50 labels. Groups make it CR1 over the influence
    of a group on both parts.
    For the change between two runs over the same items, give differences of labels and of judge scores.
    """
    y, f, rest = sample.labels, sample.judge, sample.rest
    if y.size == 0:
        return _without_labels(sample, level, "PPI++")
    weight = _power_tuned(sample) if weight is None else weight
    if rest.size == 0:
        weight = 0.0
    rectified = y - weight * f
    value = float(rectified.mean()) + (weight * float(rest.mean()) if weight else 0.0)
    influence_labels = (rectified - rectified.mean()) / y.size
    influence_rest = weight * (rest - rest.mean()) / rest.size if rest.size else rest
    se = clustered_error(sample, influence_labels, influence_rest)
    estimate = _interval(value, se, sample, level, f"PPI++ (lambda {weight:.3g})")
    return _beside_labels(sample, estimate, weight, level)


def post_stratified_mean(
    sample: LabelledSample,
    *,
    strata: int | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> DebiasedMean:
    """Return the post-stratified mean: the labels' mean per judge score, weighted by how often the judge gives it.

    theta = sum_k p_k mean_k, for a binary judge the efficient estimator (Chen et al. 2026, arXiv 2601.05420); variance
    sum_k p_k^2 s_k^2 / n_k + sum_k p_k (mean_k - theta)^2 / N_all. Strata are the distinct judge scores, or ``strata``
    ranges of equal mass for scores without levels; neighbours are merged until each holds MIN_STRATUM_LABELS labels.
    No scale, order or linearity of the judge is assumed. ``weights`` (n,), one over the probability with which each
    label's item had been drawn, make the means those of Hajek; the labels alone are then weighted, too.
    """
    y = sample.labels
    if y.size == 0:
        return _without_labels(sample, level, "post-stratified")
    codes, merged = _strata(sample, strata)
    own, count = codes[: y.size], int(codes.max()) + 1
    w = np.ones(y.size) if weights is None else vector(weights, "weights")
    n_k = np.bincount(own, minlength=count).astype(np.float64)
    mass_k = group_sums(w, own, count)
    mean_k = group_sums(w * y, own, count) / mass_k
    share = np.bincount(codes, minlength=count) / codes.size
    value = float(share @ mean_k)
    # Each stratum loses a degree of freedom to its mean; one label alone shows no spread at all.
    spread = np.sqrt(n_k / np.maximum(n_k - 1.0, 1.0)) if sample.groups is None else np.ones(count)
    influence = (mean_k[codes] - value) / codes.size
    influence[: y.size] += (share * spread / mass_k)[own] * w * (y - mean_k[own])
    se = clustered_error(sample, influence[: y.size], influence[y.size :], lost=count, corrected=True)
    title = f"{'post-stratified' if weights is None else 'weighted, post-stratified'} ({count} strata)"
    estimate = _interval(value, se, sample, level, title, lost=count)
    text = "judge scores with few labels were merged with their neighbours"
    more = (Caution("merged_strata", text),) if merged else ()
    if weights is None:
        return _beside_labels(sample, estimate, None, level, more)
    alone, psi = _hajek(y, w * (y.size / w.sum()))
    human = _from_influence(alone, psi, sample.groups, sample, level, "weighted labels")
    return _described(sample, estimate, human, human.se, None, more)


def weighted_mean(
    judge: ArrayLike,
    labels: ArrayLike,
    labelled: ArrayLike,
    probability: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    scale: tuple[float, float] | None = None,
    weight: float | None = None,
    level: float = 0.95,
) -> DebiasedMean:
    """Return the debiased mean of a sample drawn with known probabilities (active inference, Zrnic & Candes 2024).

    judge: (N,) scores of all items. labels: (N,) labels, read only where `labelled` (N,). probability: (N,) with which
    each item could have been labelled. The correction Y - lambda f is weighted by 1 / probability as Horvitz and
    Thompson do and divided by the weights' sum (Hajek), so that shifting the scale shifts the result by as much.
    """
    f, known = vector(judge, "judge"), np.asarray(labelled, dtype=np.bool_)
    pi = vector(probability, "probability")
    if known.shape != f.shape or pi.shape != f.shape:
        raise ValueError("judge, labelled and probability must have the same length")
    if pi[known].size and not (pi[known].min() > 0.0 and pi.max() <= 1.0):
        raise ValueError("a labelled item had a probability above 0 and at most 1")
    y = vector(np.where(known, np.asarray(labels, dtype=np.float64), 0.0), "labels")
    sample = _split(f, y, known, groups, scale)
    if not known.any():
        return _without_labels(sample, level, "weighted")
    inverse = np.where(known, 1.0 / np.where(known, pi, 1.0), 0.0)
    inverse *= f.size / inverse.sum()
    human, human_psi = _hajek(y, inverse)
    gap = (inverse - 1.0) * (f - f.mean())
    if weight is None:
        weight = _clipped_slope(human_psi, gap)
    value = weight * float(f.mean()) + _hajek(y - weight * f, inverse)[0]
    psi = human_psi - weight * (gap - inverse * (float(inverse @ f) / f.size - f.mean()))
    estimate = _from_influence(value, psi, groups, sample, level, f"weighted PPI++ (lambda {weight:.3g})")
    alone = _from_influence(human, human_psi, groups, sample, level, "weighted labels")
    return _described(sample, estimate, alone, alone.se, weight)


def effective_labels(n: int, unlabelled: int, correlation: float) -> float:
    """Return n (n + N) / (n + (1 - rho^2) N): labels alone that would be as precise (ppi_py's power analysis)."""
    if n == 0:
        return 0.0
    return n * (n + unlabelled) / (n + (1.0 - correlation**2) * unlabelled)


def largest_saving(correlation: float) -> float:
    """Return 1 / (1 - rho^2): what any number of judge scores can multiply the labels by, at most."""
    return math.inf if abs(correlation) >= 1.0 else 1.0 / (1.0 - correlation**2)


def _power_tuned(sample: LabelledSample) -> float:
    y, f = sample.labels, sample.judge
    judged = sample.judged
    if y.size < 2 or sample.rest.size == 0 or is_constant(judged):
        return 0.0
    covariance = float(np.cov(y, f)[0, 1])
    slope = covariance / ((1.0 + y.size / sample.rest.size) * float(judged.var(ddof=1)))
    return min(1.0, max(0.0, slope))


def _clipped_slope(target: FloatArray, predictor: FloatArray) -> float:
    """Return the least-squares slope cut to 0..1."""
    base = float(np.sum((predictor - predictor.mean()) ** 2))
    if base <= 0.0:
        return 0.0
    slope = float(np.sum((target - target.mean()) * (predictor - predictor.mean()))) / base
    return min(1.0, max(0.0, slope))


def _hajek(values: FloatArray, inverse: FloatArray) -> tuple[float, FloatArray]:
    """Return the weighted mean (weights sum to N) and its influence values (N,)."""
    value = float(inverse @ values) / values.size
    return value, inverse * (values - value)


def _interval(
    value: float, se: float | None, sample: LabelledSample, level: float, method: str, lost: int = 1
) -> Estimate:
    """Return the t interval of a debiased mean, symmetric in log odds on a bounded scale."""
    n, groups = sample.labels.size + sample.rest.size, sample.label_groups
    df = (sample.labels.size - lost) if sample.groups is None else groups - 1
    if se is None or df < 1:
        return point(value, n=n, groups=groups, level=level, method="none: too few labelled groups")
    t = t_quantile(0.5 + level / 2, df)
    if sample.scale is None:
        low, high = value - t * se, value + t * se
        return Estimate(value, se, low, high, level, f"{method}, t({df})", n, groups, None)
    bottom, top = sample.scale
    place = (value - bottom) / (top - bottom)
    if not 0.0 < place < 1.0 or se == 0.0:
        return point(value, n=n, groups=groups, level=level, method="none: estimate at the edge of the scale")
    reach = t * se / (top - bottom) / (place * (1.0 - place))
    low, high = (bottom + (top - bottom) * float(expit(logit(place) + side * reach)) for side in (-1, 1))
    return Estimate(value, se, low, high, level, f"{method}, t({df}), logit scale", n, groups, None)


def _from_influence(
    value: float, psi: FloatArray, groups: ArrayLike | None, sample: LabelledSample, level: float, method: str
) -> Estimate:
    """Return the interval of a mean of influence values over all items."""
    codes, count = group_codes(groups, psi.size)
    owners = sample.label_groups
    if owners < 2:
        return point(value, n=psi.size, groups=owners, level=level, method="none: too few labelled groups")
    sums = group_sums(psi - psi.mean(), codes, count)
    se = math.sqrt(owners / (owners - 1) * float(sums @ sums)) / psi.size
    return _interval(value, se, sample, level, method)


def _beside_labels(
    sample: LabelledSample,
    estimate: Estimate,
    weight: float | None,
    level: float,
    more: tuple[Caution, ...] = (),
) -> DebiasedMean:
    plain_se = mean_interval(sample.labels, sample.groups, level).se
    return _described(sample, estimate, human_only(sample, level), plain_se, weight, more)


def _described(
    sample: LabelledSample,
    estimate: Estimate,
    alone: Estimate,
    alone_se: float | None,
    weight: float | None,
    more: tuple[Caution, ...] = (),
) -> DebiasedMean:
    gain = sample.labels.size * (alone_se / estimate.se) ** 2 if alone_se and estimate.se else None
    return DebiasedMean(
        estimate=estimate,
        human_only=alone,
        judge_only=float(sample.judged.mean()),
        weight=weight,
        correlation=_correlation(sample),
        effective_labels=gain,
        labels=sample.labels.size,
        unlabelled=sample.rest.size,
        cautions=(*more, *cautions(sample, gain)),
    )


def _correlation(sample: LabelledSample) -> float | None:
    if sample.labels.size < 2 or is_constant(sample.labels) or is_constant(sample.judge):
        return None
    return float(np.corrcoef(sample.labels, sample.judge)[0, 1])


def _without_labels(sample: LabelledSample, level: float, method: str) -> DebiasedMean:
    missing = undefined("no labels", n=sample.rest.size, level=level, method=method)
    judge_only = float(sample.rest.mean()) if sample.rest.size else None
    return DebiasedMean(missing, missing, judge_only, None, None, None, 0, sample.rest.size, ())


def _strata(sample: LabelledSample, strata: int | None) -> tuple[IntArray, bool]:
    """Return the stratum of every item (labelled first), and whether any were merged for want of labels."""
    judged, n = sample.judged, sample.labels.size
    if strata is None:
        _, codes = np.unique(judged, return_inverse=True)
    else:
        edges = np.quantile(judged, np.linspace(0.0, 1.0, strata + 1)[1:-1])
        _, codes = np.unique(np.searchsorted(edges, judged, side="right"), return_inverse=True)
    counts = np.bincount(codes[:n], minlength=int(codes.max()) + 1)
    target = _merged(counts, min(MIN_STRATUM_LABELS, n))
    return target[codes], bool(target[-1] + 1 < counts.size)


def _merged(counts: IntArray, least: int) -> IntArray:
    """Return the new code of each stratum after joining neighbours, in order, until each has ``least`` labels."""
    target = np.empty(counts.size, dtype=np.intp)
    current, held = 0, 0
    for index, count in enumerate(counts.tolist()):
        target[index] = current
        held += count
        if held >= least:
            current, held = current + 1, 0
    if held < least and current > 0:
        target[target == current] = current - 1
    return target


def _split(
    f: FloatArray,
    y: FloatArray,
    known: BoolArray,
    groups: ArrayLike | None,
    scale: tuple[float, float] | None,
) -> LabelledSample:
    clusters = None if groups is None else np.asarray(groups)
    return LabelledSample.of(
        y[known],
        f[known],
        f[~known],
        groups=None if clusters is None else clusters[known],
        rest_groups=None if clusters is None else clusters[~known],
        scale=scale,
    )
