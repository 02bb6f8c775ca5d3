"""What an agreement report may state, computed once and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from evalharness.analysis.agreement.scales import Scale
from evalharness.core.dialogue import Unit
from evalharness.stats.estimate import Estimate

LEAVE_ONE_OUT = "human:leave_one_out"
PAIRWISE = "human:pairwise"
AMONG = "human:all_raters"
INTRA = "human:intra_rater"
CONSTANT = "baseline:constant"
LENGTH = "baseline:length"
MOST_SLICES = 20
"""Of each key the largest slices are shown, this many."""
OWN_SLICES = ("rater", "raters", "samples", "turn")
"""Keys of slices that are no metadata: they are shown wherever they are known."""


class Kind(StrEnum):
    """What stands behind a row."""

    JUDGE = "judge"
    METRIC = "metric"
    BASELINE = "baseline"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``undefined`` counts the groups (or systems) without a value, ``reason`` says why; ``slice`` is
    empty for all items. ``weighted`` says whether items drawn with unequal probabilities are weighted by them, None
    where they were not drawn so. ``p_adjusted`` is that of a slice's difference from the other items."""

    scorer: str
    rubric: str
    criterion: str
    statistic: str
    grouping: str
    estimate: Estimate
    slice: str = ""
    undefined: int = 0
    reason: str = ""
    kind: Kind = Kind.JUDGE
    unit: Unit = Unit.TURN
    weighted: bool | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge on a criterion in plain words: codes for machines, sentences for people."""

    scorer: str
    rubric: str
    codes: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Counts: rows the raters' majority, columns the judge, in the order of ``levels``."""

    scorer: str
    rubric: str
    levels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Scatter:
    """Some of the items of a judge for pictures: (judge, human mean) pairs, and how many there are in all."""

    scorer: str
    rubric: str
    points: tuple[tuple[float, float], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """What the raters' mean is where a judge gives about the same score: (mean score, mean rating, low, high, n) by
    bins of equal mass; ``low`` and ``high`` are the ends of the scale."""

    scorer: str
    rubric: str
    low: float
    high: float
    bins: tuple[tuple[float, float, float | None, float | None, int], ...]


@dataclass(frozen=True, slots=True)
class AltVerdict:
    """The outcome of the alternative annotator test for a judge, in words, with each rater's figures."""

    scorer: str
    rubric: str
    epsilon: float
    winning_rate: float | None
    winning_rate_clustered: float | None
    advantage: Estimate
    sentence: str
    raters: tuple[tuple[str, int, float, float, float | None, float | None, bool, str], ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item on which a judge and the humans are far apart; ``gap`` is judge minus human mean."""

    scorer: str
    rubric: str
    criterion: str
    dialogue: str
    turn: int | None
    judge: float
    human: float
    gap: float
    rationale: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CriterionReport:
    """One criterion of the labels: counts, what is shown first, and what it means.

    ``shown`` are the statistics of the first table, the leading one first. ``labelled`` items have a label, ``scored``
    of them a value of the first scorer; ``unscored`` have none; ``unlabelled`` items are scored and have no label.
    ``sliced_by`` is the metadata of slices.
    """

    criterion: str
    label: str
    unit: Unit
    scale: Scale
    raters: int
    labels: int
    labelled: int
    unscored: int
    unlabelled: int
    shown: tuple[str, ...]
    scorers: tuple[tuple[str, str, Kind], ...]
    verdicts: tuple[Verdict, ...]
    ceiling_note: str = ""
    confusions: tuple[ConfusionTable, ...] = ()
    scatters: tuple[Scatter, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    alt_tests: tuple[AltVerdict, ...] = ()
    sliced_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """All figures of judges and metrics against labels; a pure function of outcomes, labels and options."""

    summary: str
    criteria: tuple[CriterionReport, ...]
    rows: tuple[Row, ...]
    disagreements: tuple[Disagreement, ...]
    unchecked: tuple[tuple[str, str, str], ...]
    counts: dict[str, int] = field(default_factory=dict)
    left_out: tuple[tuple[str, int], ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
