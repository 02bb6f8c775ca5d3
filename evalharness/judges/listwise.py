"""Listwise judging: all systems' answers to a scenario are ranked at once, in the run's order and in its reverse.

A ranking gives a verdict on every pair in it. In the reversed list every pair stands the other way round, so both
orders of all pairs cost two requests. Rankings feed the same figures as verdicts on pairs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item
from evalharness.core.pairs import Order, Pair
from evalharness.core.rubric import Criterion, Need, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.errors import UsageError
from evalharness.judges.aggregate import RAW_LIMIT, Reading, combine_samples, failed_reading
from evalharness.judges.answers import TooManyError, Unreadable, Verdict, clean
from evalharness.judges.columns import model_parts, rubric_columns, sampling_text
from evalharness.judges.interface import Ask
from evalharness.judges.options import JudgeOptions
from evalharness.judges.preference import TIE, A, B, check_pair_rubric, pair_skip, with_order
from evalharness.judges.prompt import listed
from evalharness.judges.schema import answer_keys
from evalharness.judges.templating import fill, templates_hash
from evalharness.judges.transcript import MARKER_DIGITS, fence, shared_text, whole
from evalharness.judges.verdict import Shown, unusable_reply
from evalharness.judges.verdict_json import JsonReply, json_objects, member_text
from evalharness.llm.client import Client, Finish, ProviderFault, Reply, Request

MOST_LISTED = 6
"""More answers than this are not ranked at once: judges lose track of them."""
_TOKENS = 2048
_KEPT = 256
"""Lists whose replies are held for their other pairs, which come next to each other."""


@dataclass(frozen=True)
class Listwise:
    """A judge that ranks all answers to a scenario; implements ``pairwise.PairJudge`` on pairs that know their list."""

    name: str
    rubric: Rubric
    client: Client
    options: JudgeOptions = field(default_factory=JudgeOptions)
    _asked: dict[tuple[str, int], asyncio.Task[Reply]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_pair_rubric(self.rubric, self.name)
        traits = self.client.capabilities
        if traits.one_criterion_at_a_time or traits.decides:
            raise UsageError(f"{self.name} can't write down a ranking", fix="Leave out --listwise.")

    @property
    def clients(self) -> tuple[Client, ...]:
        """The one model that is asked."""
        return (self.client,)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion."""
        protocol = {
            **model_parts(self.client),
            "prompt": content_hash(templates_hash("list_"), 16),
            "protocol": f"listwise,n={self.options.samples}",
            "sampling": sampling_text(self.options.sampling),
        }
        return rubric_columns(self.name, self.rubric, protocol)[:-1]

    async def judge(self, pair: Pair, ask: Ask) -> tuple[Result, ...]:
        """One result per criterion: what the ranking of the whole list says of this pair."""
        skips = {criterion.id: pair_skip(pair, criterion) for criterion in self.rubric.criteria}
        asked = [criterion for criterion in self.rubric.criteria if skips[criterion.id] is None]
        results: dict[str, Result] = {name: skip for name, skip in skips.items() if skip is not None}
        if asked:
            results.update(await self._ranked(pair, asked, ask))
        return tuple(results[criterion.id] for criterion in self.rubric.criteria)

    async def _ranked(self, pair: Pair, asked: Sequence[Criterion], ask: Ask) -> dict[str, Result]:
        items = pair.listed if pair.order is Order.AB else tuple(reversed(pair.listed))
        request = self._request(items, asked, ask.secret)
        limit = self.client.capabilities.context_tokens
        needed = self.client.count_tokens(request.system + request.shared + request.ask) + request.max_tokens
        if limit is not None and needed > limit:
            failure = Failure(Cause.TOO_LONG, f"about {needed:,} tokens; the model reads {limit:,}")
            return dict.fromkeys([criterion.id for criterion in asked], failure)
        places = items.index(pair.a), items.index(pair.b)
        samples: dict[str, list[Reading]] = {criterion.id: [] for criterion in asked}
        for sample in range(self.options.samples):
            readings = await self._sample(request, asked, ask, sample, places, len(items))
            for criterion in asked:
                samples[criterion.id].append(readings[criterion.id])
        extra: dict[str, Json] = {"listed": len(items)}
        return {c.id: with_order(combine_samples(c, samples[c.id], extra), pair.order) for c in asked}

    async def _sample(
        self,
        request: Request,
        asked: Sequence[Criterion],
        ask: Ask,
        sample: int,
        places: tuple[int, int],
        count: int,
    ) -> dict[str, Reading]:
        try:
            reply = await self._once(request, ask, sample)
        except ProviderFault as fault:
            return {criterion.id: failed_reading(fault.cause, fault.detail) for criterion in asked}
        readings = read_ranking(reply, request, asked, places, count)
        if not any(isinstance(reading.answer, Unreadable) for reading in readings.values()):
            ask.keep(self.client, request, reply, sample=sample)
        return readings

    async def _once(self, request: Request, ask: Ask, sample: int) -> Reply:
        """The reply about a list; the other pairs of the list wait for the same one, and ask for themselves if it
        fails."""
        key = request.content_hash(), sample
        task = self._asked.get(key)
        if task is not None:
            try:
                return await asyncio.shield(task)
            except ProviderFault:
                return await ask(self.client, request, sample=sample)
        task = asyncio.ensure_future(_asking(self.client, request, ask, sample))
        self._asked[key] = task
        if len(self._asked) > _KEPT:
            del self._asked[next(iter(self._asked))]
        try:
            return await asyncio.shield(task)
        except ProviderFault:
            self._asked.pop(key, None)
            raise

    def _request(self, items: Sequence[Item], asked: Sequence[Criterion], secret: bytes) -> Request:
        marker = fence(secret, "\0".join(sorted(item.dialogue.id for item in items)))
        references = any(Need.REFERENCES in criterion.needs for criterion in asked)
        keys = answer_keys(asked)
        count = str(len(items))
        unit = "whole dialogue" if items[0].turn is None else "reply"
        return Request(
            system=fill(
                "list_system",
                {
                    "count": count,
                    "unit": unit,
                    "digits": str(MARKER_DIGITS),
                    "about": self.rubric.about,
                    "questions": "\n\n".join(f"## {keys[c.id]}\n{c.question}" for c in asked),
                },
            ),
            shared="".join(
                f"assistant {number} #{marker}\n{shared_text(item, marker, whole(item), references=references)}"
                for number, item in enumerate(items, 1)
            ),
            ask=fill(
                "list_ask",
                {
                    "count": count,
                    "what": "the whole dialogue" if items[0].turn is None else "the last reply",
                    "fence": marker,
                    "ids": listed([f'"{key}"' for key in keys.values()], "and"),
                },
            ),
            fence=marker,
            schema=ranking_schema(asked, len(items)),
            max_tokens=self.options.max_tokens or _TOKENS,
            sampling=self.options.sampling,
        )


