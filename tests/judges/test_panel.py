"""Judges made of judges as the engine sees them: what they need of other scorers, and their clients."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from evalharness.core.dialogue import Item, Unit
from evalharness.core.fitted import ScoreInput
from evalharness.core.rubric import Rubric
from evalharness.core.scores import Column, Result, Score
from evalharness.engine.plan import needs_of
from evalharness.errors import UsageError
from evalharness.judges.cascade import Cascade, Thresholds
from evalharness.judges.columns import rubric_columns
from evalharness.judges.interface import Ask
from evalharness.judges.onset import Onset
from evalharness.judges.panel import Panel
from evalharness.llm.client import Client
from tests.judges.fakes import FakeClient, ordinal, rubric

RUBRIC = rubric(ordinal())
NEED = ScoreInput("words", "", "words", "version:1")


@dataclass(frozen=True)
class Building:
    """A judge that builds on another scorer."""

    name: str
    rubric: Rubric = RUBRIC
    needs: tuple[ScoreInput, ...] = (NEED,)
    clients: tuple[Client, ...] = field(default=())
    unit: Unit = Unit.TURN

    @property
    def columns(self) -> tuple[Column, ...]:
        return rubric_columns(self.name, self.rubric, {"judge": self.name})

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        return (Score(1.0), Score(0.0))


def test_a_judge_made_of_judges_needs_what_its_parts_need():
    alone = Building("alone", needs=())
    assert needs_of(Panel("p", RUBRIC, (Building("a"), Building("b"), alone))) == (NEED,)
    assert needs_of(Panel("p", RUBRIC, (alone, Building("other", needs=())))) == ()
    assert needs_of(Cascade("c", RUBRIC, (alone, Building("a")), (Thresholds({}, 0.5),))) == (NEED,)


def test_a_walk_through_turns_has_no_values_of_other_scorers():
    with pytest.raises(UsageError, match="builds on other scorers"):
        Onset("o", rubric(ordinal(passes=None, good="5")), Building("a"))


def test_a_client_that_two_members_share_is_closed_and_counted_once():
    client = FakeClient([])
    members = (Building("a", clients=(client,)), Building("b", rubric=RUBRIC, clients=(client,)))
    assert Panel("p", RUBRIC, members).clients == (client,)
