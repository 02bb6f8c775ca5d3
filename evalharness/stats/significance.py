"""The result type of every significance test, and the tail arithmetic that the tests share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtr, stdtr

Alternative = Literal["two-sided", "less", "greater"]


@dataclass(frozen=True, slots=True)
class Significance:
    """The outcome of one significance test.

    p: the p-value; 0 only where it is below the smallest float; ``None`` exactly when ``undefined`` gives a reason.
    statistic: the observed test statistic in the units that ``method`` names; may be ``None``.
    method: the test, with degrees of freedom or number of draws.
    n: number of observations.
    groups: number of independent units (clusters) among them.
    undefined: why there is no p-value.
    """

    p: float | None
    statistic: float | None
    method: str
    n: int
    groups: int
    undefined: str | None = None

    def __post_init__(self) -> None:
        if (self.p is None) != bool(self.undefined):
            raise ValueError("a test has either a p-value or a reason why it is undefined")
        if self.p is not None and not 0.0 <= self.p <= 1.0:
            raise ValueError(f"a p-value lies between 0 and 1, got {self.p!r}")
        if self.statistic is not None and not math.isfinite(self.statistic):
            raise ValueError(f"a test statistic must be finite, got {self.statistic!r}")

    @property
    def is_defined(self) -> bool:
        """Whether there is a p-value."""
        return self.p is not None

    def require(self) -> float:
        """Return the p-value; raise ``ValueError`` with the reason where it is undefined."""
        if self.p is None:
            raise ValueError(f"undefined: {self.undefined}")
        return self.p


def untestable(reason: str, *, method: str, n: int, groups: int) -> Significance:
    """Return the outcome of a test that these data can't answer, with the reason why."""
    return Significance(None, None, method, n, groups, reason)


def normal_p(z: float, alternative: Alternative) -> float:
    """Return the p-value of a standard normal statistic ``z``."""
    if alternative == "less":
        return float(ndtr(z))
    if alternative == "greater":
        return float(ndtr(-z))
    return min(1.0, 2.0 * float(ndtr(-abs(z))))


def student_p(t: float, df: float, alternative: Alternative) -> float:
    """Return the p-value of a Student statistic ``t`` with ``df`` degrees of freedom."""
    if alternative == "less":
        return float(stdtr(df, t))
    if alternative == "greater":
        return float(stdtr(df, -t))
    return min(1.0, 2.0 * float(stdtr(df, -abs(t))))
