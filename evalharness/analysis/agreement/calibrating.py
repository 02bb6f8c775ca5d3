"""From a judge's scores to the human scale, and the mean of all items from many scores and few labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalharness.analysis.agreement.contest import Contest, Entrant
from evalharness.analysis.agreement.table import ScoreColumn, ScoreTable, codes_of
from evalharness.core.dialogue import Unit
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.calibration import (
    CalibrationError,
    Murphy,
    ReliabilityBin,
    brier,
    calibration_error,
    murphy,
    ranked_probability_score,
    reliability_bins,
    usual_bins,
)
from evalharness.stats.categories import code_labels
from evalharness.stats.ceiling import majority, rater_mean
from evalharness.stats.conformal import Conformal, held_out_coverage, split_conformal
from evalharness.stats.debias import DebiasedMean, post_stratified_mean, ppi_mean, weighted_mean
from evalharness.stats.estimate import Estimate
from evalharness.stats.isotonic import Isotonic, cross_fitted_isotonic, fit_isotonic
from evalharness.stats.labelled_sample import LabelledSample
from evalharness.stats.ordinal_logit import cross_fitted_ordinal
from evalharness.stats.rogan_gladen import clustered_rogan_gladen
from evalharness.stats.unfitted import Unfitted

CONFORMAL_LEVEL = 0.9
_PENALTY = 0.01
_WEIGHTED = (
    "items were drawn with unequal probabilities: curve, means, calibration error, reliability and scores are "
    "weighted; the half-width is of the labelled items"
)
_NO_CORRECTION = "Rogan-Gladen is left out: it takes labels drawn at random"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A judge's calibration on a criterion; errors are on the scale of 0 (worst level) to 1.

    curve: the isotonic fit on all labelled items, (score, value) knots. raw, calibrated: errors before, and after by
    fits that had not seen the item's group. rps: ranked probability score of the cross-fitted ordinal logit. half_width
    holds a new rating with probability :data:`CONFORMAL_LEVEL`; coverage is what half-widths from other groups covered.
    """

    scorer: str
    rubric: str
    criterion: str
    signature: str
    n: int
    low: float
    high: float
    curve: tuple[tuple[float, float], ...]
    raw: CalibrationError
    calibrated: CalibrationError | None
    reliability: tuple[ReliabilityBin, ...]
    brier: Estimate | None
    murphy: Murphy | None
    rps: Estimate | None
    half_width: float | None
    coverage: Estimate | None
    mean: DebiasedMean
    by_strata: DebiasedMean | None
    corrected_rate: Estimate | None
    notes: tuple[str, ...]


def calibrate(
    contest: Contest,
    entrant: Entrant,
    table: ScoreTable,
    column: ScoreColumn,
    clusters: dict[str, str],
    probability: FloatArray | None,
    *,
    level: float = 0.95,
) -> Calibrated | Unfitted:
    """The calibration of one judge on one criterion; needs labels on the judge's own bounded scale.

    ``clusters`` names the cluster of every dialogue; ``probability`` (items of the contest,) with which each labelled
    item had been drawn, None for a simple random sample. With it everything is weighted but the half-width and the
    ordinal fit, which are of the labelled items.
    """
    low, high = entrant.low, entrant.high
    if entrant.scale.nominal or not entrant.scale.same or low is None or high is None:
        return Unfitted("needs labels on the judge's own bounded scale", 0)
    human = rater_mean(entrant.ratings)
    kept = ~np.isnan(entrant.values) & ~np.isnan(human)
    x, y, groups = entrant.values[kept], human[kept], contest.groups[kept]
    weights = None if probability is None else 1.0 / probability[kept]
    fit = fit_isotonic(x, y, weights)
    if isinstance(fit, Unfitted):
        return fit
    crossed = cross_fitted_isotonic(x, y, groups, weights=weights)
    span, bins = high - low, usual_bins(x.size)
    notes = list(contest.drawing.notes(contest.criterion)) if probability is None else [_WEIGHTED]
    if isinstance(crossed, Unfitted):
        notes.append(f"not cross-fitted: {crossed.reason}")
    after = None if isinstance(crossed, Unfitted) else calibration_error(
        (crossed - low) / span, (y - low) / span, groups, weights=weights, bins=bins, level=level
    )  # fmt: skip
    conformal = (
        None if isinstance(crossed, Unfitted) else split_conformal(crossed, y, groups, level=CONFORMAL_LEVEL)
    )
    if isinstance(conformal, Unfitted):
        notes.append(f"no interval for single items: {conformal.reason}")
    binary = entrant.scale.binary and bool(np.isin(y, (low, high)).all())
    notes += _without_spread(x, y)
    if binary and probability is not None:
        notes.append(_NO_CORRECTION)
    if entrant.scale.binary and not binary:
        notes.append(_divided(int((~np.isin(y, (low, high))).sum()), y.size))
    sample, rest = _sample(contest, entrant, table, column, clusters, np.asarray(kept), human)
    shown = (crossed if not isinstance(crossed, Unfitted) else x) if binary else x
    chance = np.clip((shown - low) / span, 0.0, 1.0)
    return Calibrated(
        entrant.scorer, entrant.rubric, contest.criterion, column.column.signature, int(kept.sum()), low, high,
        _knots(fit),
        calibration_error((x - low) / span, (y - low) / span, groups, weights=weights, bins=bins, level=level),
        after,
        reliability_bins(shown, y, groups, weights=weights, bins=bins, level=level),
        brier(chance, (y - low) / span, groups, level, weights) if binary else None,
        murphy(chance, (y - low) / span, bins, weights) if binary else None,
        _rps(contest, entrant, np.asarray(kept), weights, level),
        conformal.quantile if isinstance(conformal, Conformal) else None,
        _coverage(crossed, conformal, y, groups, level),
        _mean(sample, rest, entrant, kept, probability, low, high, level),
        post_stratified_mean(sample, weights=weights, level=level) if len(entrant.scale.levels) >= 2 else None,
        _corrected(sample, low, high, level) if binary and probability is None else None,
        tuple(notes),
    )  # fmt: skip


