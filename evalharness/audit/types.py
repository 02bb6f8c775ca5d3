"""What an audit states: one effect per probe and criterion, each with its interval and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalharness.core.scores import Column
from evalharness.stats.estimate import Estimate


class Finding(StrEnum):
    """What an effect means."""

    OK = "ok"
    """Within the margin with confidence (bias), or a fall that is shown (sensitivity)."""
    FLAGGED = "flagged"
    """A shift beyond the margin that is shown, or a degradation that the judge does not see."""
    UNCLEAR = "unclear"
    """The interval allows both; more items would tell."""


@dataclass(frozen=True, slots=True)
class Open:
    """Why a question stayed open: ``width`` of the interval (None: none yet) on ``items`` in ``groups``.

    ``tolerated`` is the margin in the units of the effect. ``more`` is the number of further items that would settle it
    with a chance of 80 % if the effect is as measured, None where no number would or nothing was measured.
    """

    items: int
    groups: int
    width: float | None
    tolerated: float
    more: int | None


@dataclass(frozen=True, slots=True)
class Effect:
    """The shift of one criterion's scores under one probe: changed minus original, in units of the scale.

    ``share`` is the shift as a share of the scale's range, where it has one. ``flips`` is the share of items whose
    pass mark changed, None where nothing says what passes. ``failed`` pairs have no verdict on one side, ``skipped``
    ones nothing to assess; neither count. ``open`` says what an unclear one lacks.
    """

    probe: str
    criterion: str
    shift: Estimate
    share: float | None
    flips: Estimate | None
    pairs: int
    failed: int
    finding: Finding
    words: str
    skipped: int = 0
    open: Open | None = None


@dataclass(frozen=True, slots=True)
class Stability:
    """Asking the same again: how often and how far a criterion's score differs between two samples.

    ``difference`` is the mean absolute difference in units of the scale; ``same`` the share of equal scores.
    """

    criterion: str
    difference: Estimate
    same: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How a criterion uses its scale on the unchanged items: share of the commonest level, mean, standard deviation."""

    criterion: str
    mean: float | None
    deviation: float | None
    modal_share: float | None
    items: int


@dataclass(frozen=True, slots=True)
class Severity:
    """Whether scores fall further the worse a reply was made: the mean change with each step of severity.

    ``means`` are the mean shifts by step, the mildest first, as (severity, shift, items); ``monotone`` tells whether
    each lies below the one before.
    """

    criterion: str
    slope: Estimate
    means: tuple[tuple[int, float, int], ...]
    monotone: bool
    finding: Finding


@dataclass(frozen=True, slots=True)
class Saved:
    """What the defences take off the lift of an attack: lift without them minus lift with them, on the same items."""

    placement: str
    criterion: str
    difference: Estimate
    pairs: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A bias that shows beside people, between orders, or over time: not under a probe.

    ``estimate`` is the effect in ``unit``; ``judge`` and ``beside`` are the two figures that it compares, where it
    compares two, the second being that of ``beside_what``. It is flagged only if its interval excludes ``neutral`` and
    it lies further from it than ``margin``.
    """

    name: str
    criterion: str
    estimate: Estimate
    neutral: float
    margin: float
    unit: str
    finding: Finding
    words: str
    judge: float | None = None
    beside: float | None = None
    beside_what: str = "people"
    open: Open | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """A judge's agreement with people on a criterion by the leading statistic, beside what people reach."""

    criterion: str
    statistic: str
    judge: Estimate
    people: Estimate | None
    items: int
    raters: int


@dataclass(frozen=True, slots=True)
class Detector:
    """How the deterministic detector does: found among planted attacks, and raised on the unchanged dialogues."""

    attacks: int
    found: int
    clean: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that the audit's reports state.

    ``margin`` is the tolerated shift as a share of the range. ``missing`` names what was not measured, with the reason.
    ``pairs`` tells that the judge compares pairs, which ``items`` then counts.
    """

    judge: str
    rubric: str
    signature: str
    columns: tuple[Column, ...]
    items: int
    groups: int
    margin: float
    effects: tuple[Effect, ...]
    stability: tuple[Stability, ...]
    spread: tuple[Spread, ...]
    detector: Detector
    left_out: tuple[tuple[str, int], ...]
    cost: float | None
    date: str
    toy: bool = False
    partial: str | None = None
    severity: tuple[Severity, ...] = ()
    saved: tuple[Saved, ...] = ()
    measures: tuple[Measure, ...] = ()
    agreed: tuple[Agreed, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    pairs: bool = False
