"""Two items side by side: what a pairwise judge compares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalharness.core.dialogue import Item

OWN_ID = "pairwise_id"
"""The metadata key that holds a dialogue's own id: two systems' answers to a scenario often have the same one."""


class Order(StrEnum):
    """Which item of a pair the judge is shown first."""

    AB = "ab"
    BA = "ba"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items of one scenario, in the run's own order of systems; ``order`` says how they are shown.

    ``listed`` are the items of all systems that answer the scenario, in that order, for judges that rank them at once.
    """

    a: Item
    b: Item
    order: Order = Order.AB
    listed: tuple[Item, ...] = ()

    @property
    def shown(self) -> tuple[Item, Item]:
        """The items as the judge sees them: the first, then the second."""
        return (self.a, self.b) if self.order is Order.AB else (self.b, self.a)
