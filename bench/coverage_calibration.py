"""Simulated coverage of calibration: its figures, the range of a new rating, and what `fit` says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from coverage_kinds import FRESH, TURNS, Found
from scipy.special import expit, logit, ndtr
from simulated import SEED, Design, Sample, alike, draw, holds, rated

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import pooled
from evalharness.stats.calibration import brier, calibration_error, ranked_probability_score, reliability_bins
from evalharness.stats.conformal import Conformal, held_out_coverage, split_conformal
from evalharness.stats.isotonic import Isotonic, cross_fitted_isotonic, fit_isotonic
from evalharness.stats.rank_correlation import spearman
from evalharness.stats.ridge import CrossFitted, cross_fit, fit_ridge
from evalharness.stats.unfitted import Unfitted


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Stated probabilities (n,), those that hold (n,), outcomes (n,) alike within dialogues, and the dialogues."""

    said: FloatArray
    right: FloatArray
    outcome: FloatArray
    groups: IntArray


def forecasts(rng: np.random.Generator, dialogues: int, off: float) -> Forecasts:
    """Five stated probabilities; the ones that hold are ``off`` in log odds lower."""
    groups = np.repeat(np.arange(dialogues), TURNS)
    said = np.array([0.1, 0.3, 0.5, 0.7, 0.9])[np.minimum(4, (5 * ndtr(alike(rng, groups))).astype(int))]
    right = expit(logit(said) - off)
    outcome = (ndtr(alike(rng, groups)) < right).astype(float)
    return Forecasts(said, right, outcome, groups)


def calibration(rng: np.random.Generator, dialogues: int) -> Found:
    found: dict[str, float] = {}
    for name, off in (("far off", 0.8), ("slightly off", 0.3), ("perfect, so that the truth is 0", 0.0)):
        one = forecasts(rng, dialogues, off)
        error = calibration_error(one.said, one.outcome, one.groups, draws=1_000)
        found[f"calibration error (ECE), {name}"] = holds(error.ece, _mean_gap(off))
    one = forecasts(rng, dialogues, 0.8)
    found["bias of the probabilities"] = holds(
        calibration_error(one.said, one.outcome, one.groups, draws=200).bias, _mean_gap(0.8)
    )
    found["Brier score"] = holds(brier(one.said, one.outcome, one.groups), _brier(0.8))
    bins = reliability_bins(one.said, one.outcome, one.groups)
    high = next((b.observed for b in bins if b.low == b.high == 0.7), None)
    found["reliability diagram, rate at .7"] = high is not None and holds(
        high, float(expit(logit(0.7) - 0.8))
    )
    spread = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    sample = draw(rng, Design(dialogues, TURNS, 0.5))
    level = (sample.humans[:, 0] - 1).astype(np.intp)
    score = ranked_probability_score(np.tile(spread, (level.size, 1)), level, sample.groups)
    found["ranked probability score"] = holds(score, _ranked_score())
    return found


STATED = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


def _mean_gap(off: float) -> float:
    return float((STATED - expit(logit(STATED) - off)).mean())


def _brier(off: float) -> float:
    right = expit(logit(STATED) - off)
    return float((right * (1 - STATED) ** 2 + (1 - right) * STATED**2).mean())


@cache
def _ranked_score() -> float:
    big = draw(np.random.default_rng(SEED), Design(100_000, TURNS, 0.5))
    level = (big.humans[:, 0] - 1).astype(np.intp)
    spread = np.tile([0.1, 0.2, 0.4, 0.2, 0.1], (level.size, 1))
    return ranked_probability_score(spread, level).require()


def conformal(rng: np.random.Generator, dialogues: int) -> Found:
    """The share of ratings of new dialogues that the half-width holds, as `calibrate` makes it."""
    sample = _shifted(rng, dialogues)
    fresh = _shifted(rng, FRESH)
    human, new = sample.humans.mean(axis=1), fresh.humans.mean(axis=1)
    curve = fit_isotonic(sample.judge, human)
    crossed = cross_fitted_isotonic(sample.judge, human, sample.groups)
    assert isinstance(curve, Isotonic)
    assert not isinstance(crossed, Unfitted)
    found = {}
    for name, groups in (("", sample.groups), (", turns taken as independent", None)):
        ranges = split_conformal(crossed, human, groups, level=0.9)
        assert isinstance(ranges, Conformal)
        low, high = ranges.interval(curve.predict(fresh.judge))
        held = float(((low <= new + 1e-9) & (new <= high + 1e-9)).mean())
        found[f"90 % range of a new rating{name}"] = held
        if groups is not None:
            stated = held_out_coverage(crossed, human, groups)
            found["95 % interval of the share that it holds"] = holds(stated, held)
    return found


def _shifted(rng: np.random.Generator, dialogues: int) -> Sample:
    """A judge whose errors are nearly those of the dialogue, where turns tell little."""
    groups = np.repeat(np.arange(dialogues), TURNS)
    truth = alike(rng, groups)
    mood = rng.normal(size=dialogues)[groups]
    judge = truth + 0.7 * mood + 0.2 * rng.normal(size=groups.size)
    humans = truth[:, None] + 0.5 * rng.normal(size=(groups.size, 3))
    return Sample(rated(judge), rated(humans), groups, groups)


def fitting(rng: np.random.Generator, dialogues: int) -> Found:
    """Spearman on held-out dialogues, against that of the fit of all labels on fresh ones."""
    weights = np.array([0.6, 0.4, 0.2, 0.0, 0.0, 0.0])

    def made(count: int) -> tuple[FloatArray, FloatArray, IntArray]:
        groups = np.repeat(np.arange(count), TURNS)
        features = np.stack([alike(rng, groups) for _ in weights], axis=1)
        return features, rated(features @ weights + 0.7 * alike(rng, groups)), groups

    features, target, groups = made(dialogues)
    crossed = cross_fit(features, target, groups)
    assert isinstance(crossed, CrossFitted)
    fresh, wanted, _ = made(FRESH)
    truth = spearman(fit_ridge(features, target, crossed.penalties[0]).predict(fresh), wanted).value
    assert truth is not None
    stated = pooled(spearman, crossed.predictions, target, groups).estimate
    return {"spearman of `fit`, by held-out dialogue": holds(stated, truth)}