def _without_spread(x: FloatArray, y: FloatArray) -> Iterator[str]:
    """What can't be learned from scores or ratings that are all the same."""
    if np.ptp(y) == 0:
        yield (
            f"all {y.size:,} labelled items are rated {y[0]:.4g}: the curve gives that for every score, and nothing "
            "can be said of how scores and ratings go together"
        )
    if np.ptp(x) == 0:
        yield f"the judge gives all {x.size:,} labelled items {x[0]:.4g}: a curve of one point"


def _divided(split: int, n: int) -> str:
    """Why figures of a binary scale are missing on one."""
    return (
        "Brier score and Rogan-Gladen are left out: they take one answer for each item, and raters differ on "
        f"{split:,} of {n:,} (--raters chooses whose answers count)"
    )


def _knots(fit: Isotonic) -> tuple[tuple[float, float], ...]:
    """The fit without knots that lie on the line between their neighbours of equal value."""
    points = [(float(a), float(b)) for a, b in zip(fit.x, fit.y, strict=True)]
    inner = [
        here
        for before, here, after in zip(points, points[1:], points[2:], strict=False)
        if not before[1] == here[1] == after[1]
    ]
    return tuple(dict.fromkeys([points[0], *inner, points[-1]]))


def _rps(
    contest: Contest, entrant: Entrant, kept: BoolArray, weights: FloatArray | None, level: float
) -> Estimate | None:
    levels = entrant.scale.levels
    ratings = entrant.ratings[kept]
    if len(levels) < 2 or not np.isin(ratings[~np.isnan(ratings)], levels).all():
        return None
    voted = majority(ratings, levels)
    clear = ~np.isnan(voted)
    groups = contest.groups[kept][clear]
    probabilities = cross_fitted_ordinal(
        entrant.values[kept][clear], voted[clear], levels, groups, penalty=_PENALTY
    )
    if isinstance(probabilities, Unfitted):
        return None
    chosen = None if weights is None else weights[clear]
    return ranked_probability_score(probabilities, code_labels(voted[clear], levels), groups, level, chosen)


def _coverage(
    crossed: FloatArray | Unfitted,
    conformal: Conformal | Unfitted | None,
    y: FloatArray,
    groups: IntArray,
    level: float,
) -> Estimate | None:
    if isinstance(crossed, Unfitted) or not isinstance(conformal, Conformal):
        return None
    return held_out_coverage(crossed, y, groups, level=CONFORMAL_LEVEL, confidence=level)


def _sample(
    contest: Contest,
    entrant: Entrant,
    table: ScoreTable,
    column: ScoreColumn,
    clusters: dict[str, str],
    kept: BoolArray,
    human: FloatArray,
) -> tuple[LabelledSample, FloatArray]:
    """Labels and scores of labelled items beside the scores of all others of the unit."""
    labelled = {item for item, has in zip(contest.items, kept.tolist(), strict=True) if has}
    whole = contest.labels.unit is Unit.DIALOGUE
    others = [
        (clusters[item.dialogue], value)
        for item, value in zip(table.items, column.values.tolist(), strict=True)
        if item not in labelled and not np.isnan(value) and (item.turn < 0) == whole
    ]
    own = [clusters[item.dialogue] for item, has in zip(contest.items, kept.tolist(), strict=True) if has]
    codes = codes_of([*own, *(name for name, _ in others)])
    rest = np.array([value for _, value in others])
    assert entrant.low is not None and entrant.high is not None
    sample = LabelledSample.of(
        human[kept], entrant.values[kept], rest, groups=codes[: len(own)], rest_groups=codes[len(own) :],
        scale=(entrant.low, entrant.high),
    )  # fmt: skip
    return sample, rest


def _mean(
    sample: LabelledSample,
    rest: FloatArray,
    entrant: Entrant,
    kept: np.ndarray,
    probability: FloatArray | None,
    low: float,
    high: float,
    level: float,
) -> DebiasedMean:
    if probability is None:
        return ppi_mean(sample, level=level)
    judged = np.concatenate([entrant.values[kept], rest])
    labels = np.concatenate([sample.labels, np.full(rest.size, np.nan)])
    chance = np.concatenate([probability[kept], np.ones(rest.size)])
    groups = None
    if sample.groups is not None and sample.rest_groups is not None:
        groups = np.concatenate([sample.groups, sample.rest_groups])
    known = ~np.isnan(labels)
    return weighted_mean(judged, labels, known, chance, groups, scale=(low, high), level=level)


def _corrected(sample: LabelledSample, low: float, high: float, level: float) -> Estimate:
    """Rogan and Gladen's rate of a binary judge over the unlabelled items."""
    middle = (low + high) / 2
    said, good, rest = (np.asarray(values >= middle) for values in (sample.judge, sample.labels, sample.rest))
    assert sample.groups is not None and sample.rest_groups is not None
    return clustered_rogan_gladen(said, good, rest, sample.groups, sample.rest_groups, level)
