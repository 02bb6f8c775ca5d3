"""The circuit breaker: stops sending to a provider that no longer answers, tries again now and then, and recovers.

closed → (``threshold`` failures in a row) → open for ``cooldown`` seconds → one probe: an answer closes it, a failure
opens it again for twice as long, up to ``longest`` seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from evalharness.llm.client import ProviderFault


@dataclass(slots=True)
class Breaker:
    """State of one lane's breaker; times are monotonic seconds given by the caller."""

    threshold: int = 10
    cooldown: float = 5.0
    longest: float = 60.0
    last_fault: ProviderFault | None = None
    _failures: int = field(default=0, init=False)
    _open_for: float = field(default=0.0, init=False)
    _open_until: float = field(default=0.0, init=False)
    _silent_since: float | None = field(default=None, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return self._open_for > 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent: 0 when it may, infinity while a probe is under way."""
        if not self.is_open:
            return 0.0
        return math.inf if self._probing else max(0.0, self._open_until - now)

    def silence(self, now: float) -> float:
        """Seconds since the failures in a row began while the breaker is open, else 0."""
        return now - self._silent_since if self.is_open and self._silent_since is not None else 0.0

    def admitted(self) -> bool:
        """Note that a request is sent; True when it is the probe."""
        if self.is_open:
            self._probing = True
        return self.is_open

    def succeeded(self) -> None:
        """The provider answered (also with a refusal of the request): close."""
        self._failures = 0
        self._open_for = 0.0
        self._silent_since = None
        self._probing = False

    def failed(self, fault: ProviderFault, now: float, *, probe: bool) -> None:
        """The provider did not answer as it should. Requests sent before the breaker opened don't prolong it."""
        self.last_fault = fault
        if self.is_open:
            if probe:
                self._open(now, min(self.longest, 2 * self._open_for))
            return
        if self._silent_since is None:
            self._silent_since = now
        self._failures += 1
        if self._failures >= self.threshold:
            self._open(now, self.cooldown)

    def abandoned(self, *, probe: bool) -> None:
        """A request ended without telling anything about the provider: another may probe."""
        if probe:
            self._probing = False

    def _open(self, now: float, seconds: float) -> None:
        self._open_for = seconds
        self._open_until = now + seconds
        self._probing = False
