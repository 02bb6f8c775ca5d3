"""What judges that are made of judges share: telling their requests apart, and planning them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Protocol, cast

from evalharness.core.dialogue import Item
from evalharness.core.fitted import ScoreInput
from evalharness.core.rubric import Rubric
from evalharness.core.scores import Column, Failure, Result, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.judges.interface import Ask, Judge, PlannedRequest, Stacked
from evalharness.judges.votes import members_of
from evalharness.llm.client import Client, Reply, Request


@dataclass(frozen=True, slots=True)
class Stepped:
    """An ``Ask`` whose attempts are recorded under the name of a member or stage; implements ``interface.Ask``.

    ``earlier`` is what that member or stage said before, where an item is judged again.
    """

    ask: Ask
    name: str
    earlier: Sequence[Result] = ()

    @property
    def secret(self) -> bytes:
        """The run's secret."""
        return self.ask.secret

    async def __call__(self, client: Client, request: Request, *, sample: int = 0, step: str = "") -> Reply:
        """The reply, as the engine gives it."""
        return await self.ask(client, request, sample=sample, step=f"{self.name}: {step or 'verdict'}")

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        """Put a reply that gave a valid verdict into the verdict cache."""
        self.ask.keep(client, request, reply, sample=sample)

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:
        """What another scorer of the run said about the item."""
        return self.ask.result(scorer, rubric, criterion)


def said_before(ask: Ask, names: Iterable[str], criteria: int) -> dict[str, tuple[Result, ...]]:
    """What each member of a panel said of the item before, by name, where it said something to every criterion.

    A skip that holds no members was the same for all, unless somebody found that it could not be assessed.
    """
    earlier = ask.earlier[:criteria]
    if len(earlier) < criteria:
        return {}
    members = [members_of(result) or _all_skipped(result, names) for result in earlier]
    return {
        name: tuple(said[name] for said in members) for name in names if all(name in said for said in members)
    }


def _all_skipped(result: Result, names: Iterable[str]) -> Mapping[str, Result]:
    if isinstance(result, Skip) and result.reason is not SkipReason.CANNOT_ASSESS:
        return dict.fromkeys(names, result)
    return {}


def is_complete(results: Sequence[Result]) -> bool:
    """Whether a member has nothing to be asked again: no failure, in itself or among members of its own."""
    return bool(results) and not any(map(lacks_verdict, results))


def lacks_verdict(result: Result) -> bool:
    """Whether a result is a failure, or that of a panel with a member that failed."""
    members = members_of(result) or {}
    return isinstance(result, Failure) or any(map(lacks_verdict, members.values()))


class Member(Protocol):
    """What is looked at in a member or stage, a judge of items or of pairs."""

    @property
    def name(self) -> str:
        """The judge's name in outcomes."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, which hold its signature."""
        ...

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models that it calls."""
        ...


def unique_clients(judges: Iterable[Member]) -> tuple[Client, ...]:
    """The clients of several judges, each once."""
    return tuple({id(client): client for judge in judges for client in judge.clients}.values())


def all_needs(judges: Iterable[Judge]) -> tuple[ScoreInput, ...]:
    """The other scorers that any of the judges builds on, each once."""
    needs = [need for judge in judges if isinstance(judge, Stacked) for need in judge.needs]
    return tuple(dict.fromkeys(needs))


def planned_requests(judges: Iterable[Judge], item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
    """What the judges would send first about an item; recordings send nothing."""
    planners = [getattr(judge, "requests", None) for judge in judges]
    return tuple(planned for plan in planners if plan is not None for planned in plan(item, secret))


@dataclass(frozen=True, slots=True)
class Shifted:
    """An ``Ask`` whose samples are numbered from ``first``, so that a repetition is asked for anew."""

    ask: Ask
    first: int

    @property
    def secret(self) -> bytes:
        """The run's secret."""
        return self.ask.secret

    @property
    def earlier(self) -> Sequence[Result]:
        """Nothing: an earlier result does not tell one repetition from another."""
        return ()

    async def __call__(self, client: Client, request: Request, *, sample: int = 0, step: str = "") -> Reply:
        """The reply, as the engine gives it."""
        return await self.ask(client, request, sample=self.first + sample, step=step)

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        """Put a reply that gave a valid verdict into the verdict cache."""
        self.ask.keep(client, request, reply, sample=self.first + sample)

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:
        """What another scorer of the run said about the item."""
        return self.ask.result(scorer, rubric, criterion)


def about(judge: Judge, rubric: Rubric) -> Judge:
    """The same judge with another rubric; a judge made of judges with all its parts. UsageError where it has none."""
    given = {name: getattr(judge, name, None) for name in ("rubric", "members", "stages")}
    if not is_dataclass(judge) or given["rubric"] is None:
        raise UsageError(f"{judge.name} can't be given another rubric", fix="Use a judge that asks a model.")
    parts: dict[str, Any] = {
        name: tuple(about(part, rubric) for part in given[name])
        for name in ("members", "stages")
        if given[name]
    }
    repeated = getattr(judge, "repeated", None)
    if repeated is not None:
        parts["repeated"] = about(repeated, rubric)
    changed: Any = replace(cast(Any, judge), rubric=rubric, **parts)
    return cast(Judge, changed)
