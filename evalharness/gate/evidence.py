"""What a gate may know besides the two runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalharness.gate.confirming import Again


@dataclass(frozen=True, slots=True)
class Evidence:
    """Verdicts that were asked for the gate's sake: on failures that need confirmation."""

    again: Again = field(default_factory=Again)


NOTHING = Evidence()
"""The two runs alone."""
