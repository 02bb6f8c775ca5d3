"""From scores of original and changed items to effects: paired differences with intervals clustered by group.

A bias (or a lift by an attack) is flagged only if its interval excludes 0 and the shift exceeds the margin. A
degradation is flagged if the scores are shown not to fall by more than the margin. Fewer than eight groups
decide nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from evalharness.audit.findings import bias_finding
from evalharness.audit.flips import flips_of
from evalharness.audit.probes import BY_NAME, Kind, Probe
from evalharness.audit.settling import FEWEST_GROUPS, open_bias, open_fall
from evalharness.audit.types import Effect, Finding, Open, Saved, Severity, Spread, Stability
from evalharness.audit.values import number_of
from evalharness.core.scores import Column, Failure, Result, Score
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined

_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Judged:
    """The results of one item: of the original and, by probe, of its changed forms; one per column."""

    group: str
    original: Sequence[Result]
    changed: Mapping[str, Sequence[Result]]


def effect_of(
    probe: Probe,
    column: Column,
    place: int,
    items: Sequence[Judged],
    margin: float,
    columns: Sequence[Column] = (),
) -> Effect:
    """The effect of a probe on the criterion at ``place``; ``margin`` is a share of the scale's range.

    ``columns`` are those of the results: what an overall passes by is made of them.
    """
    pairs = [
        (i.group, i.original[place], i.changed[probe.name][place]) for i in items if probe.name in i.changed
    ]
    known = [
        (g, a, b) for g, x, y in pairs if (a := number_of(x)) is not None and (b := number_of(y)) is not None
    ]
    failed = sum(isinstance(x, Failure) or isinstance(y, Failure) for _, x, y in pairs)
    skipped = len(pairs) - len(known) - failed
    better = -1.0 if column.higher_is_better is False else 1.0
    shifts = np.array([better * (b - a) for _, a, b in known])
    shift = _mean(shifts, [g for g, _, _ in known])
    span = _range(column)
    finding, words = _judged(probe.kind, shift, margin * span)
    both = [(i.group, i.original, i.changed[probe.name]) for i in items if probe.name in i.changed]
    return Effect(
        probe=probe.name,
        criterion=column.criterion,
        shift=shift,
        share=None if shift.value is None else shift.value / span,
        flips=flips_of(column, place, columns, both),
        pairs=len(known),
        failed=failed,
        finding=finding,
        words=words,
        skipped=skipped,
        open=_open(probe.kind, finding, shift, margin * span),
    )


def _open(kind: Kind, finding: Finding, shift: Estimate, margin: float) -> Open | None:
    ask = open_fall if kind is Kind.SENSITIVITY else open_bias
    return ask(finding, shift, margin)


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
    finding = bias_finding(shift, margin)
    if finding is Finding.FLAGGED:
        return finding, f"scores move to the {'better' if shift.value > 0 else 'worse'}"
    if finding is Finding.OK:
        return finding, "no effect beyond the margin"
    return finding, "an effect beyond the margin is not ruled out"


def severity_of(column: Column, place: int, items: Sequence[Judged]) -> Severity:
    """Whether scores fall with the severity of the degradations: each item's slope over its own, and their mean."""
    by_step: dict[int, list[float]] = {}
    slopes: list[tuple[str, float]] = []
    for item in items:
        falls = list(_falls(column, place, item))
        for step, shift in falls:
            by_step.setdefault(step, []).append(shift)
        steps = np.array([step for step, _ in falls], dtype=np.float64)
        if np.unique(steps).size > 1:
            centred = steps - steps.mean()
            slopes.append(
                (item.group, float(centred @ np.array([shift for _, shift in falls]) / (centred @ centred)))
            )
    slope = _mean(np.array([value for _, value in slopes]), [group for group, _ in slopes])
    means = tuple((step, math.fsum(v) / len(v), len(v)) for step, v in sorted(by_step.items()))
    monotone = len(means) > 1 and all(b[1] < a[1] for a, b in pairwise(means))
    return Severity(column.criterion, slope, means, monotone, _severity_finding(slope))


def _falls(column: Column, place: int, item: Judged) -> Iterator[tuple[int, float]]:
    """(severity, shift) of each degradation of an item that has a verdict on both sides."""
    before = number_of(item.original[place])
    better = -1.0 if column.higher_is_better is False else 1.0
    for name, results in item.changed.items():
        after = number_of(results[place])
        if BY_NAME[name].kind is Kind.SENSITIVITY and before is not None and after is not None:
            yield BY_NAME[name].severity, better * (after - before)


def _severity_finding(slope: Estimate) -> Finding:
    if slope.low is None or slope.high is None or slope.groups < FEWEST_GROUPS:
        return Finding.UNCLEAR
    if slope.high < 0:
        return Finding.OK
    return Finding.FLAGGED if slope.low > 0 else Finding.UNCLEAR


def saved_of(placement: str, column: Column, place: int, items: Sequence[tuple[Judged, Judged]]) -> Saved:
    """What the defences take off an attack's lift; each item as judged with them, and without."""
    better = -1.0 if column.higher_is_better is False else 1.0
    rows: list[tuple[str, float]] = []
    for one, other in items:
        lifts = [
            (number_of(item.original[place]), number_of(item.changed[name][place]))
            for item, name in ((one, f"injection-{placement}"), (other, f"undefended-{placement}"))
            if name in item.changed
        ]
        known = [b - a for a, b in lifts if a is not None and b is not None]
        if len(known) == 2:
            rows.append((one.group, better * (known[1] - known[0])))
    values = np.array([value for _, value in rows])
    return Saved(placement, column.criterion, _mean(values, [group for group, _ in rows]), len(rows))


def stability_of(column: Column, place: int, items: Sequence[Judged]) -> Stability:
    """How far two samples of the same question differ."""
    rows = [(item.group, *two) for item in items if (two := _two_samples(item.original[place])) is not None]
    gaps = np.array([abs(a - b) for _, a, b in rows])
    same = float(np.mean(gaps < _SAME)) if rows else None
    return Stability(column.criterion, _mean(gaps, [group for group, _, _ in rows]), same)


def spread_of(column: Column, place: int, items: Sequence[Judged]) -> Spread:
    """How the scale is used on the unchanged items; means and expectations count at the nearest tenth."""
    values = [value for item in items if (value := number_of(item.original[place])) is not None]
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


def _range(column: Column) -> float:
    """The range of the scale; 1 where it has none, so that shifts stand in its own units."""
    if column.low is None or column.high is None or column.high <= column.low:
        return 1.0
    return column.high - column.low
