"""What a gate found, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalharness.core.policy import Policy
from evalharness.core.scores import Column
from evalharness.errors import ExitCode
from evalharness.stats.drift import AnchorDrift
from evalharness.stats.estimate import Estimate
from evalharness.stats.significance import Significance


class Verdict(StrEnum):
    """The three answers of a gate."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Unpaired:
    """Units (a reply of a scenario, or a scenario where reply numbers don't match) that could not be compared.

    only_baseline, only_run: the scenario is in one of the runs only. no_verdict_baseline, no_verdict_run: it is
    in both, and that side's items failed. skipped: not applicable on one side only.
    """

    only_baseline: int = 0
    only_run: int = 0
    no_verdict_baseline: int = 0
    no_verdict_run: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return (
            self.only_baseline + self.only_run + self.no_verdict_baseline + self.no_verdict_run + self.skipped
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """Run minus baseline, in scale units, positive where the run is better.

    lower, upper: one-sided bounds, each at the policy's confidence; None where there are none. p_drop:
    one-sided p of "no drop"; exact: its randomisation check by group; mcnemar: for binary outcomes. bounds: the
    values possible if what was not compared were the worst or the best. paired: False where nothing could be
    paired and the runs were compared as independent samples.
    """

    value: float | None
    se: float | None
    lower: float | None
    upper: float | None
    p_drop: float | None
    method: str
    n: int
    groups: int
    exact: Significance | None = None
    mcnemar: Significance | None = None
    bounds: tuple[float, float] | None = None
    paired: bool = True
    undefined: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """What the comparison could have seen, and what would decide.

    detectable: the smallest true drop (scale units) that it finds with 80 % probability. groups: how many
    groups let an unchanged system pass with 80 % probability. samples: judge samples per item that would do
    with the present groups.
    """

    detectable: float | None
    groups: int | None
    samples: int | None
    repeat_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Fresh:
    """What the judge said of an item when it was asked again: failing, passing, and all verdicts asked for."""

    failing: int
    passing: int
    asked: int


class Standing(StrEnum):
    """Whether a failure counts: confirmed, refuted, or not to be told from the verdicts there are."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Failing:
    """An item that fails the criterion's pass rule.

    ``verdicts`` are failing and all single verdicts in the run; ``again`` those of a fresh asking, where there was
    one; ``standing`` what follows from them under the policy's ``confirm``.
    """

    dialogue: str
    turn: int | None
    value: float
    verdicts: tuple[int, int]
    source: str
    line: int
    standing: Standing
    again: Fresh | None = None


@dataclass(frozen=True, slots=True)
class Worst:
    """A pair of results whose difference is among the most negative."""

    dialogue: str
    reply: int | None
    turn: int | None
    group: str
    baseline: float
    run: float
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One criterion in one slice: exploratory, adjusted over all slices (Benjamini-Hochberg), never deciding."""

    key: str
    value: str
    difference: Difference
    p_adjusted: float | None
    dropped: bool


class State(StrEnum):
    """What the anchors say of a ruler."""

    HELD = "held"
    MOVED = "moved"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Ruler:
    """One column of the run's judge on the anchors.

    ``missing`` anchors have no fresh verdict. ``tolerance`` is the shift that would matter, in scale units. ``changed``
    says how the run's instrument differs from the one that the anchors were recorded with, empty where it does not.
    """

    column: Column
    items: int
    missing: int
    labelled: int
    tolerance: float
    changed: str
    drift: AnchorDrift

    @property
    def state(self) -> State:
        """Moved: the interval excludes 0 and the shift is beyond the tolerance. Held: equivalence is shown."""
        if self.drift.moved:
            return State.MOVED
        return State.HELD if self.drift.held() else State.UNCLEAR

    @property
    def is_bridge(self) -> bool:
        """Whether it joins two instruments instead of watching one."""
        return bool(self.changed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about one column.

    ``verdict`` is None where the column does not gate; ``not_gating`` says why. ``real_drop`` tells of a drop
    that is there (after Holm) whatever is decided about it. ``ruler`` is what anchors say of the judge; ``corrected``
    the difference without the shift of a ruler that moved (``difference`` is without that of a bridge). Where labels
    debias the difference, ``judge_difference`` is what the judge alone says, and ``doubts`` is what limits the labels.
    """

    column: Column
    verdict: Verdict | None
    reasons: tuple[str, ...]
    not_gating: str | None
    margin: float | None
    baseline_mean: Estimate
    run_mean: Estimate
    difference: Difference
    p_holm: float | None
    real_drop: bool
    unpaired: Unpaired
    by_means: int
    reach: Reach
    pass_rate: Estimate | None
    min_pass_rate: float | None
    new_failures: tuple[Failing, ...]
    without_verdict: tuple[int, int]
    worst: tuple[Worst, ...]
    slices: tuple[SliceRow, ...]
    policy_line: int | None
    ruler: Ruler | None = None
    corrected: Difference | None = None
    judge_difference: Difference | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand on the whole run rather than on a criterion, and what became of it."""

    name: str
    verdict: Verdict
    reason: str
    failing: tuple[Failing, ...] = ()


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict and everything that it rests on."""

    verdict: Verdict
    run: str
    baseline: str
    baseline_created: str
    policy: Policy
    comparisons: tuple[Comparison, ...]
    demands: tuple[Demand, ...]
    notes: tuple[str, ...]
    identical: bool

    @property
    def gating(self) -> tuple[Comparison, ...]:
        """The columns that decide."""
        return tuple(row for row in self.comparisons if row.verdict is not None)

    @property
    def exit_code(self) -> ExitCode:
        """What the process tells its caller."""
        if self.verdict is Verdict.PASS:
            return ExitCode.OK
        if self.verdict is Verdict.FAIL:
            return ExitCode.REGRESSION
        return {
            "exit": ExitCode.INCONCLUSIVE,
            "warn": ExitCode.OK,
            "fail": ExitCode.REGRESSION,
        }[self.policy.on_inconclusive.value]
