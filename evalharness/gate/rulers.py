"""Is the judge still the ruler that it was? Anchors judged afresh beside their recorded verdicts.

Where the instrument is the same, a shift of the anchors is drift: it can't be told from a change of the system, and so
is the verdict itself. Where the judge, the rubric or the prompt was changed on purpose, the same shift is the bridge
between both scales: it is taken off the difference, and its error added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.gate.types import Difference, Ruler, State
from evalharness.stats.clustered import t_quantile
from evalharness.stats.differences import MeanDifference, welch_df
from evalharness.stats.drift import anchor_drift
from evalharness.stats.estimate import Estimate
from evalharness.stats.noninferiority import one_sided

SHARE = 0.5
"""The part of the tolerated drop that a ruler may move by: more would use up what the gate tolerates."""


class Reading(NamedTuple):
    """One anchor: its group, the recorded and the fresh verdict, and the mean human label where there is one."""

    group: str
    recorded: float
    fresh: float
    label: float | None


def ruler_of(
    column: Column, readings: Sequence[Reading], missing: int, changed: str, policy: Policy, tests: int
) -> Ruler | None:
    """Return the ruler of a gating column; None without readings. All ``tests`` rulers share the error (Bonferroni)."""
    margin = policy.margin(column)
    if not readings or margin is None:
        return None
    tolerance = SHARE * margin
    labels = [reading.label for reading in readings]
    known = all(label is not None for label in labels)
    drift = anchor_drift(
        np.array([reading.recorded for reading in readings]),
        np.array([reading.fresh for reading in readings]),
        np.array([reading.group for reading in readings]),
        margin=max(tolerance, 1e-9),
        labels=np.array(labels, dtype=np.float64) if known else None,
        level=1.0 - (1.0 - policy.confidence) / max(1, tests),
    )
    labelled = sum(label is not None for label in labels)
    return Ruler(column, len(readings), missing, labelled, tolerance, changed, drift)


def corrected(difference: Difference, ruler: Ruler, confidence: float) -> Difference:
    """Return the difference without the shift of the ruler, and the errors of both joined (Welch, Satterthwaite)."""
    shift = ruler.drift.shift
    if difference.value is None or shift.value is None:
        return difference
    sign = -1.0 if ruler.column.higher_is_better is False else 1.0
    value = difference.value - sign * shift.value
    method = f"less the shift of {ruler.items} anchors"
    if difference.se is None or shift.se is None or difference.groups < 2 or shift.groups < 2:
        return _plain(difference, value, None, None, None, None, f"{method}, no error can be estimated")
    se = float(np.hypot(difference.se, shift.se))
    df = welch_df(difference.se, difference.groups, shift.se, shift.groups)
    mean = MeanDifference(value, se, df, difference.n, difference.groups)
    if se == 0.0:
        room = _room(ruler.column, min(difference.groups, shift.groups), confidence)
        low, high = (None, None) if room is None else (value - room, value + room)
        return _plain(difference, value, se, low, high, None, f"{method}, no spread: share unseen")
    test = one_sided(mean, margin=0.0, confidence=confidence)
    return _plain(difference, value, se, test.lower, test.upper, test.drop.p, f"{method}, Welch t({df:.4g})")


def moved_text(ruler: Ruler, without: Difference | None) -> str:
    """What is said of a ruler that moved, with what the change would be without it."""
    drift = ruler.drift
    text = f"the judge itself moved by {shift_text(drift.shift)} on {ruler.items} anchors"
    text += f" (tolerated ±{ruler.tolerance:.3g})"
    if drift.bias_recorded is not None and drift.bias_fresh is not None:
        text += (
            f", from {shift_text(drift.bias_recorded)} to {shift_text(drift.bias_fresh)} against their labels"
        )
    if without is None or without.value is None or drift.correction is None:
        return text
    bounds = (
        ""
        if without.lower is None or without.upper is None
        else f" [{without.lower:+.3g}, {without.upper:+.3g}]"
    )
    return f"{text}: corrected by {drift.correction:+.3g}, the change would be {without.value:+.3g}{bounds}"


def ruler_notes(ruler: Ruler, confidence: float) -> Iterator[str]:
    """What else must be known of a ruler: that it is a bridge, that it may have moved, what was not judged."""
    name = f"{ruler.column.criterion} ({ruler.column.scorer})"
    if ruler.is_bridge:
        yield (
            f"{name}: the instrument was changed ({ruler.changed}); {ruler.items} anchors bridge it, "
            f"their shift of {shift_text(ruler.drift.shift)} is taken off the change"
        )
    elif ruler.state is State.UNCLEAR:
        more = anchors_needed(ruler, confidence)
        advice = "" if more is None else f"; about {more} groups of anchors would"
        yield (
            f"{name}: {ruler.items} anchors can't show that the judge held still: shift "
            f"{shift_text(ruler.drift.shift)}, tolerated ±{ruler.tolerance:.3g}{advice}"
        )
    if ruler.missing:
        yield f"{name}: {ruler.missing} anchors have no fresh verdict"


def shift_text(shift: Estimate) -> str:
    """``+0.41 [+0.22, +0.60]``."""
    if shift.value is None:
        return "unknown"
    if shift.low is None or shift.high is None:
        return f"{shift.value:+.3g}"
    return f"{shift.value:+.3g} [{shift.low:+.3g}, {shift.high:+.3g}]"


def anchors_needed(ruler: Ruler, confidence: float) -> int | None:
    """Return how many anchor groups would show an unmoved ruler to be one, four times out of five."""
    se, groups = ruler.drift.shift.se, ruler.drift.shift.groups
    if not se or ruler.tolerance <= 0.0 or groups < 2:
        return None
    z = t_quantile(confidence, 1e6) + t_quantile(0.9, 1e6)
    return max(groups + 1, int(np.ceil(groups * (z * se / ruler.tolerance) ** 2)))


def _room(column: Column, groups: int, confidence: float) -> float | None:
    if column.low is None or column.high is None:
        return None
    return float((column.high - column.low) * (1.0 - (1.0 - confidence) ** (1.0 / groups)))


def _plain(
    found: Difference,
    value: float,
    se: float | None,
    lower: float | None,
    upper: float | None,
    p: float | None,
    method: str,
) -> Difference:
    return Difference(value, se, lower, upper, p, method, found.n, found.groups, paired=found.paired)
