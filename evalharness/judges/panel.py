"""A panel: several judges answer the same rubric about the same item, and their verdicts are combined.

Every member's verdict is kept, and how far they differ is stated with each score. A member that fails is missing in the
open: the panel has a verdict while a quorum has, and says who is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalharness.core.canonical import content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.fitted import ScoreInput
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.core.scores import Column, Result, Score, Value
from evalharness.errors import UsageError
from evalharness.judges.columns import TOY_NOTE, rubric_columns, with_overall
from evalharness.judges.interface import Ask, Judge, PlannedRequest
from evalharness.judges.opinion import Opinion, by_agreement, by_dawid_skene
from evalharness.judges.steps import (
    Member,
    Stepped,
    all_needs,
    is_complete,
    planned_requests,
    said_before,
    unique_clients,
)
from evalharness.judges.votes import Combine, combine_votes, level_of, members_of
from evalharness.llm.client import Client
from evalharness.stats.dawid_skene import MIN_RATERS


@dataclass(frozen=True)
class Panel:
    """Judges that answer together; implements ``interface.Judge``, ``Planned`` and ``Settled``.

    ``quorum``: how many members must have a verdict; None for more than half.
    """

    name: str
    rubric: Rubric
    members: tuple[Judge, ...]
    combine: Combine = Combine.MEAN
    quorum: int | None = None

    def __post_init__(self) -> None:
        check_members(self.name, self.members, self.quorum)
        if self.combine is Combine.DAWID_SKENE:
            self._check_classes()

    @property
    def unit(self) -> Unit:
        """The unit of the rubric."""
        return self.rubric.unit

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models of all members."""
        return unique_clients(self.members)

    @property
    def needs(self) -> tuple[ScoreInput, ...]:
        """The other scorers that any member builds on."""
        return all_needs(self.members)

    @property
    def needed(self) -> int:
        """How many members must have a verdict."""
        return needed(self.members, self.quorum)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with every member's signatures."""
        return panel_columns(
            self.name,
            self.rubric,
            self.members,
            f"panel,{self.combine.value},quorum={self.needed}",
            f"combined by {self.combine.value}",
        )

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column; the members are asked side by side, those with an earlier verdict not again."""
        before = said_before(ask, [member.name for member in self.members], len(self.rubric.criteria))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_said(member, item, ask, before.get(member.name, ())))
                for member in self.members
            ]
        answers = [task.result() for task in tasks]
        votes = {
            criterion.id: {m.name: answer[place] for m, answer in zip(self.members, answers, strict=True)}
            for place, criterion in enumerate(self.rubric.criteria)
        }
        return self._together(votes, {})

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests of every member."""
        return planned_requests(self.members, item, secret)

    @property
    def needs_all_items(self) -> bool:
        """Whether verdicts are settled only when all items are judged."""
        return self.combine.needs_all_items

    def learn(self, rows: Iterable[Sequence[Result]]) -> Mapping[str, Opinion]:
        """What the verdicts of all items say of the members, by criterion."""
        tables: dict[str, list[list[float | None]]] = {c.id: [] for c in self.rubric.criteria}
        for row in rows:
            for criterion, result in zip(self.rubric.criteria, row, strict=False):
                votes = members_of(result)
                if votes is not None:
                    tables[criterion.id].append(
                        [self._number(criterion, votes.get(m.name)) for m in self.members]
                    )
        return {
            criterion.id: self._opinion(criterion, tables[criterion.id]) for criterion in self.rubric.criteria
        }

    def settled(self, results: Sequence[Result], learned: Mapping[str, Opinion]) -> tuple[Result, ...]:
        """The results of an item again, with the members counted as was learned."""
        votes: dict[str, Mapping[str, Result] | Result] = {}
        for criterion, result in zip(self.rubric.criteria, results, strict=False):
            votes[criterion.id] = members_of(result) or result
        return self._together(votes, learned)

    def _together(
        self, votes: Mapping[str, Mapping[str, Result] | Result], learned: Mapping[str, Opinion]
    ) -> tuple[Result, ...]:
        results: dict[str, Result] = {}
        for criterion in self.rubric.criteria:
            said = votes[criterion.id]
            results[criterion.id] = (
                combine_votes(criterion, said, self.combine, self.needed, learned.get(criterion.id))
                if isinstance(said, Mapping)
                else said
            )
        return with_overall(self.rubric, results)

    def _opinion(self, criterion: Criterion, table: Sequence[Sequence[float | None]]) -> Opinion:
        names = [member.name for member in self.members]
        if self.combine is Combine.DAWID_SKENE:
            return by_dawid_skene(names, table, len(criterion.labels))
        return by_agreement(names, table, len(criterion.labels) if criterion.scale is Scale.NOMINAL else None)

    def _number(self, criterion: Criterion, result: Result | None) -> float | None:
        """A verdict as a number of the scale, or as the code of its level where levels are counted."""
        if not isinstance(result, Score):
            return None
        value: Value = result.value
        if self.combine is Combine.DAWID_SKENE or criterion.scale is Scale.NOMINAL:
            return float(criterion.labels.index(level_of(criterion, value)))
        return None if isinstance(value, str) else value

    def _check_classes(self) -> None:
        if len(self.members) < MIN_RATERS:
            raise UsageError(
                f"{self.name}: Dawid-Skene needs {MIN_RATERS} members or more, there are {len(self.members)}",
                fix="Add a member, or combine by mean, median or majority.",
            )
        for criterion in self.rubric.criteria:
            if criterion.scale is Scale.NUMERIC:
                raise UsageError(
                    f"{self.name}: Dawid-Skene needs levels; {criterion.id} of {self.rubric.name} is numeric",
                    fix="Combine by mean, median or weighted.",
                )