async def _asking(client: Client, request: Request, ask: Ask, sample: int) -> Reply:
    return await ask(client, request, sample=sample)


def ranking_schema(criteria: Sequence[Criterion], count: int) -> dict[str, Json]:
    """One object with a member per criterion: a rationale, then the rank of each of ``count`` assistants."""
    rank: dict[str, Json] = {"type": "integer", "enum": list(range(1, count + 1))}
    ranks = _object({str(number): rank for number in range(1, count + 1)})
    member = _object({"rationale": {"type": "string"}, "ranks": ranks})
    return _object(dict.fromkeys(answer_keys(criteria).values(), member))


def read_ranking(
    reply: Reply, request: Request, criteria: Sequence[Criterion], places: tuple[int, int], count: int
) -> dict[str, Reading]:
    """What a ranking says of the assistants at two places (from 0): the first one's side is ``a``."""
    finish = Finish.REFUSAL if reply.refusal and not reply.text.strip() else reply.finish
    return read_ranks(reply.text, Shown(request.shared), criteria, places, count, finish=finish)


def read_ranks(
    text: str,
    shown: Shown,
    criteria: Sequence[Criterion],
    places: tuple[int, int],
    count: int,
    *,
    finish: Finish = Finish.STOP,
) -> dict[str, Reading]:
    """The same from the text of an answer, live or recorded, and what the judge was shown."""
    unusable = unusable_reply(finish, text)
    try:
        objects = () if unusable is not None else json_objects(text)
    except TooManyError:
        unusable, objects = Unreadable(Cause.TWO_VERDICTS, "the reply holds very many JSON objects"), ()
    keys = answer_keys(criteria)
    raw = text[:RAW_LIMIT]
    return {
        c.id: Reading(unusable or _preference(c, keys[c.id], objects, shown, places, count), raw=raw)
        for c in criteria
    }


def _preference(
    criterion: Criterion,
    key: str,
    objects: Sequence[JsonReply],
    shown: Shown,
    places: tuple[int, int],
    count: int,
) -> Verdict | Unreadable:
    own = [found for found in objects if key in found.members and not shown.holds(member_text(found, key))]
    if not own:
        return Unreadable(Cause.NO_VERDICT, f"the reply has no ranking {key!r} of its own")
    if any(found.members.repeated or found.members[key] != own[0].members[key] for found in own):
        return Unreadable(Cause.TWO_VERDICTS, "the reply gives more than one ranking")
    member = own[0].members[key]
    ranks = _ranks(member, count)
    if ranks is None:
        return Unreadable(
            Cause.OUT_OF_RANGE, f"the ranking does not give each of {count} assistants a rank from 1"
        )
    first, second = ranks[places[0]], ranks[places[1]]
    value = TIE if first == second else A if first < second else B
    if not criterion.accepts(value):
        return Unreadable(Cause.OUT_OF_RANGE, "two assistants have one rank, which the rubric does not allow")
    rationale = member.get("rationale")
    return Verdict(value, clean(rationale) if isinstance(rationale, str) else "")


def _ranks(member: Any, count: int) -> list[float] | None:
    """The ranks in the order of the assistants; None unless there is one from 1 to ``count`` for each and no other."""
    given = member.get("ranks") if isinstance(member, Mapping) else None
    if any(getattr(part, "repeated", ()) for part in (member, given)):
        return None
    if not isinstance(given, Mapping) or set(given) != {str(number) for number in range(1, count + 1)}:
        return None
    ranks = [_rank(given[str(number)]) for number in range(1, count + 1)]
    wanted = {float(rank) for rank in range(1, count + 1)}
    return [rank for rank in ranks if rank is not None] if all(rank in wanted for rank in ranks) else None


def _rank(value: Any) -> float | None:
    number = getattr(value, "as_float", None)
    return float(number()) if number is not None else None


def _object(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
