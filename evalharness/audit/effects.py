"""From scores of original and changed items to effects: paired differences with intervals clustered by group.

A bias (or a lift by an attack) is flagged only if its interval excludes 0 and the shift exceeds the margin. A
degradation is flagged if the scores are shown not to fall by more than the margin. Fewer than eight groups
decide nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit.probes import Kind, Probe
from evalharness.audit.types import Effect, Finding, Spread, Stability
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Column, Failure, Result, Score
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined

_SAME = 1e-9
FEWEST_GROUPS = 8
"""Below this an interval is too rough to rest a finding on, above all where all differences happen to be equal."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The results of one item: of the original and, by probe, of its changed forms; one per column."""

    group: str
    original: Sequence[Result]
    changed: Mapping[str, Sequence[Result]]


def effect_of(probe: Probe, column: Column, place: int, items: Sequence[Judged], margin: float) -> Effect:
    """The effect of a probe on the criterion at ``place``; ``margin`` is a share of the scale's range."""
    pairs = [
        (i.group, i.original[place], i.changed[probe.name][place]) for i in items if probe.name in i.changed
    ]
    known = [
        (g, a, b) for g, x, y in pairs if (a := _number(x)) is not None and (b := _number(y)) is not None
    ]
    failed = sum(isinstance(x, Failure) or isinstance(y, Failure) for _, x, y in pairs)
    better = -1.0 if column.higher_is_better is False else 1.0
    shifts = np.array([better * (b - a) for _, a, b in known])
    shift = _mean(shifts, [g for g, _, _ in known])
    span = _range(column)
    finding, words = _judged(probe.kind, shift, margin * span)
    return Effect(
        probe=probe.name,
        criterion=column.criterion,
        shift=shift,
        share=None if shift.value is None else shift.value / span,
        flips=_flips(column, known),
        pairs=len(known),
        failed=failed,
        finding=finding,
        words=words,
    )


def _judged(kind: Kind, shift: Estimate, margin: float) -> tuple[Finding, str]:
    """What a shift (positive: better) means, given the tolerated one in units of the scale."""
    if shift.value is None or shift.low is None or shift.high is None or shift.groups < FEWEST_GROUPS:
        return Finding.UNCLEAR, "too few dialogues to say"
    if kind is Kind.SENSITIVITY:
        if shift.high < 0 and shift.value < -margin:
            return Finding.OK, "the scores fall, as they should"
        if shift.low > -margin:
            return Finding.FLAGGED, "the judge does not see it"
        return Finding.UNCLEAR, "a fall is not shown"
    if (shift.low > 0 or shift.high < 0) and abs(shift.value) > margin:
        direction = "better" if shift.value > 0 else "worse"
        return Finding.FLAGGED, f"scores move to the {direction}"
    if -margin <= shift.low and shift.high <= margin:
        return Finding.OK, "no effect beyond the margin"
    return Finding.UNCLEAR, "an effect beyond the margin is not ruled out"


def stability_of(column: Column, place: int, items: Sequence[Judged]) -> Stability:
    """How far two samples of the same question differ."""
    rows = [(item.group, *two) for item in items if (two := _two_samples(item.original[place])) is not None]
    gaps = np.array([abs(a - b) for _, a, b in rows])
    same = float(np.mean(gaps < _SAME)) if rows else None
    return Stability(column.criterion, _mean(gaps, [group for group, _, _ in rows]), same)


def spread_of(column: Column, place: int, items: Sequence[Judged]) -> Spread:
    """How the scale is used on the unchanged items; means and expectations count at the nearest tenth."""
    values = [value for item in items if (value := _number(item.original[place])) is not None]
    if not values:
        return Spread(column.criterion, None, None, None, 0)
    commonest = Counter(round(value, 1) for value in values).most_common(1)[0][1]
    mean = math.fsum(values) / len(values)
    deviation = None
    if len(values) > 1:
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return Spread(column.criterion, mean, deviation, commonest / len(values), len(values))


def _two_samples(result: Result) -> tuple[float, float] | None:
    if not isinstance(result, Score) or len(result.samples) < 2:
        return None
    first, second = result.samples[:2]
    if isinstance(first, str) or isinstance(second, str):
        return None
    return float(first), float(second)


def _mean(values: np.ndarray, groups: Sequence[str]) -> Estimate:
    if values.size == 0:
        return undefined("no pair has a verdict on both sides")
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(group, len(known)) for group in groups], dtype=np.intp)
    return mean_interval(values, codes)


def _number(result: Result) -> float | None:
    if not isinstance(result, Score) or isinstance(result.value, str):
        return None
    return float(result.value)


def _range(column: Column) -> float:
    """The range of the scale; 1 where it has none, so that shifts stand in its own units."""
    if column.low is None or column.high is None or column.high <= column.low:
        return 1.0
    return column.high - column.low


def _flips(column: Column, known: Sequence[tuple[str, float, float]]) -> float | None:
    if column.passes is None or not known:
        return None
    rule = PassRule.parse(column.passes)
    return sum(rule(a) != rule(b) for _, a, b in known) / len(known)
