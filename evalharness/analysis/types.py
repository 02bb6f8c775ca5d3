"""What a report may state about a run, computed once and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalharness.analysis.panels import PanelSummary
from evalharness.analysis.retest import Retest
from evalharness.core.scores import Column
from evalharness.stats.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Tally:
    """Where the items of a column went: ``items`` = scored + failed + skipped + pending, always.

    ``failed`` and ``skipped`` are counted by cause and reason, most frequent first; ``pending`` items wait for a
    resume of an incomplete run.
    """

    items: int
    scored: int
    failed: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    pending: int = 0

    @property
    def failures(self) -> int:
        """Items that failed, whatever the cause."""
        return sum(count for _, count in self.failed)

    @property
    def skips(self) -> int:
        """Items that were skipped, whatever the reason."""
        return sum(count for _, count in self.skipped)


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a distribution: values from ``low`` to ``high`` (half-open unless last), or one level."""

    label: str
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation and extremes of the scored values."""

    sd: float | None
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class SystemRow:
    """A column's figures for one system under test."""

    system: str
    tally: Tally
    mean: Estimate
    pass_rate: Estimate | None


@dataclass(frozen=True, slots=True)
class CalibratedMean:
    """A judge's mean on the human scale: of the values that a calibration gives its scores.

    The interval is that of the items; the curve is taken as known. ``outside`` scored items lie outside the range of
    the labelled ones, where the curve is constant. ``half_width`` holds 90 % of new ratings of single items; ``labels``
    are the labelled items behind the curve.
    """

    mean: Estimate
    outside: int
    half_width: float | None
    labels: int


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """Everything stated about one column of scores.

    ``mean`` is over scored items, its interval clustered by group; undefined for nominal columns. ``bounds`` are the
    means that would hold if every failed and pending item had the worst or the best value of the scale: there when
    something is missing and the scale is bounded. ``samples`` are usable and asked verdicts where several were asked,
    ``uncited`` counts scores with evidence that is not in the dialogue, ``warnings`` what scorers said about scores.
    ``panel`` is there where several judges made the scores, ``stages`` counts them by the stage of a cascade,
    ``near`` those that the stage before passed on with a value near a pass threshold (whether or not it was sure),
    ``mass`` is the mean and the least probability that judges gave to the levels in all, where it is known, ``unlike``
    counts scores of a fitted judge on items outside the range of what it was fitted on, ``retest`` says how alike
    several samples of an item are,
    ``calibrated`` is there for judges with a calibration; everything else is of raw scores.
    """

    column: Column
    tally: Tally
    mean: Estimate
    bounds: tuple[float, float] | None
    pass_rate: Estimate | None
    passed: int
    spread: Spread | None
    distribution: tuple[Bin, ...]
    systems: tuple[SystemRow, ...]
    samples: tuple[int, int] | None = None
    uncited: int = 0
    warnings: tuple[tuple[str, int], ...] = ()
    calibrated: CalibratedMean | None = None
    panel: PanelSummary | None = None
    stages: tuple[tuple[str, int], ...] = ()
    near: int = 0
    mass: tuple[float, float] | None = None
    unlike: int = 0
    retest: Retest | None = None


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """A metric's corpus score over the scored items of one system (``""``: all items)."""

    column: Column
    system: str
    value: float
    items: int
    signature: str


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A column in one slice of the run: ``scored`` values, their mean, and its difference from everything else.

    ``p`` is two-sided, of no difference, adjusted over all slices of the run (Benjamini-Hochberg); None where it
    can't be had. ``worse``: the slice is worse than the rest, by the adjusted p at 5 %.
    """

    column: Column
    key: str
    value: str
    scored: int
    mean: float
    difference: Estimate
    p: float | None
    worse: bool = False


@dataclass(frozen=True, slots=True)
class BetweenRow:
    """Two columns on the items that both have scored: Spearman's rho, and the share of equal scores.

    ``same`` is there for two judges of one criterion.
    """

    first: Column
    second: Column
    spearman: Estimate
    same: float | None


@dataclass(frozen=True, slots=True)
class Between:
    """Scorers against each other; ``sampled``: a part of the items was compared."""

    rows: tuple[BetweenRow, ...] = ()
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was scored: counts of the input, and ``partial`` with the reason when the run is incomplete.

    ``masked`` is None where dialogues were scored as they came; else the dialogues with something masked, and how
    often each kind of thing was.
    """

    dialogues: int
    turns: int
    groups: int
    systems: tuple[str, ...]
    sources: tuple[str, ...]
    rejected: int
    notes: tuple[tuple[str, int], ...]
    partial: str | None = None
    toy_judges: tuple[str, ...] = ()
    masked: tuple[int, tuple[tuple[str, int], ...]] | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """All aggregates of a run; a pure function of its outcomes."""

    run: RunFacts
    columns: tuple[ColumnSummary, ...]
    corpus: tuple[CorpusScore, ...]
    slices: tuple[SliceRow, ...] = ()
    between: Between = field(default_factory=Between)
