"""The difference of two runs on one column, with one-sided bounds, tests, and what the data could have shown.

Paired means by CR1 with G - 1 degrees of freedom over groups, sign flips by group as the exact check; paired yes/no
outcomes by Tango's interval at the effective number of pairs and McNemar's exact test; independent samples
where nothing could be paired (variance recovery from two clustered Wilson intervals, or Welch on clustered
errors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evalharness.core.snapshot import Mark
from evalharness.gate.pairing import Unit
from evalharness.gate.types import Difference, Reach
from evalharness.stats.arrays import FloatArray
from evalharness.stats.differences import MeanDifference, paired_difference, unpaired_difference
from evalharness.stats.estimate import Estimate
from evalharness.stats.noninferiority import one_sided
from evalharness.stats.paired_rates import mcnemar, paired_counts, tango_clustered
from evalharness.stats.power import Noise, Wanted, detectable_effect, groups_needed
from evalharness.stats.rates import wilson_clustered
from evalharness.stats.sign_flip import sign_flip_test
from evalharness.stats.significance import Significance
from evalharness.stats.unpaired_rates import difference_of_estimates

_MOST_SAMPLES = 50


def paired_units(
    units: Sequence[Unit], sign: float, span: float | None, confidence: float, *, same: bool = False
) -> Difference:
    """Return run minus baseline over paired units; `sign` is -1 where low values are good, `span` the scale's range.

    ``same`` says that both runs hold the same outcomes on the same dialogues: then the bounds are the value itself.
    """
    if not units:
        return nothing("nothing could be paired")
    before = np.array([unit.baseline for unit in units], dtype=np.float64)
    after = np.array([unit.run for unit in units], dtype=np.float64)
    groups = np.array([unit.group for unit in units])
    mean = paired_difference(sign * after, sign * before, groups)
    assert mean is not None
    exact = sign_flip_test(sign * (after - before), groups, alternative="less")
    if same:
        return _difference(mean, (mean.value, mean.value), None, "identical results", exact)
    if _binary(before) and _binary(after):
        return _paired_rates(mean, before, after, groups, sign, confidence, exact)
    if mean.se == 0.0:
        return _without_spread(mean, span, confidence, exact)
    test = one_sided(mean, margin=0.0, confidence=confidence)
    return _difference(mean, (test.lower, test.upper), test.drop.p, _student(mean), exact)


def independent_samples(
    before: Sequence[tuple[str, float]],
    after: Sequence[tuple[str, float]],
    sign: float,
    confidence: float,
) -> Difference:
    """Return run minus baseline of (group, value) samples that have nothing to pair by."""
    if not before or not after:
        return nothing("nothing was scored in one of the runs")
    old, new = np.array([v for _, v in before]), np.array([v for _, v in after])
    old_groups, new_groups = np.array([g for g, _ in before]), np.array([g for g, _ in after])
    mean = unpaired_difference(sign * new, sign * old, new_groups, old_groups)
    assert mean is not None
    test = one_sided(mean, margin=0.0, confidence=confidence)
    bounds, method = (test.lower, test.upper), f"unpaired, {_student(mean)}"
    if _binary(old) and _binary(new):
        level = 2 * confidence - 1
        good = [values if sign > 0 else 1.0 - values for values in (new, old)]
        rates = difference_of_estimates(
            wilson_clustered(good[0], new_groups, level), wilson_clustered(good[1], old_groups, level)
        )
        bounds, method = (rates.low, rates.high), "unpaired, Newcombe with clustered Wilson intervals"
    elif mean.se == 0.0:
        bounds = (None, None)
    found = _difference(mean, bounds, test.drop.p, method, None)
    return replace(found, paired=False)


def bounded(
    difference: Difference, loose: Sequence[Unit], sign: float, scale: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return the differences possible if every value that is missing were the worst, or the best, of the scale."""
    if scale is None or difference.value is None or not loose or not difference.paired:
        return None
    low, high = scale
    total = difference.value * difference.n
    floor = ceiling = total
    for unit in loose:
        ends = [
            sign * (after - before)
            for after in ([low, high] if unit.run is None else [unit.run])
            for before in ([low, high] if unit.baseline is None else [unit.baseline])
        ]
        floor, ceiling = floor + min(ends), ceiling + max(ends)
    size = difference.n + len(loose)
    return floor / size, ceiling / size


