"""What a gate may know besides the two runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from evalharness.gate.confirming import Again, SeriesKey
from evalharness.gate.debiasing import RunLabels
from evalharness.gate.types import Ruler, State


@dataclass(frozen=True, slots=True)
class Evidence:
    """Verdicts that were asked for the gate's sake: on failures that need confirmation, and on anchors.

    ``unread`` says why anchors that the policy names could not be judged. ``unbridged`` are columns measured otherwise
    than in the baseline, and how, whose bridge could not be judged. ``labels`` of humans debias the columns that have
    some; ``calibrated`` columns hold calibrated scores, each with what is to be said of that. ``instruments`` are the
    columns that the runs measured differently, and how.
    """

    again: Again = field(default_factory=Again)
    rulers: Mapping[SeriesKey, Ruler] = field(default_factory=dict)
    unread: str = ""
    unbridged: Mapping[SeriesKey, str] = field(default_factory=dict)
    labels: Mapping[SeriesKey, RunLabels] = field(default_factory=dict)
    calibrated: Mapping[SeriesKey, str] = field(default_factory=dict)
    instruments: Mapping[SeriesKey, str] = field(default_factory=dict)

    @property
    def changed(self) -> Collection[SeriesKey]:
        """The columns that both runs have by different instruments."""
        return self.instruments.keys()

    def moved(self, key: SeriesKey) -> Ruler | None:
        """The ruler of a column, where it is another one than it was and nobody changed it."""
        ruler = self.rulers.get(key)
        if ruler is None or key in self.labels:  # labels on both runs tell what the judge gets wrong in each
            return None
        return ruler if not ruler.is_bridge and ruler.state is State.MOVED else None

    def bridge(self, key: SeriesKey) -> Ruler | None:
        """What joins the baseline's instrument with the run's, where they differ."""
        ruler = self.rulers.get(key)
        return ruler if ruler is not None and ruler.is_bridge and key not in self.labels else None


NOTHING = Evidence()
"""The two runs alone."""