async def _said(member: Judge, item: Item, ask: Ask, before: Sequence[Result]) -> Sequence[Result]:
    if is_complete(before):
        return before
    return await member.judge(item, Stepped(ask, member.name, before))


def panel_columns(
    name: str, rubric: Rubric, members: Sequence[Member], protocol: str, how: str
) -> tuple[Column, ...]:
    """The columns of a panel, signed with every member's signatures; ``how`` tells how it decides."""
    signatures = [[column.signature for column in member.columns] for member in members]
    parts = {
        "judge": "panel",
        "members": ",".join(member.name for member in members),
        "identity": content_hash([list(group) for group in signatures], 16),
        "protocol": protocol,
    }
    note = f"a panel of {len(members)}, {how}"
    if any(TOY_NOTE in column.note for member in members for column in member.columns):
        note = f"{note}; {TOY_NOTE}"
    return rubric_columns(name, rubric, parts, note=note)


def needed(members: Sequence[Member], quorum: int | None) -> int:
    """How many members must have a verdict: the quorum, or more than half."""
    return len(members) // 2 + 1 if quorum is None else quorum


def check_members(name: str, members: Sequence[Member], quorum: int | None) -> None:
    """Two members or more, none of them twice, and a quorum that they can reach; else a UsageError."""
    if quorum is not None and not 1 <= quorum <= len(members):
        raise UsageError(
            f"{name} has {len(members)} members; its quorum is {quorum}",
            fix=f"Write a quorum from 1 to {len(members)}.",
        )
    if len(members) < 2:
        raise UsageError(f"{name} is a panel of {len(members)}", fix="Name two judges or more.")
    named: dict[str, Member] = {}
    signed: dict[tuple[str, ...], str] = {}
    for member in members:
        if member.name in named:
            raise UsageError(
                f"{name}: {member.name!r} is a member twice", fix="Ask one judge several times with samples."
            )
        named[member.name] = member
        if not member.clients:
            continue
        signature = tuple(column.signature for column in member.columns)
        other = signed.setdefault(signature, member.name)
        if other != member.name:
            raise UsageError(
                f"{name}: {other!r} and {member.name!r} are the same judge: their verdicts would be one verdict twice",
                fix="Ask one judge several times with samples.",
            )
