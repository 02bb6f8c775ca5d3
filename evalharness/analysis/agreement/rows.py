"""The rows of a criterion: each entrant under each statistic and grouping, and two judges against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant
from evalharness.analysis.agreement.extras import rates_of
from evalharness.analysis.agreement.intervals import with_interval
from evalharness.analysis.agreement.measured import Measured
from evalharness.analysis.agreement.measuring import measure, pair_function, weighted_function
from evalharness.analysis.agreement.names import EXTRA, ON_MAJORITY, ON_NOMINAL, RANK, STATISTICS
from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.sides import Sides
from evalharness.analysis.agreement.types import LENGTH, MOST_SLICES, Kind, Row
from evalharness.stats.arrays import BoolArray, FloatArray
from evalharness.stats.averaging import Grouping, compare_by_group, compare_pooled
from evalharness.stats.confusion import ClassRates
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized, difference, mean_of
from evalharness.stats.multiple import benjamini_hochberg
from evalharness.stats.significance import student_p

OF_METRICS = ("spearman", "pearson", "kendall_tau_b", "pairwise_accuracy")
_AVERAGED = ("spearman", "pearson", "kendall_tau_b", "pairwise_accuracy", "tie_calibrated_accuracy")
_SAMPLE_STEPS = (1, 2, 3, 5, 10, 20, 50, 100)
_CHOICES, _CHOICES_OF_MANY = 30, 3
_SMALL = 5_000
_MIN_SLICE = 10
_MOST_GROUPS = 20_000


def shown_statistics(scale: Scale) -> tuple[str, ...]:
    """The statistics of the first table, the leading one first: what fits the scale."""
    if scale.nominal:
        return ("cohen_kappa", "gwet_ac1", "percent")
    if scale.binary and scale.same:
        return ("cohen_kappa", "gwet_ac1", "spearman")
    if len(scale.levels) > 2 and scale.same:
        return ("spearman", "cohen_kappa_quadratic")
    return (
        ("spearman", "krippendorff_interval")
        if scale.same and scale.low is not None
        else ("spearman", "pearson")
    )


def leading(contest: Contest, options: AgreeOptions) -> tuple[str, ...]:
    """The statistics that are shown first: those asked for, or those that fit the scale."""
    return options.statistics or shown_statistics(contest.scale)


def entrant_rows(contest: Contest, entrant: Entrant, options: AgreeOptions) -> Iterator[Row]:
    """Every figure of one entrant."""
    sides, shown = contest.sides(entrant), leading(contest, options)
    for name in _names(contest, entrant, options):
        for grouping in _groupings(name, options):
            if name == "soft_pairwise_accuracy" and len(contest.items) > _MOST_GROUPS:
                continue
            found = measure(name, sides, grouping, options.level)
            if grouping is Grouping.POOLED and name in shown:
                found = with_interval(found, name, sides, options.interval, options.level)
            yield _row(contest, entrant, name, grouping, found)
    if options.everything and entrant.kind is Kind.JUDGE:
        yield from _class_rows(contest, entrant, sides, options)
        yield from _rater_rows(contest, entrant, options)


def _names(contest: Contest, entrant: Entrant, options: AgreeOptions) -> Sequence[str]:
    shown = leading(contest, options)
    if entrant.kind is Kind.JUDGE:
        return [*shown, *(name for name in STATISTICS if name not in shown)] if options.everything else shown
    if entrant.scale.same:
        return [name for name in shown if name in ON_MAJORITY or name in ON_NOMINAL]
    wanted = [name for name in shown if name in RANK]
    if options.statistics:
        return wanted
    more = OF_METRICS if options.everything else ("spearman",)
    return [*wanted, *(name for name in more if name not in wanted)]


def _groupings(name: str, options: AgreeOptions) -> Sequence[Grouping]:
    if name == "soft_pairwise_accuracy":
        return (Grouping.SYSTEM,)
    if not options.everything:
        return options.groupings
    if name in _AVERAGED:
        return tuple(dict.fromkeys((*options.groupings, *Grouping)))
    if name in EXTRA:
        return (Grouping.POOLED,)
    return tuple(dict.fromkeys((*options.groupings, Grouping.POOLED)))


def _row(contest: Contest, entrant: Entrant, name: str, grouping: Grouping, found: Measured) -> Row:
    return Row(
        entrant.scorer,
        entrant.rubric,
        contest.criterion,
        name,
        grouping.value,
        found.estimate,
        undefined=max(found.undefined, int(found.estimate.value is None)),
        reason=found.reason or found.estimate.undefined or "",
        kind=entrant.kind,
        unit=contest.labels.unit,
        weighted=contest.drawing.of(name, grouping.value),
    )


def plain_row(
    contest: Contest, entrant: Entrant, name: str, estimate: Estimate, where: str = "", reason: str = ""
) -> Row:
    """A pooled row of an entrant."""
    return Row(
        entrant.scorer,
        entrant.rubric,
        contest.criterion,
        name,
        Grouping.POOLED.value,
        estimate,
        slice=where,
        undefined=int(estimate.value is None),
        reason=reason or estimate.undefined or "",
        kind=entrant.kind,
        unit=contest.labels.unit,
        weighted=contest.drawing.of(name, Grouping.POOLED.value),
    )


def _class_rows(contest: Contest, entrant: Entrant, sides: Sides, options: AgreeOptions) -> Iterator[Row]:
    """Precision, recall and F1 of each class."""
    found = rates_of(sides, options.level)
    for rates in () if found is None else found.classes:
        name = entrant.scale.name(rates.category)
        for statistic in ("precision", "recall", "f1"):
            yield plain_row(contest, entrant, f"{statistic}:{name}", _rate(rates, statistic))


def _rate(rates: ClassRates, statistic: str) -> Estimate:
    found: Estimate = getattr(rates, statistic)
    return found


def _rater_rows(contest: Contest, entrant: Entrant, options: AgreeOptions) -> Iterator[Row]:
    """The leading statistic with each rater, and on items that raters agree or differ on."""
    name = leading(contest, options)[0]
    raters = contest.labels.raters
    for j, rater in enumerate(raters[:MOST_SLICES] if len(raters) > 1 else ()):
        sides = contest.beside(entrant, entrant.values, entrant.ratings[:, [j]])
        found = measure(name, sides, Grouping.POOLED, options.level)
        yield plain_row(contest, entrant, name, found.estimate, f"rater={rater}", found.reason)
    if len(raters) > 1 and contest.scale.classes:
        yield from _unanimity_rows(contest, entrant, name, options)


def _unanimity_rows(contest: Contest, entrant: Entrant, name: str, options: AgreeOptions) -> Iterator[Row]:
    from evalharness.stats.ceiling import unanimous

    alike = unanimous(entrant.ratings)
    several = (~np.isnan(entrant.ratings)).sum(axis=1) >= 2
    for title, mask in (("raters=unanimous", alike), ("raters=divided", ~alike & several)):
        sides = contest.sides(entrant).where(np.asarray(mask))
        found = measure(name, sides, Grouping.POOLED, options.level)
        yield plain_row(contest, entrant, name, found.estimate, title, found.reason)


def sample_rows(contest: Contest, entrant: Entrant, options: AgreeOptions) -> Iterator[Row]:
    """The leading statistic by the number of averaged samples, as a mean over choices of that many of them.

    Every choice counts, or a seeded few where there are many. Unusable samples are left out of an average.
    """
    samples = entrant.samples
    if samples is None or entrant.scale.nominal:
        return
    name = leading(contest, options)[0]
    width = samples.shape[1]
    for k in sorted({step for step in _SAMPLE_STEPS if step < width} | {width}):
        chosen = _choices(width, k, _CHOICES if len(samples) <= _SMALL else _CHOICES_OF_MANY)
        parts = [part for choice in chosen if (part := _averaged(contest, entrant, name, samples[:, choice]))]
        where, reason = f"samples={k}", f"mean over {len(parts)} choices of {k} samples"
        if parts:
            estimate = mean_of(parts).estimate(contest.groups, level=options.level)
            yield plain_row(contest, entrant, name, estimate, where, reason)
        else:
            yield plain_row(contest, entrant, name, undefined("undefined for every choice"), where)


def _choices(width: int, k: int, most: int) -> list[list[int]]:
    if math.comb(width, k) <= most:
        return [list(choice) for choice in combinations(range(width), k)]
    rng = np.random.default_rng(k)
    return [sorted(rng.permutation(width)[:k].tolist()) for _ in range(most)]


def _averaged(contest: Contest, entrant: Entrant, name: str, samples: FloatArray) -> Linearized | None:
    """The statistic of averaged samples, seen from all items."""
    usable = ~np.isnan(samples)
    count = usable.sum(axis=1)
    values: FloatArray = np.full(len(samples), np.nan)
    np.divide(np.where(usable, samples, 0.0).sum(axis=1), count, out=values, where=count > 0)
    where = ~np.isnan(values) & (~np.isnan(entrant.ratings)).any(axis=1)
    sides = contest.beside(entrant, values, entrant.ratings).where(np.asarray(where))
    found = None if name in EXTRA or not where.any() else _linearized(name, sides)
    if found is None:
        return None
    linear, kept = found
    where[where] = kept
    return linear.embedded(np.asarray(where))


def slice_rows(contest: Contest, options: AgreeOptions) -> Iterator[Row]:
    """The leading statistic of every judge in each slice, marked where it differs from the other items.

    p-values of the differences are adjusted over all slices and judges of the criterion (Benjamini-Hochberg). Other
    statistics that are wanted in slices stand there without a mark.
    """
    name = leading(contest, options)[0]
    found: list[tuple[Entrant, str, Estimate, float | None]] = []
    for where, mask in _slices(contest):
        for entrant in contest.judges:
            sides = contest.sides(entrant).where(mask)
            estimate = measure(name, sides, Grouping.POOLED, options.level).estimate
            found.append((entrant, where, estimate, _slice_p(contest, entrant, name, mask)))
    adjusted = benjamini_hochberg([p for *_, p in found])
    for (entrant, where, estimate, _), p in zip(found, adjusted, strict=True):
        mark = "" if p is None or p > 0.05 else f"differs from the other items (adjusted p = {p:.2g})"
        yield replace(plain_row(contest, entrant, name, estimate, where, mark), p_adjusted=p)
    for other in options.slice_statistics if contest.slices else ():
        for where, mask in _slices(contest) if other != name else ():
            for entrant in contest.judges:
                measured = measure(other, contest.sides(entrant).where(mask), Grouping.POOLED, options.level)
                yield plain_row(contest, entrant, other, measured.estimate, where, measured.reason)


def _slices(contest: Contest) -> Iterator[tuple[str, BoolArray]]:
    """``key=value`` and its items, the largest slices of each key."""
    for key, values in contest.slices.items():
        array = np.asarray(values, dtype=object)
        names, counts = np.unique(array, return_counts=True)
        for value in sorted(names[np.argsort(-counts, kind="stable")][:MOST_SLICES]):
            yield f"{key}={value}", np.asarray(array == value)


def _slice_p(contest: Contest, entrant: Entrant, name: str, mask: np.ndarray) -> float | None:
    """The p-value that a statistic is the same in a slice and outside of it, clustered by group."""
    both = contest.sides(entrant)
    usable = ~np.isnan(both.judge) & (~np.isnan(both.ratings)).any(axis=1)
    inside, outside = usable & mask, usable & ~mask
    if min(inside.sum(), outside.sum()) < _MIN_SLICE or name in EXTRA:
        return None
    parts = []
    for part in (inside, outside):
        found = _linearized(name, both.where(np.asarray(part)))
        if found is None:
            return None
        linear, kept = found
        where = part.copy()
        where[part] = kept
        parts.append(linear.embedded(where))
    gap = difference(parts[0], parts[1]).estimate(both.groups)
    if gap.value is None or not gap.se:
        return None
    return student_p(gap.value / gap.se, gap.groups - 1, "two-sided")


def _linearized(name: str, sides: Sides) -> tuple[Linearized, np.ndarray] | None:
    function = pair_function(name, sides.scale)
    if isinstance(function, str):
        return None
    if name not in ON_MAJORITY:
        found = weighted_function(name, function, sides.copies)(sides.judge, sides.human)
        kept = np.ones(sides.judge.size, dtype=bool)
    else:
        classes = sides.classes
        if isinstance(classes, str) or classes[0].size == 0:
            return None
        kept = classes[2]
        copies = None if sides.copies is None else sides.copies[kept]
        found = weighted_function(name, function, copies)(classes[0], classes[1])
    return (found, kept) if isinstance(found, Linearized) else None


def comparison_rows(contest: Contest, options: AgreeOptions) -> Iterator[Row]:
    """Every two judges on the items that both have, and every judge against the length of the reply."""
    grouping = options.groupings[0]
    for first, second in combinations(contest.judges, 2):
        name = leading(contest, options)[0]
        other = f"{second.scorer}/{second.rubric}" if second.scorer == first.scorer else second.scorer
        found = compared(contest, first, second, name, grouping, options.level)
        yield plain_row(contest, first, f"{name}_minus:{other}", found)
    length = next((e for e in contest.entrants if e.scorer == LENGTH), None)
    for judge in contest.judges if length is not None else ():
        assert length is not None
        found = compared(contest, judge, length, "spearman", Grouping.POOLED, options.level)
        yield plain_row(contest, judge, f"spearman_minus:{LENGTH}", found)


def compared(
    contest: Contest, first: Entrant, second: Entrant, name: str, grouping: Grouping, level: float
) -> Estimate:
    """The difference of a statistic between two entrants on the items where both have a value.

    Against a baseline its sign is left out: a judge has to beat the length of the reply in either direction.
    """
    a, b = contest.sides(first), contest.sides(second)
    usable = ~np.isnan(a.judge) & ~np.isnan(b.judge) & (~np.isnan(a.ratings)).any(axis=1)
    a, b = a.where(np.asarray(usable)), b.where(np.asarray(usable))
    if a.judge.size < 2:
        return undefined("fewer than two common items", n=a.judge.size, level=level)
    function = pair_function(name, a.scale)
    if name in EXTRA or isinstance(function, str) or (name not in RANK and b.scale != a.scale):
        return undefined("the two can't be compared by this statistic", n=a.judge.size, level=level)
    one, two, human, groups, copies = a.judge, b.judge, a.human, a.groups, a.copies
    if name in ON_MAJORITY:
        ours, theirs = a.classes, b.classes
        if isinstance(ours, str) or isinstance(theirs, str):
            return undefined("no common classes", n=a.judge.size, level=level)
        one, human, kept = ours
        two, groups = theirs[0], groups[kept]
        copies = None if copies is None else copies[kept]
    if grouping is not Grouping.BY_GROUP:
        function = weighted_function(name, function, copies)
    if second.kind is Kind.BASELINE:
        own = function(two, human)
        two = -two if own.value is not None and own.value < 0 else two
    if grouping is Grouping.BY_GROUP:
        return compare_by_group(function, one, two, human, groups, level=level).difference
    return compare_pooled(function, one, two, human, groups, level=level).difference
