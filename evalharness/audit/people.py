"""A judge beside people on the same items: leniency, compression, halo, length, and its own model's replies.

Every figure is a difference between judge and people on the same items, so that what people see as well (a better
system, a longer answer that is worth it) is no bias of the judge. Intervals are clustered by group. Signs are turned so
that positive is the better score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from evalharness.analysis.agreement.contest import Contest, Entrant
from evalharness.analysis.agreement.joining import DialogueFacts, ItemKey
from evalharness.analysis.agreement.scales import Scale
from evalharness.analysis.agreement.table import codes_of
from evalharness.audit.findings import measure_of
from evalharness.audit.types import Measure
from evalharness.stats.arrays import BoolArray, FloatArray, IntArray
from evalharness.stats.bland_altman import bland_altman, deming_slope
from evalharness.stats.ceiling import rater_mean
from evalharness.stats.clustered import clustered_interval, mean_interval
from evalharness.stats.correlation import pearson
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.influence import Linearized
from evalharness.stats.jackknife import group_jackknife

RATIO_MARGIN = 0.2
"""Tolerated distance of a ratio of spreads, or a slope, from 1."""
HALO_MARGIN = 0.1
"""Tolerated excess of the judge's correlation between criteria over that of people."""


@dataclass(frozen=True, eq=False)
class Beside:
    """A judge (n,) and people on the same items of one criterion, on the judge's scale.

    ``ratings`` (n, r) are NaN where missing, ``clusters`` the groups by name, ``words`` (n,) the length of what was
    judged, ``own`` (n,) marks replies of the judge's own model, None where nobody says which these are. ``span`` is the
    range of the scale in its units, 1 where it has none. ``sign`` is -1 where lower is better.
    """

    criterion: str
    items: tuple[ItemKey, ...]
    judge: FloatArray
    ratings: FloatArray
    clusters: tuple[str, ...]
    words: FloatArray
    own: BoolArray | None
    scale: Scale
    span: float
    sign: float

    @cached_property
    def groups(self) -> IntArray:
        """Codes of the clusters (n,)."""
        return codes_of(self.clusters)

    @cached_property
    def people(self) -> FloatArray:
        """The mean rating (n,)."""
        return rater_mean(self.ratings)


def beside(
    contest: Contest, judge: Entrant, facts: Mapping[str, DialogueFacts], own: str | None, sign: float
) -> Beside | None:
    """The judge and people on the items that both rated; None on a nominal scale or one that is not shared."""
    if judge.scale.nominal or not judge.scale.same:
        return None
    both = ~np.isnan(judge.values) & (~np.isnan(judge.ratings)).any(axis=1)
    items = tuple(item for item, has in zip(contest.items, both.tolist(), strict=True) if has)
    systems = [facts[item.dialogue].system for item in items]
    span = 1.0 if judge.low is None or judge.high is None else max(judge.high - judge.low, 1e-9)
    return Beside(
        criterion=contest.criterion,
        items=items,
        judge=judge.values[both],
        ratings=judge.ratings[both],
        clusters=tuple(facts[item.dialogue].cluster for item in items),
        words=np.array([facts[item.dialogue].length(item.turn) for item in items]),
        own=None if own is None else np.array([system == own for system in systems], dtype=bool),
        scale=judge.scale,
        span=span,
        sign=sign,
    )


def measures_of(data: Beside, margin: float) -> Iterator[Measure]:
    """Every measure of one criterion; ``margin`` is a share of the scale's range."""
    yield leniency(data, margin)
    yield from compression(data, margin)
    yield length_preference(data, margin)
    if data.own is not None:
        yield self_preference(data, margin)


def leniency(data: Beside, margin: float) -> Measure:
    """Mean of judge minus people, in units of the scale."""
    return measure_of(
        "leniency",
        data.criterion,
        mean_interval(data.sign * (data.judge - data.people), data.groups),
        margin=margin * data.span,
        unit="points",
        up="more lenient than people",
        down="more severe than people",
        judge=_mean(data.judge),
        beside=_mean(data.people),
    )


def compression(data: Beside, margin: float) -> Iterator[Measure]:
    """How the judge uses its scale: ratio of spreads, Deming slope, and the share of its commonest level."""
    found = bland_altman(data.judge, data.people, data.groups)
    yield measure_of(
        "spread ratio",
        data.criterion,
        found.sd_ratio,
        neutral=1.0,
        margin=RATIO_MARGIN,
        unit="SD of the judge over SD of people",
        up="spreads its scores further than people",
        down="compresses the scale",
        judge=_deviation(data.judge),
        beside=_deviation(data.people),
    )
    slope = group_jackknife(
        lambda mask: deming_slope(data.judge[mask], data.people[mask]),
        data.groups,
        reason="judge and people do not vary together",
    )
    yield measure_of(
        "slope",
        data.criterion,
        slope,
        neutral=1.0,
        margin=RATIO_MARGIN,
        unit="points of the judge per point of people (Deming)",
        up="stretches the differences that people see",
        down="flattens the differences that people see",
    )
    if len(data.scale.levels) > 2:
        yield _modal_share(data, margin)


