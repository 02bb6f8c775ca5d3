"""What all checks share. A check answers yes (1) or no (0) about an item by a fixed rule, and says why not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Column, Result, Score
from evalharness.core.text import one_line
from evalharness.metrics.reference import Row
from evalharness.metrics.signature import SURFACE_VERSION, signature


class Answer(NamedTuple):
    """The answer of a check; ``reason`` is shown with the score."""

    passed: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Check(ABC):
    """A rule that items keep or break: 1 or 0.

    ``name`` is its criterion. Of a whole dialogue the agent's own replies are looked at together, joined by line ends.
    ``must`` marks a check whose failing fails the item.
    """

    name: str
    unit: Unit = Unit.TURN
    must: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The one column, named like the check."""
        column = Column(
            scorer=self.name,
            criterion=self.name,
            unit=self.unit,
            signature=signature(*self.options, version=f"check-{SURFACE_VERSION}"),
            low=0.0,
            high=1.0,
            passes="==1",
            higher_is_better=True,
            must=self.must,
        )
        return (column,)

    @property
    @abstractmethod
    def options(self) -> tuple[tuple[str, object], ...]:
        """Everything the answer depends on, for the signature."""

    @abstractmethod
    def answer(self, item: Item) -> Answer | Result:
        """Whether the item keeps the rule."""

    def score_many(self, items: Sequence[Item]) -> list[Row]:
        """1 or 0 for each item, with the reason of a 0."""
        return [(_result(self.answer(item)),) for item in items]


def own_text(item: Item) -> str:
    """The reply; of a whole dialogue the agent's own replies, joined by line ends."""
    if item.turn is not None:
        return item.message.content
    return "\n".join(item.dialogue.messages[turn].content for turn in item.dialogue.assistant_turns())


def shown(text: str) -> str:
    """A text as it may stand in a reason: quoted, on one line, cut when long."""
    return f"“{one_line(text, 80)}”"


def _result(answer: Answer | Result) -> Result:
    if isinstance(answer, Answer):
        return Score(float(answer.passed), rationale=answer.reason or None)
    return answer