def reach(difference: Difference, units: Sequence[Unit], margin: float | None, confidence: float) -> Reach:
    """Return the smallest detectable drop, and the groups or judge samples that would let an unchanged run pass."""
    if difference.se is None or difference.groups < 2:
        return Reach(None, None, None)
    wanted = Wanted(alpha=1.0 - confidence, power=0.8, sides=1)
    noise = _noise(difference)
    if noise == 0.0:
        return Reach(None, None, None)
    samples, variance = _repeats(units)
    detectable = detectable_effect(Noise(group=noise), difference.groups, wanted=wanted)
    if margin is None or margin <= 0.0:
        return Reach(detectable, None, None, variance**0.5 if variance else None)
    groups = groups_needed(Noise(group=noise), margin, wanted=wanted)
    return Reach(
        detectable,
        groups,
        _samples_needed(difference, noise, (samples, variance), margin, wanted),
        variance**0.5 if variance else None,
    )


def nothing(reason: str) -> Difference:
    """Return a difference that does not exist."""
    return Difference(None, None, None, None, None, "none", 0, 0, undefined=reason)


def _paired_rates(
    mean: MeanDifference,
    before: FloatArray,
    after: FloatArray,
    groups: np.ndarray,
    sign: float,
    confidence: float,
    exact: Significance,
) -> Difference:
    """Tango for the bounds; McNemar's exact p where every pair is a group of its own, Student's by group otherwise."""
    good = [values if sign > 0 else 1.0 - values for values in (after, before)]
    interval: Estimate = tango_clustered(good[0], good[1], groups, level=2 * confidence - 1)
    test = mcnemar(paired_counts(good[0], good[1]), "exact", "less")
    student = one_sided(mean, margin=0.0, confidence=confidence).drop.p
    p = test.p if mean.groups == mean.n else student
    found = _difference(mean, (interval.low, interval.high), p, interval.method, exact)
    return replace(found, mcnemar=test)


def _without_spread(
    mean: MeanDifference, span: float | None, confidence: float, exact: Significance
) -> Difference:
    """All differences are equal, so no error can be estimated from them.

    With the stated confidence at most a share 1 - (1 - confidence)^(1/G) of groups differs from the G that were
    seen, and none by more than the scale's range.
    """
    if span is None:
        return _difference(mean, (None, None), None, "no spread on an unbounded scale", exact)
    room = span * _unseen(mean.groups, confidence)
    return _difference(mean, (mean.value - room, mean.value + room), None, "no spread: share unseen", exact)


def _unseen(groups: int, confidence: float) -> float:
    return float(1.0 - (1.0 - confidence) ** (1.0 / groups))


def _difference(
    mean: MeanDifference,
    bounds: tuple[float | None, float | None],
    p: float | None,
    method: str,
    exact: Significance | None,
) -> Difference:
    if p is None and exact is not None and mean.groups > 1:
        p = exact.p
    lower, upper = bounds
    return Difference(mean.value, mean.se, lower, upper, p, method, mean.n, mean.groups, exact)


def _student(mean: MeanDifference) -> str:
    return "none: a single group" if mean.df is None else f"CR1+t({mean.df:.4g})"


def _binary(values: FloatArray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _noise(difference: Difference) -> float:
    """Variance of one group's share of the difference; where nothing varied, what the bounds leave open."""
    se = difference.se or 0.0
    if se == 0.0 and difference.lower is not None and difference.value is not None:
        se = (difference.value - difference.lower) / 2.0
    return se**2 * difference.groups


def _repeats(units: Sequence[Unit]) -> tuple[float, float]:
    """Mean number of judge samples per item, and their variance within items; (1, 0) where none was repeated."""
    marks: list[Mark] = [mark for unit in units for mark in (*unit.baseline_marks, *unit.run_marks)]
    repeated = [mark.samples for mark in marks if len(mark.samples) > 1]
    if not repeated:
        return 1.0, 0.0
    spread = sum(float(np.var(values)) * len(values) for values in repeated)
    freedom = sum(len(values) - 1 for values in repeated)
    return sum(len(values) for values in repeated) / len(repeated), spread / freedom


def _samples_needed(
    difference: Difference, noise: float, repeats: tuple[float, float], margin: float, wanted: Wanted
) -> int | None:
    """Judge samples per item and run at which the present groups would do; None if no number would, or is unknown."""
    samples, variance = repeats
    if variance <= 0.0:
        return None
    items = difference.n / difference.groups
    shown = 2.0 * variance / samples / items
    fixed = max(0.0, noise - shown)
    for count in range(max(1, int(samples)), _MOST_SAMPLES + 1):
        needed = groups_needed(Noise(group=fixed + 2.0 * variance / count / items), margin, wanted=wanted)
        if needed is not None and needed <= difference.groups:
            return count
    return None
