"""Has the ruler moved? Frozen anchor items judged again, and control charts over many runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, is_constant, paired, vector
from evalharness.stats.differences import MeanDifference, difference_interval, paired_difference
from evalharness.stats.estimate import Estimate
from evalharness.stats.noninferiority import Equivalence, tost
from evalharness.stats.sign_flip import sign_flip_test
from evalharness.stats.significance import Significance


@dataclass(frozen=True, slots=True)
class AnchorDrift:
    """Fresh verdicts on anchors against the recorded ones.

    shift: mean(fresh - recorded), clustered. exact: its sign-flip test by group.
    stable: equivalence within +-margin; ``None`` without anchors.
    spread_ratio: standard deviation of fresh over recorded verdicts; ``None`` where the recorded ones are constant.
    changed: share of anchors with another verdict.
    bias_recorded, bias_fresh: mean of judge minus human label then and now; ``None`` without labels.
    """

    shift: Estimate
    exact: Significance
    stable: Equivalence | None
    margin: float
    spread_ratio: float | None
    changed: float | None
    bias_recorded: Estimate | None
    bias_fresh: Estimate | None

    @property
    def moved(self) -> bool:
        """Whether the interval of the shift excludes 0 and the shift exceeds the margin."""
        if self.shift.value is None or self.shift.low is None or self.shift.high is None:
            return False
        return abs(self.shift.value) > self.margin and not self.shift.low <= 0.0 <= self.shift.high

    def held(self, alpha: float = 0.05) -> bool:
        """Whether the judge is shown to be unmoved: equivalence within the margin at ``alpha``, or nothing changed."""
        if self.changed == 0.0:
            return True
        return self.stable is not None and self.stable.p is not None and self.stable.p <= alpha

    @property
    def correction(self) -> float | None:
        """What to add to fresh scores to bring them back to the recorded scale: minus the shift."""
        return None if self.shift.value is None else -self.shift.value


def anchor_drift(
    recorded: ArrayLike,
    fresh: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    margin: float,
    labels: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> AnchorDrift:
    """Return how far fresh verdicts (n,) on the same anchors have moved from the recorded ones.

    labels: (n,) human labels of the anchors on the judge's scale. margin: the shift that would matter.
    """
    old, new = paired(recorded, fresh)
    difference = paired_difference(new, old, groups)
    return AnchorDrift(
        shift=difference_interval(difference, level),
        exact=sign_flip_test(new - old, groups, seed=seed),
        stable=None if difference is None else tost(difference, -margin, margin),
        margin=margin,
        spread_ratio=_spread_ratio(old, new),
        changed=float(np.mean(old != new)) if old.size else None,
        bias_recorded=_bias(old, labels, groups, level),
        bias_fresh=_bias(new, labels, groups, level),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cusum:
    """Tabular CUSUM after each run.

    upper, lower: (T,) accumulated deviations above and below the target, in standard deviations, both >= 0.
    alarm: 0-based index of the first run where either exceeds the decision interval; ``None`` without one.
    since: 0-based index of the first run of the excursion that gave the alarm: when the change began.
    """

    upper: FloatArray
    lower: FloatArray
    alarm: int | None
    since: int | None
    direction: int


def cusum(
    values: ArrayLike, *, target: float, sd: float | ArrayLike, slack: float = 0.5, decision: float = 5.0
) -> Cusum:
    """Return the two-sided tabular CUSUM of `values` (T,) (Page 1954; Montgomery 2013, section 9.1).

    sd: standard deviation of a value in control, one or (T,). slack, decision: k and h in standard deviations; with .5
    and 5 a false alarm comes every 465 runs and a shift of one deviation is seen after about 10.
    """
    x = vector(values)
    scale = np.broadcast_to(np.asarray(sd, dtype=np.float64), x.shape)
    if not bool(np.all(scale > 0.0)):
        raise ValueError("the standard deviation in control must be positive")
    z = (x - target) / scale
    upper, lower = _accumulated(z - slack), _accumulated(-z - slack)
    alarms = np.flatnonzero((upper > decision) | (lower > decision))
    if alarms.size == 0:
        return Cusum(upper, lower, None, None, 0)
    alarm = int(alarms[0])
    rising = bool(upper[alarm] > decision)
    path = upper if rising else lower
    quiet = np.flatnonzero(path[: alarm + 1] == 0.0)
    return Cusum(upper, lower, alarm, int(quiet[-1]) + 1 if quiet.size else 0, 1 if rising else -1)


def average_run_length(shift: float = 0.0, *, slack: float = 0.5, decision: float = 5.0) -> float:
    """Return the expected number of runs to an alarm of the two-sided CUSUM, by Siegmund's approximation (1985)."""
    rates = []
    for delta in (shift - slack, -shift - slack):
        b = decision + 1.166
        length = b * b if delta == 0.0 else (math.exp(-2 * delta * b) + 2 * delta * b - 1) / (2 * delta**2)
        rates.append(1.0 / length)
    return 1.0 / sum(rates)


def _accumulated(steps: FloatArray) -> FloatArray:
    """Return S_t = max(0, S_(t-1) + step_t): the running sum above its running minimum."""
    total = np.cumsum(steps)
    floor = np.minimum(np.minimum.accumulate(total), 0.0) if total.size else total
    height = total - floor
    return np.where(height > 1e-12 * np.maximum(1.0, np.abs(total)), height, 0.0)


def _spread_ratio(old: FloatArray, new: FloatArray) -> float | None:
    if old.size < 2 or is_constant(old):
        return None
    return float(new.std(ddof=1) / old.std(ddof=1))


def _bias(
    verdicts: FloatArray, labels: ArrayLike | None, groups: ArrayLike | None, level: float
) -> Estimate | None:
    if labels is None:
        return None
    difference: MeanDifference | None = paired_difference(verdicts, labels, groups)
    return difference_interval(difference, level)
