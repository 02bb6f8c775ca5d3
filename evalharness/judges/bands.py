"""How close a value is to a criterion's pass threshold: verdicts that a small error would turn from pass to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalharness.core.canonical import Json
from evalharness.core.policy import Amount
from evalharness.core.rubric import PassRule
from evalharness.core.scores import Value

_EPS = 1e-9
_HALF_LEVEL = 0.5
"""`==` passes what lies within half a unit of its bound: there are two thresholds."""


@dataclass(frozen=True, slots=True)
class Bands:
    """How near to its pass threshold a value may lie and be believed: by criterion, or one for all not named."""

    by_criterion: Mapping[str, Amount]
    otherwise: Amount | None = None

    def of(self, criterion: str) -> Amount | None:
        """The band of a criterion; None where it has none."""
        return self.by_criterion.get(criterion, self.otherwise)

    def to_json(self) -> list[Json]:
        """For signatures."""
        named: dict[str, Json] = {name: str(amount) for name, amount in sorted(self.by_criterion.items())}
        return [named, None if self.otherwise is None else str(self.otherwise)]


def width_of(band: Amount, low: float | None, high: float | None) -> float | None:
    """The band in units of a scale with these ends; None for a share of a scale that lacks one."""
    if not band.relative:
        return band.value
    return None if low is None or high is None else band.value * (high - low)


def distance(rule: PassRule, value: Value) -> float | None:
    """How far a value is from where its pass mark would turn, in units of the scale; None for a label."""
    if isinstance(value, str):
        return None
    away = abs(value - rule.bound)
    return abs(away - _HALF_LEVEL) if rule.op == "==" else away


def is_near(rule: PassRule | None, value: Value, width: float | None) -> bool:
    """Whether a value lies within ``width`` of where its pass mark would turn."""
    if rule is None or width is None:
        return False
    away = distance(rule, value)
    return away is not None and away <= width + _EPS