def _modal_share(data: Beside, margin: float) -> Measure:
    """Share of the judge's commonest level minus that of people's, each person's rating counted by itself."""
    nearest, theirs = data.scale.nearest(data.judge), data.scale.nearest(data.ratings)
    judge = (nearest == _mode(nearest)).astype(np.float64)
    usual = np.where(np.isnan(theirs), np.nan, theirs == _mode(theirs[~np.isnan(theirs)]))
    share = np.nanmean(usual, axis=1)
    return measure_of(
        "commonest level",
        data.criterion,
        mean_interval(judge - share, data.groups),
        margin=margin,
        unit="share of scores",
        up="gives its commonest level more often than people give theirs",
        down="uses the scale more evenly than people",
        judge=_mean(judge),
        beside=_mean(share),
    )


def length_preference(data: Beside, margin: float) -> Measure:
    """What twice as many words bring from the judge beyond what they bring from people, in units of the scale."""
    words = np.log2(np.maximum(data.words, 1.0))
    excess = data.sign * (data.judge - data.people)
    return measure_of(
        "length beyond people's",
        data.criterion,
        _slope(excess, words).estimate(data.groups) if _varies(words) else _no_length(data),
        margin=margin * data.span,
        unit="points per doubling of length",
        up="prefers longer replies than people do",
        down="prefers shorter replies than people do",
        judge=_slope(data.sign * data.judge, words).value if _varies(words) else None,
        beside=_slope(data.sign * data.people, words).value if _varies(words) else None,
    )


def self_preference(data: Beside, margin: float) -> Measure:
    """(judge - people) on replies of the judge's own model minus the same on all others, in units of the scale."""
    assert data.own is not None
    gap = data.sign * (data.judge - data.people)
    own, others = gap[data.own], gap[~data.own]
    if own.size < 2 or others.size < 2:
        estimate = undefined("the judge's own model and others need two replies each", n=gap.size)
    else:
        influence = np.where(
            data.own,
            (gap - own.mean()) * gap.size / own.size,
            -(gap - others.mean()) * gap.size / others.size,
        )
        value = float(own.mean() - others.mean())
        estimate = clustered_interval(influence, data.groups, value=value)
    return measure_of(
        "self-preference",
        data.criterion,
        estimate,
        margin=margin * data.span,
        unit="points",
        up="favours its own model's replies beyond what people see in them",
        down="is harder on its own model's replies than people are",
        judge=_gap(data.judge * data.sign, data.own),
        beside=_gap(data.people * data.sign, data.own),
    )


def halo(criteria: Sequence[Beside]) -> Measure | None:
    """How much more the judge's criteria go together than people's: mean difference of correlations over all pairs."""
    pairs = [(a, b) for a, b in combinations(criteria, 2) if len(set(a.items) & set(b.items)) >= 3]
    if not pairs:
        return None
    clusters = {i: cluster for c in criteria for i, cluster in zip(c.items, c.clusters, strict=True)}
    place = {item: row for row, item in enumerate(clusters)}
    judge, people = (
        np.column_stack([_on_rows(c, side, place) for c in criteria]) for side in ("judge", "people")
    )
    number = {id(c): column for column, c in enumerate(criteria)}
    columns = [(number[id(a)], number[id(b)]) for a, b in pairs]
    estimate = group_jackknife(
        lambda mask: _excess(judge[mask], people[mask], columns),
        codes_of(list(clusters.values())),
        reason="a criterion does not vary",
    )
    return measure_of(
        "halo",
        "all criteria",
        estimate,
        margin=HALO_MARGIN,
        unit="correlation between criteria",
        up="lets one impression colour all criteria, more than people do",
        down="tells criteria apart more than people do",
        judge=_together(judge, columns),
        beside=_together(people, columns),
    )


def _on_rows(data: Beside, side: str, place: Mapping[ItemKey, int]) -> FloatArray:
    values = data.judge if side == "judge" else data.people
    column = np.full(len(place), np.nan)
    column[[place[item] for item in data.items]] = data.sign * values
    return column


def _excess(judge: FloatArray, people: FloatArray, pairs: Sequence[tuple[int, int]]) -> float | None:
    ours, theirs = _together(judge, pairs), _together(people, pairs)
    return None if ours is None or theirs is None else ours - theirs


def _together(values: FloatArray, pairs: Sequence[tuple[int, int]]) -> float | None:
    """The mean correlation over pairs of columns; None where one does not vary."""
    found = []
    for a, b in pairs:
        both = ~np.isnan(values[:, a]) & ~np.isnan(values[:, b])
        one = pearson(values[both, a], values[both, b]) if both.sum() >= 3 else None
        if not isinstance(one, Linearized):
            return None
        found.append(one.value)
    return float(np.mean(found))


def _slope(values: FloatArray, on: FloatArray) -> Linearized:
    """The least-squares slope with its influence values, which the sandwich error is made of."""
    a = on - on.mean()
    spread = float(a @ a) / a.size
    slope = float(a @ values) / a.size / spread
    return Linearized(slope, a * (values - values.mean() - slope * a) / spread)


def _no_length(data: Beside) -> Estimate:
    return undefined("all replies are equally long", n=data.judge.size)


def _varies(values: FloatArray) -> bool:
    return values.size >= 3 and float(values.std()) > 1e-9


def _mode(values: FloatArray) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if values.size else None


def _deviation(values: FloatArray) -> float | None:
    return float(values.std(ddof=1)) if values.size > 1 else None


def _gap(values: FloatArray, own: BoolArray) -> float | None:
    if not own.any() or own.all():
        return None
    return float(values[own].mean() - values[~own].mean())
