"""The interface of deterministic scorers: reference metrics, surface measures and checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Column, Result


@runtime_checkable
class Metric(Protocol):
    """A deterministic scorer. Implementations are frozen dataclasses whose fields are their configuration.

    They must pickle (large inputs are scored in several processes) and keep no state between calls.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is scored: one column per value that :meth:`score_many` gives for an item (rouge gives three)."""
        ...

    @property
    def unit(self) -> Unit:
        """Whether turns or whole dialogues are scored."""
        ...

    def score_many(self, items: Sequence[Item]) -> list[tuple[Result, ...]]:
        """For each item one result per column, in the order of ``columns``; never raises for odd text."""
        ...


@runtime_checkable
class CorpusMetric(Metric, Protocol):
    """A metric with a corpus score, computed from the summed ``stats`` of its items' scores."""

    def corpus(self, column: Column, totals: Sequence[float]) -> float:
        """The corpus score of the items whose ``Score.stats`` add up to ``totals``, in the column's units."""
        ...

    def corpus_signature(self, column: Column) -> str:
        """The signature of the corpus score; some options differ from the scores of single items."""
        ...
