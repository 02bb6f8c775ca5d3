"""What a gate may know besides the two runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalharness.gate.confirming import Again, SeriesKey
from evalharness.gate.types import Ruler, State


@dataclass(frozen=True, slots=True)
class Evidence:
    """Verdicts that were asked for the gate's sake: on failures that need confirmation, and on anchors.

    ``unread`` says why anchors that the policy names could not be judged. ``unbridged`` are columns measured otherwise
    than in the baseline, and how, whose bridge could not be judged.
    """

    again: Again = field(default_factory=Again)
    rulers: Mapping[SeriesKey, Ruler] = field(default_factory=dict)
    unread: str = ""
    unbridged: Mapping[SeriesKey, str] = field(default_factory=dict)

    def moved(self, key: SeriesKey) -> Ruler | None:
        """The ruler of a column, where it is another one than it was and nobody changed it."""
        ruler = self.rulers.get(key)
        return ruler if ruler is not None and not ruler.is_bridge and ruler.state is State.MOVED else None

    def bridge(self, key: SeriesKey) -> Ruler | None:
        """What joins the baseline's instrument with the run's, where they differ."""
        ruler = self.rulers.get(key)
        return ruler if ruler is not None and ruler.is_bridge else None


NOTHING = Evidence()
"""The two runs alone."""
