"""Where a dialogue went wrong: a judge of turns goes through the replies until each criterion has failed once.

The value is the number of the first reply that misses the criterion's pass rule (``reply N``, from 1), 0 where none
does. A reply that could not be judged before any failing one leaves the place unknown: a failure, not a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.rubric import Criterion, Overall, PassRule, Rubric, Scale
from evalharness.core.scores import Column, Evidence, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.judges.columns import TOY_NOTE, rubric_columns, with_overall
from evalharness.judges.interface import Ask, Judge, PlannedRequest
from evalharness.judges.steps import Shifted, all_needs, planned_requests
from evalharness.llm.client import Client

FIRST = "first_failure"
"""The criterion of the first reply that misses any rule; those of single criteria are ``first_failure.NAME``."""


@dataclass(frozen=True)
class Onset:
    """Finds first failing replies with a judge of turns; implements ``interface.Judge`` and ``Planned``."""

    name: str
    rubric: Rubric
    turns: Judge

    def __post_init__(self) -> None:
        if self.rubric.unit is not Unit.TURN:
            raise UsageError(
                f"{self.name} looks for the first failing reply; {self.rubric.name} judges {self.rubric.unit.value}s",
                fix="Use a rubric whose unit is turn.",
            )
        if all_needs([self.turns]):
            raise UsageError(
                f"{self.name}: {self.turns.name} builds on other scorers of a turn, which a walk does not have",
                fix="Use a judge that needs no other scorer.",
            )
        if not self.watched:
            raise UsageError(
                f"{self.name}: no criterion of {self.rubric.name} says what a failing reply is",
                fix='Give one a pass rule, e.g. `pass: ">=4"`, or a good answer.',
            )

    @property
    def watched(self) -> tuple[Criterion, ...]:
        """The criteria that say what a failing reply is: those with a pass rule or a good answer."""
        return tuple(c for c in self.rubric.criteria if c.passes is not None or c.good is not None)

    @property
    def unit(self) -> Unit:
        """Whole dialogues."""
        return Unit.DIALOGUE

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models of the judge of turns."""
        return self.turns.clients

    @cached_property
    def asked(self) -> Rubric:
        """The rubric that is answered: one number of a reply for all criteria together and for each."""
        criteria = [_place(FIRST, "any criterion")]
        if len(self.watched) > 1:
            criteria += [_place(f"{FIRST}.{c.id}", c.id) for c in self.watched]
        return Rubric(
            f"{FIRST} of {self.rubric.name}",
            self.rubric.version,
            Unit.DIALOGUE,
            self.rubric.about,
            tuple(criteria),
            Overall.ALL_PASS,
        )

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """``first_failure``, one per watched criterion where there are several, then ``_overall``: none failed."""
        rules = [[c.id, str(c.passes), c.good] for c in self.watched]
        protocol = {
            "judge": "first-failure",
            "turns": self.turns.name,
            "identity": content_hash([[column.signature for column in self.turns.columns], rules], 16),
            "protocol": "onset,walk",
        }
        notes = ["number of the first reply that fails, 0 where none does"]
        if any(TOY_NOTE in column.note for column in self.turns.columns):
            notes.append(TOY_NOTE)
        return rubric_columns(self.name, self.asked, protocol, note="; ".join(notes))

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column; stops at the reply at which every criterion has failed."""
        dialogue = item.dialogue
        walks = {c.id: _Walk(c) for c in self.watched}
        turns = dialogue.assistant_turns()
        fresh = Shifted(ask, 0)  # what was said of the dialogue before is nothing that a judge of turns said
        for turn in turns:
            if all(walk.ended for walk in walks.values()):
                break
            results = await self.turns.judge(Item(dialogue, turn), fresh)
            said = dict(zip((c.id for c in self.rubric.criteria), results, strict=False))
            for name, walk in walks.items():
                walk.take(turn, dialogue.reply_number(turn), said[name])
        if not turns:
            skip = Skip(SkipReason.NOTHING_TO_JUDGE, "the dialogue has no reply to judge")
            return with_overall(self.asked, {c.id: skip for c in self.asked.criteria})
        return with_overall(self.asked, self._results(list(walks.values())))

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The requests about all replies: the most that a dialogue can need."""
        items = [Item(item.dialogue, turn) for turn in item.dialogue.assistant_turns()]
        return tuple(planned for one in items for planned in planned_requests([self.turns], one, secret))

    def _results(self, walks: Sequence[_Walk]) -> dict[str, Result]:
        own = {f"{FIRST}.{walk.criterion.id}": walk.result() for walk in walks}
        if len(walks) == 1:
            return {FIRST: walks[0].result()}
        return {FIRST: _earliest(walks), **own}


@dataclass(slots=True)
class _Walk:
    """One criterion on its way through the replies."""

    criterion: Criterion
    found: tuple[int, int, Score] | None = None
    unknown: tuple[int, Failure] | None = None
    judged: int = 0
    skipped: int = 0
    values: list[Json] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether the first failing reply is found, or can't be found any more."""
        return self.found is not None or self.unknown is not None

    def take(self, turn: int, number: int, result: Result) -> None:
        if self.ended:
            return
        match result:
            case Score(value=value):
                self.judged += 1
                self.values.append(value)
                if self.criterion.passed(value) is False:
                    self.found = (turn, number, result)
            case Failure():
                self.unknown = (number, result)
            case Skip():
                self.skipped += 1
                self.values.append(None)

    def result(self) -> Result:
        """The number of the failing reply, 0 for none; a failure where a reply before it could not be judged."""
        facts: dict[str, Json] = {"values": self.values}
        if self.unknown is not None:
            number, failure = self.unknown
            return Failure(failure.cause, f"reply {number}: {failure.detail}", failure.raw, extra=facts)
        if self.found is not None:
            return _score(self.found, self.criterion, facts)
        if not self.judged:
            return Skip(SkipReason.CANNOT_ASSESS, "no reply could be assessed")
        return Score(0.0, extra=facts)


def _earliest(walks: Sequence[_Walk]) -> Result:
    """The first reply that fails any criterion, as long as no other was unknown before it."""
    found = min((w for w in walks if w.found is not None), key=_place_of, default=None)
    unknown = min((w for w in walks if w.unknown is not None), key=_unknown_at, default=None)
    if unknown is not None and (found is None or _unknown_at(unknown) < _place_of(found)):
        return unknown.result()
    if found is not None and found.found is not None:
        return _score(found.found, found.criterion, {"criterion": found.criterion.id})
    results = [walk.result() for walk in walks]
    return next((r for r in results if isinstance(r, Score)), results[0])


def _place_of(walk: _Walk) -> int:
    return 0 if walk.found is None else walk.found[1]


def _unknown_at(walk: _Walk) -> int:
    return 0 if walk.unknown is None else walk.unknown[0]


def _score(found: tuple[int, int, Score], criterion: Criterion, facts: dict[str, Json]) -> Score:
    turn, number, score = found
    said = f": {score.rationale}" if score.rationale else ""
    value = score.value if isinstance(score.value, str) else f"{score.value:g}"
    return replace(
        score,
        value=float(number),
        probabilities=None,
        samples=(),
        rationale=f"reply {number} [M{turn}], {criterion.id} {value}{said}",
        evidence=score.evidence or (Evidence(turn, "", True),),
        extra={**facts, "turn": turn},
    )


def _place(name: str, what: str) -> Criterion:
    return Criterion(
        name,
        f"The number of the first reply that fails {what}; 0 where none does.",
        Scale.NUMERIC,
        minimum=0.0,
        passes=PassRule("<=", 0.0),
        higher_is_better=None,
        weight=0.0,
    )
