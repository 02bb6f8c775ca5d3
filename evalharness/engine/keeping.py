"""The one writer of a run that several processes work on.

A :class:`Keeper` stands beside the ledger; workers, wherever they are, call its methods. So attempts are recorded
before they are sent, outcomes are committed before they count, and the verdict cache and the limits on cost and
failures are those of the whole run. It knows nothing of how the calls reach it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.scores import Cause
from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.engine.answering import Answering
from evalharness.engine.budget import Budget, LimitReached
from evalharness.engine.judging import Stopped
from evalharness.errors import StorageError
from evalharness.llm.client import ProviderFault
from evalharness.llm.pricing import Prices


@dataclass(frozen=True, slots=True)
class Advance:
    """Items of a scorer that were stored, with the causes of those that failed and what they cost (USD)."""

    scorer: int
    items: int
    failures: tuple[str, ...] = ()
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class KeeperJob:
    """What a keeper needs: the ledger's path, whether the verdict cache is used, and the run's limits.

    ``spent`` is what earlier processes of the run spent (USD); ``max_failures`` a number of items.
    """

    ledger: str
    use_cache: bool
    answering: Answering = field(default_factory=Answering)
    max_cost: float | None = None
    max_failures: int | None = None
    spent: float = 0.0


@dataclass(slots=True)
class News:
    """What happened since the last look, and what will not happen any more."""

    advances: list[Advance] = field(default_factory=list)
    trouble: str = ""


class Keeper:
    """Reads and writes the ledger and the verdict cache for workers in other processes, one call after the other."""

    def __init__(self, job: KeeperJob) -> None:
        self._ledger = Ledger(Path(job.ledger))
        self._cache = VerdictCache() if job.use_cache else None
        self._budget = Budget(Prices(), job.max_cost, job.max_failures, job.spent)
        self._answering = job.answering
        self._news = News()
        self._stop = ""
        self._halted: dict[int, tuple[str, str]] = {}
        self._cached: dict[int, int] = {}
        self._warnings: dict[str, None] = {}

    # what a block still needs

    def halted(self) -> tuple[bool, frozenset[int]]:
        """Whether the run is to stop, and the scorers that had to stop."""
        return bool(self._stop), frozenset(self._halted)

    def done(self, scorers: Sequence[int], first: int, last: int) -> list[dict[ItemRef, str]]:
        """For each scorer the encoded outcomes on dialogues ``first`` to ``last`` (see ``Ledger.done``)."""
        return [self._ledger.done(scorer, first, last) for scorer in scorers]

    # metrics

    def keep_metrics(
        self, scorers: Sequence[int], rows: Sequence[Sequence[tuple[int, int | None, str]]], dialogues: int
    ) -> None:
        """Commit the outcomes of a block, all scorers together."""
        with self._trouble(), self._ledger.transaction():
            for scorer, outcomes in zip(scorers, rows, strict=True):
                self._ledger.put_encoded(scorer, outcomes)
        self._news.advances.append(Advance(scorers[0], dialogues))

    # judges

    def begin(self, scorer: int, item: ItemRef, facts: Mapping[str, Any]) -> int | str:
        """Record an attempt before it is sent; its number, or why nothing may be sent any more."""
        if self._stop:
            return self._stop
        with self._trouble():
            return self._ledger.begin_attempt(scorer, item, **facts)

    def end(self, number: int, facts: Mapping[str, Any]) -> None:
        """Record how an attempt ended."""
        with self._trouble():
            self._ledger.end_attempt(number, **facts)

    def take(self, most: float | None) -> str:
        """Set aside what a request can cost at most (USD); why it may not be sent, or nothing."""
        try:
            self._budget.take(most)
        except LimitReached as reached:
            return reached.detail
        return ""

    def settle(self, reserved: float | None, cost: float | None) -> None:
        """Give back what was set aside, and count what was spent (USD)."""
        self._budget.settle(reserved, cost)

    def another(self, scorer: int, model: str) -> frozenset[str]:
        """The models that have answered a scorer, where this one is one too many; else it is remembered."""
        if self._answering.is_another(scorer, model):
            return frozenset(self._answering.models[scorer])
        return frozenset()

    def reply(self, key: str) -> Mapping[str, Any] | None:
        """A reply from the verdict cache."""
        return None if self._cache is None else self._cache.get(key)

    def keep_reply(self, key: str, value: Mapping[str, Json]) -> None:
        """Put a reply into the verdict cache."""
        if self._cache is not None:
            self._cache.put(key, value)

    def keep_verdict(
        self, scorer: int, item: ItemRef, body: str, failures: Sequence[str], cost: float | None, cached: int
    ) -> None:
        """Commit the outcome of a judge on an item; ``cached`` replies of it came from the cache."""
        with self._trouble():
            self._ledger.put_encoded(scorer, [(item.seq, item.turn, body)])
        self._budget.failures += bool(failures)
        if cached:
            self._cached[scorer] = self._cached.get(scorer, 0) + cached
        self._news.advances.append(Advance(scorer, 1, tuple(failures), cost))

    def halt(self, scorer: int, cause: str, detail: str) -> None:
        """A judge had to stop, for all workers."""
        self._halted.setdefault(scorer, (cause, detail))

    def warn(self, warnings: Sequence[str]) -> None:
        """Sentences that a worker's clients want said once."""
        self._warnings.update(dict.fromkeys(warnings))

    # for whoever started the run

    def stop(self, reason: str) -> None:
        """Nothing more is to be sent; what is in flight may finish."""
        self._stop = reason

    def news(self) -> News:
        """What happened since the last call."""
        found, self._news = self._news, News(trouble=self._news.trouble)
        return found

    def stopped(self, judges: Mapping[int, str]) -> tuple[Stopped, ...]:
        """The judges that had to stop, by the names given for their scorers."""
        return tuple(
            Stopped(name, ProviderFault(Cause(self._halted[scorer][0]), self._halted[scorer][1], fatal=True))
            for scorer, name in judges.items()
            if scorer in self._halted
        )

    def cached(self) -> dict[int, int]:
        """How many replies came from the cache, by scorer."""
        return self._cached

    def warnings(self) -> tuple[str, ...]:
        """What workers' clients wanted said."""
        return tuple(self._warnings)

    def close(self) -> None:
        """Close the files."""
        self._ledger.close()
        if self._cache is not None:
            self._cache.close()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """A disk that is full or damaged ends the run: nothing may be sent that could not be recorded."""
        try:
            yield
        except StorageError as error:
            self._news.trouble = self._stop = str(error)
            raise
