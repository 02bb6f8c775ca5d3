"""The one result type of every statistic: a figure with its uncertainty, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with standard error and confidence interval.

    value: the point estimate; ``None`` exactly when ``undefined`` gives a reason.
    se, low, high: standard error and interval bounds; ``None`` where the method gives none
        (for example with a single group). ``low`` and ``high`` are both set or both ``None``.
    level: confidence level of the interval, within (0, 1).
    method: how the interval was made, for example ``"CR1+t(11)"``.
    n: number of observations that the value rests on.
    groups: number of clusters among them.
    undefined: why there is no value.

    No field is ever NaN or infinite: ``ValueError`` is raised on construction.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    n: int
    groups: int
    undefined: str | None

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.undefined):
            raise ValueError("an estimate has either a value or a reason why it is undefined")
        if self.value is None and (self.se is not None or self.low is not None):
            raise ValueError("an undefined estimate has no uncertainty")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has both bounds or none")
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"confidence level must lie between 0 and 1, got {self.level!r}")
        if self.n < 0 or self.groups < 0:
            raise ValueError("counts can't be negative")
        for name in ("value", "se", "low", "high"):
            _require_finite(name, getattr(self, name))

    @property
    def is_defined(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def require(self) -> float:
        """Return the value; raise ``ValueError`` with the reason where it is undefined."""
        if self.value is None:
            raise ValueError(f"undefined: {self.undefined}")
        return self.value

    def clipped(self, lower: float, upper: float) -> Estimate:
        """Return the same estimate with its interval cut to the parameter space ``[lower, upper]``."""
        if self.low is None or self.high is None:
            return self
        return replace(self, low=min(max(self.low, lower), upper), high=min(max(self.high, lower), upper))


def undefined(
    reason: str, *, n: int = 0, groups: int = 0, level: float = 0.95, method: str = "none"
) -> Estimate:
    """Return the estimate of a statistic that does not exist for these data, with the reason why."""
    return Estimate(None, None, None, None, level, method, n, groups, reason)


def point(value: float, *, n: int, groups: int, level: float = 0.95, method: str = "none") -> Estimate:
    """Return an estimate that has a value and no interval."""
    return Estimate(float(value), None, None, None, level, method, n, groups, None)


def _require_finite(name: str, value: float | None) -> None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{name} of an estimate must be finite, got {value!r}")
