"""How long to wait before the next attempt: exponential, with full jitter.

delay_n ~ Uniform(0, min(cap, base * factor^(n-1))) after the n-th failure. Full jitter spreads clients that failed
together better than a fixed delay with a little noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times in seconds; ``random`` is injected so that tests can repeat them."""

    base: float = 0.5
    factor: float = 2.0
    cap: float = 30.0
    random: Random = field(default_factory=Random, compare=False)

    def ceiling(self, failures: int) -> float:
        """The longest wait after that many failures (1 or more)."""
        exponent = min(max(failures, 1) - 1, 64)
        return min(self.cap, self.base * self.factor**exponent)

    def delay(self, failures: int) -> float:
        """A wait drawn for that many failures."""
        return self.random.uniform(0.0, self.ceiling(failures))
