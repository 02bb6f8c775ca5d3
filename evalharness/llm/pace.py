"""Budgets per minute and the adaptive limit of requests in flight."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """A budget of units (requests, tokens) per minute, spread evenly.

    The generic cell rate algorithm: every unit moves the time at which the budget is level again; a request may start
    while that time lies within ``burst`` seconds. Any single request may exceed the burst, and is waited for
    afterwards, so that large requests can't be starved.
    """

    per_minute: float
    burst: float = 1.0
    _level_at: float = field(default=0.0, init=False)

    def wait(self, now: float) -> float:
        """Seconds until the next request may start."""
        return max(0.0, self._level_at - now - self.burst)

    def charge(self, units: float, now: float) -> None:
        """Take units from the budget; a negative number gives an overestimate back."""
        self._level_at = max(self._level_at, now) + units * 60.0 / self.per_minute


@dataclass(slots=True)
class AdaptiveLimit:
    """How many requests may be in flight: halved when the provider is over its limits, and climbing back.

    Additive increase (``climb`` more per ``limit`` answers), multiplicative decrease. A burst of refusals of requests
    that were sent together counts once: only one sent after the last cut may cut again.
    """

    ceiling: int
    cut: float = 0.5
    climb: float = 4.0
    value: float = field(default=0.0, init=False)
    _cut_at: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        self.value = float(self.ceiling)

    def answered(self) -> None:
        """A request was answered: climb."""
        if self.value < self.ceiling:
            self.value = min(float(self.ceiling), self.value + self.climb / self.value)

    def refused(self, number: int, sent: int) -> None:
        """Request ``number`` was refused for load while ``sent`` had been sent in all: fall."""
        if number > self._cut_at:
            self.value = max(1.0, self.value * self.cut)
            self._cut_at = sent
