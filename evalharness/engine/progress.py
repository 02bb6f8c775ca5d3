"""What the engine tells whoever watches a run; drawing it is the watcher's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from evalharness.core.scores import Cause, Failure, Result, Score

TIED = "tied"
"""Instead of a cause: every answer could be read, and no label has a majority among them."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """The way to a judge's models now: requests in flight, how many may be (the adaptive limit), waiting calls.

    ``state`` is ``open``, ``paused`` (the provider asked), ``broken`` (it does not answer) or ``ended``.
    """

    in_flight: int
    limit: int
    waiting: int
    state: str


Lane = Callable[[], LaneState | None]
"""Asks for the state of a judge's lane; None while nothing was sent."""


class Progress(Protocol):
    """A watcher of a run. All calls come from the engine's thread."""

    def start(self, name: str, total: int, done: int, lane: Lane | None = None) -> None:
        """A scorer begins: ``total`` items in all, ``done`` of them already scored by an earlier process."""
        ...

    def advance(
        self, name: str, items: int = 1, failures: Iterable[str] = (), cost: float | None = None
    ) -> None:
        """``items`` more items are stored, with the causes of those that failed and what they cost (USD)."""
        ...

    def note(self, text: str) -> None:
        """Something worth telling once."""
        ...

    def tick(self) -> None:
        """About once a second while judges run, also when nothing moves."""
        ...


@dataclass(frozen=True, slots=True)
class Silent:
    """A watcher that says nothing."""

    def start(self, name: str, total: int, done: int, lane: Lane | None = None) -> None:
        """Ignore."""

    def advance(
        self, name: str, items: int = 1, failures: Iterable[str] = (), cost: float | None = None
    ) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def tick(self) -> None:
        """Ignore."""


def causes(results: Iterable[Result]) -> list[str]:
    """The causes of the failures among the results, one for an item at most unless something was scored.

    Readable answers that differ (samples of a judge, members of a panel) are ``TIED``: nothing went wrong.
    """
    found = [_cause(result) for result in results if isinstance(result, Failure)]
    scored = any(isinstance(result, Score) for result in results)
    return found if scored else found[:1]


def _cause(failure: Failure) -> str:
    tied = failure.samples and not any(isinstance(sample, Cause) for sample in failure.samples)
    return TIED if tied and failure.cause is Cause.TWO_VERDICTS else failure.cause.value
