"""A panel that compares pairs: members vote with the preference that they keep when the order is turned round.

Every member is asked in both orders. One that says the same both times votes for it; one whose verdict follows the
order votes ``split``, so that opposite leanings to a place can't add up to a preference. The commonest vote is the
panel's; where two lead the panel prefers neither, a tie.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalharness.core.canonical import Json
from evalharness.core.pairs import Order, Pair
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason, Value
from evalharness.errors import UsageError
from evalharness.judges.interface import Ask, PlannedRequest
from evalharness.judges.pairwise import PairJudge
from evalharness.judges.panel import check_members, needed, panel_columns
from evalharness.judges.preference import TIE, with_order
from evalharness.judges.steps import Stepped, is_complete, said_before, unique_clients
from evalharness.judges.votes import MEMBERS, Combine, combine_votes, disagreement, members_of
from evalharness.llm.client import Client

SPLIT = "split"
"""The vote of a member whose verdict follows the order."""
PREFERENCES = "preferences"
"""Under this name the facts of a verdict hold each member's vote on the pair; a cause where it has none."""


@dataclass(frozen=True)
class PairPanel:
    """Judges of pairs that vote; implements ``pairwise.PairJudge``.

    ``quorum``: how many members must have a verdict in both orders; None for more than half.
    """

    name: str
    rubric: Rubric
    members: tuple[PairJudge, ...]
    quorum: int | None = None

    def __post_init__(self) -> None:
        check_members(self.name, self.members, self.quorum)
        for member in self.members:
            if isinstance(member, PairPanel):
                raise UsageError(
                    f"{self.name}: {member.name} is a panel, whose votes are counted when both orders are known",
                    fix=f"Name the members of {member.name} instead.",
                )

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models of all members."""
        return unique_clients(self.members)

    @property
    def needed(self) -> int:
        """How many members must have a verdict."""
        return needed(self.members, self.quorum)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion; signed with every member's signatures."""
        return panel_columns(
            self.name,
            self.rubric,
            self.members,
            f"pairwise,panel,quorum={self.needed}",
            "each member voting with what it says in both orders",
        )[:-1]

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:
        """What the members say in this order, by simple majority; :meth:`settled` counts when both are known."""
        before = said_before(ask, [member.name for member in self.members], len(self.rubric.criteria))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_said(member, pair, ask, before.get(member.name, ())))
                for member in self.members
            ]
        answers = [task.result() for task in tasks]
        return tuple(
            with_order(
                combine_votes(
                    criterion,
                    {m.name: answer[place] for m, answer in zip(self.members, answers, strict=True)},
                    Combine.MAJORITY,
                    self.needed,
                ),
                pair.order,
            )
            for place, criterion in enumerate(self.rubric.criteria)
        )

    def requests(self, pair: Pair, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests of every member that can say."""
        planners = [getattr(member, "requests", None) for member in self.members]
        return tuple(one for plan in planners if plan is not None for one in plan(pair, secret))

    def settled(self, found: Mapping[Order, tuple[Result, ...]]) -> dict[Order, tuple[Result, ...]]:
        """The results of a pair with the members' votes counted; as they are while an order is missing."""
        if len(found) < len(Order):
            return dict(found)
        by_place = [
            self._together(criterion, {order: found[order][place] for order in Order})
            for place, criterion in enumerate(self.rubric.criteria)
        ]
        return {order: tuple(results[order] for results in by_place) for order in Order}

    def _together(self, criterion: Criterion, found: Mapping[Order, Result]) -> dict[Order, Result]:
        members = {order: members_of(result) for order, result in found.items()}
        ab, ba = members[Order.AB], members[Order.BA]
        if ab is None or ba is None:
            return dict(found)
        votes = {name: _vote(ab[name], ba[name]) for name in ab}
        known = {name: vote for name, vote in votes.items() if isinstance(vote, str)}
        facts = _facts(votes, known)
        if len(known) < self.needed:
            return {order: self._without_quorum(votes, known, found[order], facts) for order in Order}
        leading = statistics.multimode(known.values())
        if len(leading) > 1:
            facts["note"] = f"no vote leads: {', '.join(leading)}"
            if not criterion.accepts(TIE):
                told = f"the members' votes are tied ({', '.join(leading)}), and the rubric knows no tie"
                return {
                    order: Failure(Cause.TWO_VERDICTS, told, extra=_with(facts, found[order]))
                    for order in Order
                }
        vote = leading[0] if len(leading) == 1 else TIE
        values = _leaning(ab, ba, known) if vote == SPLIT else dict.fromkeys(Order, vote)
        return {
            order: _score(values[order], order, members[order] or {}, _with(facts, found[order]))
            for order in Order
        }

    def _without_quorum(
        self,
        votes: Mapping[str, str | Failure | Skip],
        known: Mapping[str, str],
        result: Result,
        facts: Mapping[str, Json],
    ) -> Result:
        failures = {name: vote for name, vote in votes.items() if isinstance(vote, Failure)}
        if not failures:
            return Skip(
                SkipReason.CANNOT_ASSESS,
                f"{len(known)} of {len(votes)} members have a verdict in both orders",
            )
        cause = Counter(failure.cause for failure in failures.values()).most_common(1)[0][0]
        name, first = next((name, f) for name, f in failures.items() if f.cause is cause)
        detail = (
            f"{len(known)} of {len(votes)} members have a verdict in both orders; "
            f"{name}: {first.detail or cause.value}"
        )
        return Failure(cause, detail, first.raw, extra=_with(facts, result))


async def _said(member: PairJudge, pair: Pair, ask: Ask, before: Sequence[Result]) -> Sequence[Result]:
    if is_complete(before):
        return before
    return await member.judge(pair, Stepped(ask, member.name, before))


def _vote(ab: Result, ba: Result) -> str | Failure | Skip:
    """What a member prefers in both orders, ``split`` where that follows the order; why it has no vote."""
    if isinstance(ab, Score) and isinstance(ba, Score):
        return str(ab.value) if ab.value == ba.value else SPLIT
    lacking = [result for result in (ab, ba) if not isinstance(result, Score)]
    return next((result for result in lacking if isinstance(result, Failure)), lacking[0])


def _facts(votes: Mapping[str, str | Failure | Skip], known: Mapping[str, str]) -> dict[str, Json]:
    told: dict[str, Json] = {
        name: vote if isinstance(vote, str) else vote.cause.value if isinstance(vote, Failure) else "skipped"
        for name, vote in votes.items()
    }
    facts: dict[str, Json] = {PREFERENCES: told}
    apart = disagreement(None, None, list(known.values()))
    if apart is not None:
        facts["disagreement"] = round(apart, 6)
    missing = sum(isinstance(vote, Failure) for vote in votes.values())
    if missing:
        facts["warning"] = f"{missing} of {len(votes)} members without a verdict in both orders"
    return facts


def _with(facts: Mapping[str, Json], result: Result) -> dict[str, Json]:
    """The facts of the pair, and what every member said in this order."""
    said = None if isinstance(result, Skip) or result.extra is None else result.extra.get(MEMBERS)
    return {**facts, MEMBERS: said}


def _leaning(
    ab: Mapping[str, Result], ba: Mapping[str, Result], known: Mapping[str, str]
) -> dict[Order, Value]:
    """What most of the members that split said in each order."""
    both = [(ab[name], ba[name]) for name, vote in known.items() if vote == SPLIT]
    said = [(x.value, y.value) for x, y in both if isinstance(x, Score) and isinstance(y, Score)]
    first, second = Counter(said).most_common(1)[0][0]
    return {Order.AB: first, Order.BA: second}


def _score(value: Value, order: Order, members: Mapping[str, Result], facts: dict[str, Json]) -> Score:
    """The panel's verdict in an order, in the words of the first member that gives it there."""
    speaker = next(
        ((n, r) for n, r in members.items() if isinstance(r, Score) and r.value == value and r.rationale),
        None,
    )
    return Score(
        value,
        rationale=None if speaker is None else f"[{speaker[0]}] {speaker[1].rationale}",
        extra={**facts, "order": order.value},
    )
