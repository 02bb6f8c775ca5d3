"""What a gate demands: the tolerated drop of each criterion, floors, and what counts as too little evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evalharness.core.scores import OVERALL, Column


class OnInconclusive(StrEnum):
    """What a run that can't be decided does to the exit code: 4, 0 with a warning, or 1."""

    EXIT = "exit"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Amount:
    """A size on a criterion's scale: ``value`` in scale units, or as a share of the scale's range if ``relative``."""

    value: float
    relative: bool = True

    def on(self, column: Column) -> float | None:
        """The amount in scale units of a column; None for a share of a range that is not known."""
        if not self.relative:
            return self.value
        if column.low is None or column.high is None:
            return None
        return self.value * (column.high - column.low)

    def __str__(self) -> str:
        return f"{100 * self.value:g}%" if self.relative else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class CriterionPolicy:
    """What is demanded of one criterion; None where the policy says nothing.

    ``confirm`` is how many fresh verdicts a failure needs, of which most must fail, before it counts; ``line`` is
    where the policy file speaks of the criterion.
    """

    max_drop: Amount | None = None
    min_pass_rate: float | None = None
    max_new_failures: int | None = None
    confirm: int | None = None
    gate: bool | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole gate policy. Everything has a default.

    ``pair_by`` is ``group``, ``dialogue`` or ``metadata.KEY``. ``confirm`` holds for criteria that state none;
    ``confirm_by`` names the judge that gives the verdicts, None for the run's own.
    ``max_failed`` bounds the share of the run's items without a verdict, ``max_unpaired`` the share of the baseline's
    items without a counterpart: above, nothing passes. ``anchors`` is the path of a file of anchors.
    """

    pair_by: str = "group"
    criteria: Mapping[str, CriterionPolicy] = field(default_factory=dict)
    max_drop: Amount = Amount(0.05)
    must_pass: tuple[str, ...] = ()
    confirm: int = 1
    confirm_by: str | None = None
    max_failed: float = 0.02
    max_unpaired: float = 0.1
    slices: tuple[str, ...] = ()
    anchors: str | None = None
    confidence: float = 0.95
    on_inconclusive: OnInconclusive = OnInconclusive.EXIT
    source: str | None = None

    @property
    def alpha(self) -> float:
        """Error rate of each one-sided decision."""
        return 1.0 - self.confidence

    def of(self, column: Column) -> CriterionPolicy:
        """What is demanded of a column."""
        return self.criteria.get(column.criterion, CriterionPolicy())

    def confirm_of(self, column: Column) -> int:
        """How many fresh verdicts a failure on a column needs; 1, its own, where nothing could be asked again."""
        return (self.of(column).confirm or self.confirm) if column.judged else 1

    def asks_again(self, column: Column) -> bool:
        """Whether a failure on a column needs verdicts beyond the run's."""
        return column.judged and (self.confirm_by is not None or self.confirm_of(column) > 1)

    def why_not_gating(self, column: Column) -> str | None:
        """Why a column decides nothing; None where it does."""
        stated = self.of(column)
        if stated.gate is False:
            return "gate: false"
        if column.nominal:
            return "its values have no order"
        if column.higher_is_better is None:
            return "neither direction is better"
        if stated.gate is None and column.criterion == OVERALL and OVERALL not in self.criteria:
            return "made from the other criteria; name it in the policy to gate on it"
        if self.margin(column) is None:
            return "its scale has no bounds: write max_drop as a number"
        return None

    def margin(self, column: Column) -> float | None:
        """The tolerated drop in scale units."""
        return (self.of(column).max_drop or self.max_drop).on(column)
