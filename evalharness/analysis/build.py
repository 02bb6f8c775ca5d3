"""From the outcomes of a run to its Analysis, in one pass over rows sorted by cluster."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evalharness.analysis.accumulate import ClusteredMean, Distribution, rate_estimate
from evalharness.analysis.between import BetweenSums
from evalharness.analysis.panels import PanelSums
from evalharness.analysis.retest import RetestSums
from evalharness.analysis.slices import Facets, SliceSums, adjusted, wanted
from evalharness.analysis.types import (
    Analysis,
    CalibratedMean,
    ColumnSummary,
    CorpusScore,
    RunFacts,
    SystemRow,
    Tally,
)
from evalharness.core.calibration import CalibrationCurve
from evalharness.core.canonical import Json
from evalharness.core.metric import CorpusMetric
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip
from evalharness.data.ledger.store import OutcomeRow
from evalharness.judges.cascade import NEAR, STAGE
from evalharness.judges.fitted import OUTSIDE
from evalharness.stats.estimate import Estimate, undefined

NO_CURVES: Mapping[Column, CalibrationCurve] = MappingProxyType({})
_MOST_SYSTEMS = 40


class _Group:
    """Running figures of one column over some of its items."""

    def __init__(self, rule: PassRule | None) -> None:
        self.scored = 0
        self.failed: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.mean = ClusteredMean()
        self.passes = ClusteredMean()
        self._rule = rule

    def add(self, cluster: str, result: Result) -> None:
        match result:
            case Score(value=value):
                self.scored += 1
                if not isinstance(value, str):
                    self.mean.add(cluster, value)
                    if self._rule is not None:
                        self.passes.add(cluster, float(self._rule(value)))
            case Failure(cause=cause):
                self.failed[cause.value] += 1
            case Skip(reason=reason):
                self.skipped[reason.value] += 1

    @property
    def seen(self) -> int:
        return self.scored + self.failed.total() + self.skipped.total()

    def tally(self, pending: int = 0) -> Tally:
        return Tally(self.seen + pending, self.scored, _ranked(self.failed), _ranked(self.skipped), pending)


@dataclass(slots=True)
class _Mass:
    """Probability that judges gave to the levels in all: sum, count and the least."""

    total: float = 0.0
    count: int = 0
    least: float = 1.0

    def add(self, mass: float) -> None:
        self.total += mass
        self.count += 1
        self.least = min(self.least, mass)

    def summary(self) -> tuple[float, float] | None:
        return (self.total / self.count, self.least) if self.count else None


class _ColumnSums:
    """Everything that is collected for one column."""

    def __init__(self, column: Column, curve: CalibrationCurve | None) -> None:
        self.column = column
        self.curve = curve
        self.calibrated = ClusteredMean()
        self.outside = 0
        self.rule = None if column.passes is None else PassRule.parse(column.passes)
        self.all = _Group(self.rule)
        self.systems: dict[str, _Group] = {}
        self.distribution = Distribution(column)
        self.stats: dict[str, tuple[list[float], int]] = {}
        self.usable = 0
        self.asked = 0
        self.uncited = 0
        self.warnings: Counter[str] = Counter()
        self.panel = PanelSums()
        self.stages: Counter[str] = Counter()
        self.unlike = 0
        self.retest = RetestSums()
        self.near = 0
        self.mass = _Mass()

    def add(self, row: OutcomeRow, result: Result) -> None:
        self.all.add(row.cluster, result)
        self.panel.add(result)
        if not isinstance(result, Skip) and result.extra and STAGE in result.extra:
            self.stages[str(result.extra[STAGE])] += 1
            self.near += NEAR in result.extra
        if row.system:
            self.systems.setdefault(row.system, _Group(self.rule)).add(row.cluster, result)
        if isinstance(result, Score):
            self.distribution.add(result.value)
            if self.curve is not None and not isinstance(result.value, str):
                self.calibrated.add(row.cluster, self.curve(result.value))
                self.outside += self.curve.outside(result.value)
            self.uncited += any(not evidence.found for evidence in result.evidence)
            self._note(result.extra or {})
            if result.stats:
                for system in {"", row.system}:
                    self._sum_stats(system, result.stats)
        if not isinstance(result, Skip) and result.samples:
            self.retest.add(result)
            self.asked += len(result.samples)
            self.usable += sum(not isinstance(sample, Cause) for sample in result.samples)

    def _note(self, facts: Mapping[str, Json]) -> None:
        if isinstance(facts.get("warning"), str):
            self.warnings[str(facts["warning"])] += 1
        self.unlike += bool(facts.get(OUTSIDE))
        mass = facts.get("label_mass")
        if isinstance(mass, int | float):
            self.mass.add(float(mass))

    def _sum_stats(self, system: str, stats: Sequence[float]) -> None:
        if system not in self.stats:
            self.stats[system] = ([0.0] * len(stats), 0)
        totals, count = self.stats[system]
        for i, value in enumerate(stats):
            totals[i] += value
        self.stats[system] = (totals, count + 1)

    def summary(self, items: int) -> ColumnSummary:
        tally = self.all.tally(max(0, items - self.all.seen))
        mean = self._mean(self.all)
        return ColumnSummary(
            column=self.column,
            tally=tally,
            mean=mean,
            bounds=_bounds(self.column, tally, mean.value),
            pass_rate=None if self.rule is None else rate_estimate(self.all.passes),
            passed=0 if self.rule is None else _passed(self.all.passes),
            spread=self.all.mean.spread(),
            distribution=self.distribution.bins(),
            systems=tuple(self._system(name) for name in sorted(self.systems)[:_MOST_SYSTEMS]),
            samples=(self.usable, self.asked) if self.asked else None,
            uncited=self.uncited,
            warnings=_ranked(self.warnings),
            calibrated=self._calibrated(),
            panel=self.panel.summary(),
            stages=_ranked(self.stages),
            near=self.near,
            mass=self.mass.summary(),
            unlike=self.unlike,
            retest=self.retest.summary(),
        )

    def _calibrated(self) -> CalibratedMean | None:
        if self.curve is None:
            return None
        mean = self._clipped(self.calibrated.estimate())
        return CalibratedMean(mean, self.outside, self.curve.half_width, self.curve.labels)

    def _system(self, name: str) -> SystemRow:
        group = self.systems[name]
        rate = None if self.rule is None else rate_estimate(group.passes)
        return SystemRow(name, group.tally(), self._mean(group), rate)

    def _mean(self, group: _Group) -> Estimate:
        """The mean with its interval cut to the scale."""
        if self.column.nominal:
            return undefined("a nominal criterion has no mean")
        return self._clipped(group.mean.estimate())

    def _clipped(self, mean: Estimate) -> Estimate:
        low, high = self.column.low, self.column.high
        return mean.clipped(-math.inf if low is None else low, math.inf if high is None else high)


def analyse(
    run: RunFacts,
    scorers: Mapping[int, tuple[Column, ...]],
    outcomes: Iterable[OutcomeRow],
    items: Mapping[int, int],
    metrics: Iterable[CorpusMetric] = (),
    curves: Mapping[Column, CalibrationCurve] = NO_CURVES,
    facets: Callable[[OutcomeRow], Facets] | None = None,
) -> Analysis:
    """The Analysis of a run.

    ``scorers`` are the columns of each scorer number, ``outcomes`` their rows sorted by cluster, ``items`` how many
    items each scorer has to score, ``metrics`` those whose corpus scores are wanted, ``curves`` the calibrations of
    columns that have one; ``facets`` says in which slices a row lies.
    """
    sums = {
        number: [_ColumnSums(column, curves.get(column)) for column in columns]
        for number, columns in scorers.items()
    }
    all_columns = [column for columns in scorers.values() for column in columns]
    slices = {column: SliceSums(column) for column in (wanted(all_columns) if facets is not None else ())}
    sliced = {number: [slices.get(column) for column in columns] for number, columns in scorers.items()}
    between = BetweenSums(scorers)
    for row in outcomes:
        between.add(row)
        own = () if facets is None else facets(row)
        for column, result in zip(sums[row.scorer], row.results, strict=True):
            column.add(row, result)
        for part, result in zip(sliced[row.scorer], row.results, strict=True):
            if part is not None and isinstance(result, Score) and not isinstance(result.value, str):
                part.add(row.cluster, own, result.value)
    columns = tuple(column.summary(items[number]) for number, group in sums.items() for column in group)
    by_signature = {c.column: c for group in sums.values() for c in group}
    corpus = tuple(score for metric in metrics for score in _corpus(metric, by_signature))
    rows = adjusted([row for part in slices.values() for row in part.rows()])
    return Analysis(run, columns, corpus, rows, between.summary())


def _corpus(metric: CorpusMetric, sums: Mapping[Column, _ColumnSums]) -> Iterable[CorpusScore]:
    found: dict[Column, _ColumnSums] = defaultdict()
    found.update({column: sums[column] for column in metric.columns if column in sums})
    for column, collected in found.items():
        for system in sorted(collected.stats):
            totals, count = collected.stats[system]
            yield CorpusScore(
                column, system, metric.corpus(column, totals), count, metric.corpus_signature(column)
            )


def _bounds(column: Column, tally: Tally, mean: float | None) -> tuple[float, float] | None:
    missing = tally.failures + tally.pending
    if not missing or column.low is None or column.high is None or column.nominal:
        return None
    known = tally.scored * (mean or 0.0)
    total = tally.scored + missing
    return (known + missing * column.low) / total, (known + missing * column.high) / total


def _passed(passes: ClusteredMean) -> int:
    estimate = passes.estimate()
    return 0 if estimate.value is None else round(estimate.value * estimate.n)


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
