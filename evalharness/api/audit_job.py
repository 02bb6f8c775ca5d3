"""What an audit is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.analysis.agreement.contest import AgreeOptions
from evalharness.analysis.agreement.joining import JoinOptions
from evalharness.audit.types import Audit
from evalharness.core.canonical import Json
from evalharness.data.dialogues import ReadOptions
from evalharness.data.labels.raw import LabelOptions
from evalharness.engine.plan import Limits
from evalharness.judges.options import JudgeOptions


@dataclass(frozen=True, slots=True)
class People:
    """Whom a judge is held against: label files, and how they are read and joined."""

    labels: tuple[str, ...] = ()
    reading: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)


@dataclass(frozen=True, slots=True)
class AuditJob:
    """Everything that `evalharness audit` can be told.

    ``sources`` is a run folder or dialogue files. ``size`` dialogues (or scenarios, for a rubric that compares pairs)
    are drawn with ``seed``. ``margin`` is the tolerated shift as a share of a scale's range, or of verdicts.
    ``samples`` of each original tell the judge's own noise. ``own`` names the system that is the judge's own model,
    ``since`` an earlier audit, ``paraphrase`` the rubric in other words. ``by`` and ``whole`` are those of `pairwise`.
    ``composed_judges`` are those that the settings make of others; ``judge`` may name one.
    """

    sources: tuple[str, ...]
    out: Path
    judge: str
    rubric: str
    probes: tuple[str, ...] = ()
    size: int = 40
    seed: int = 0
    margin: float = 0.05
    samples: int = 2
    people: People = field(default_factory=People)
    own: str | None = None
    since: Path | None = None
    paraphrase: str | None = None
    by: str = "file"
    whole: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)
    limits: Limits = field(default_factory=Limits)
    judge_options: JudgeOptions = field(default_factory=JudgeOptions)
    model_options: Mapping[str, Json] = field(default_factory=dict)
    composed_judges: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """An audit that ended: its folder, what it found, whether every item was judged, and the signal that stopped it."""

    folder: Path
    audit: Audit
    complete: bool
    signal: int | None = None
