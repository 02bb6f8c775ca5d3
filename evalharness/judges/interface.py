"""The interface of judges: an item in, one result per criterion out, every model call through ``ask``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from evalharness.core.dialogue import Item, Unit
from evalharness.core.fitted import ScoreInput
from evalharness.core.scores import Column, Result
from evalharness.llm.client import Client, Reply, Request


class Ask(Protocol):
    """How a judge reaches its model. The engine provides it: cache, ledger, limits and retries are behind it."""

    @property
    def secret(self) -> bytes:
        """The run's secret, from which fence markers are derived."""
        ...

    @property
    def earlier(self) -> Sequence[Result]:
        """What this judge said of the item before, where it is asked again; empty for the first time."""
        ...

    async def __call__(self, client: Client, request: Request, *, sample: int = 0, step: str = "") -> Reply:
        """The reply to a request, from the cache or the provider.

        ``sample`` tells repeated askings of the same request apart (each is paid and kept on its own); ``step`` names
        further calls for the same item (``repair``, ``window 2``). Raises :class:`ProviderFault` when every attempt
        failed.
        """
        ...

    def keep(self, client: Client, request: Request, reply: Reply, *, sample: int = 0) -> None:
        """Put a reply that gave a valid verdict into the verdict cache; failures must not be kept."""
        ...

    def result(self, scorer: str, rubric: str, criterion: str) -> Result | None:
        """What another scorer of the run said about the same item; None where it said nothing."""
        ...


class Judge(Protocol):
    """Answers one rubric about items of one unit. Implementations are frozen dataclasses of their configuration."""

    @property
    def name(self) -> str:
        """The judge's name in outcome lines: its alias, or the specification it was made from."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion of the rubric, in its order, then ``_overall``."""
        ...

    @property
    def unit(self) -> Unit:
        """Whether turns or whole dialogues are judged."""
        ...

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models that this judge calls; empty for recordings."""
        ...

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column. Provider faults become failures; only bugs and cancellation are raised."""
        ...


@runtime_checkable
class Stacked(Protocol):
    """A judge that builds on other scorers of the same run: it judges after them."""

    @property
    def needs(self) -> tuple[ScoreInput, ...]:
        """The scorers whose values it asks for; empty where it needs none."""
        ...


class Planned(Protocol):
    """A judge that can say beforehand what it would send (for ``--dry-run`` and ``rubric show``)."""

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The first requests for an item, before any repair."""
        ...


@runtime_checkable
class Settled(Protocol):
    """A judge whose verdicts depend on what was said of all items: they are settled when all are judged."""

    @property
    def needs_all_items(self) -> bool:
        """Whether that is so of this one; if not, nothing is settled."""
        ...

    def learn(self, rows: Iterable[Sequence[Result]]) -> Mapping[str, Any]:
        """What the results of all items say, by criterion."""
        ...

    def settled(self, results: Sequence[Result], learned: Mapping[str, Any]) -> tuple[Result, ...]:
        """The results of one item with that known; settling twice gives the same."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request that would be sent, and to whom."""

    client: Client
    request: Request
    sample: int = 0
