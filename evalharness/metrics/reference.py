"""What the reference metrics share: taking the texts out of items, and saying why an item has no score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, NamedTuple, TypeAlias

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Cause, Column, Failure, Result, Skip, SkipReason
from evalharness.metrics.coding import CodebookFullError

MAX_CHARACTERS = 1_000_000
"""Longer texts are a failure: their n-grams would not fit into memory."""

_BATCH_CHARACTERS = (
    400_000  # items that share a codebook: never enough to fill it, unless one item alone does
)

Row: TypeAlias = tuple[Result, ...]


class Texts(NamedTuple):
    """A reply and the references it is compared with; there is at least one."""

    hypothesis: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class ReferenceMetric(ABC):
    """A metric of replies against their references, with a corpus score from the replies' summed statistics.

    ``name`` replaces the name of the column, or stands before the names of several.
    """

    name: str = field(default="", kw_only=True)

    high: ClassVar[float | None] = 1.0
    higher_is_better: ClassVar[bool] = True

    @property
    def unit(self) -> Unit:
        """Turns: a reference belongs to one reply."""
        return Unit.TURN

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column for each of :attr:`criteria`."""
        made_by = self.signature()
        return tuple(
            Column(
                name,
                name,
                Unit.TURN,
                made_by,
                low=0.0,
                high=self.high,
                higher_is_better=self.higher_is_better,
            )
            for name in column_names(self.name, self.criteria)
        )

    @property
    @abstractmethod
    def criteria(self) -> tuple[str, ...]:
        """The usual names of what is scored."""

    @abstractmethod
    def signature(self, references: int | None = None) -> str:
        """What made the numbers; ``references`` is their number per reply, where it is always the same."""

    @abstractmethod
    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """One result per column for each reply; the texts are no longer than :data:`MAX_CHARACTERS`."""

    def score_many(self, items: Sequence[Item]) -> list[Row]:
        """One result per column for each item; a reply without references is skipped."""
        found = [_texts(item) for item in items]
        scored = self._score_batches([texts for texts in found if isinstance(texts, Texts)])
        width = len(self.criteria)
        return [next(scored) if isinstance(texts, Texts) else (texts,) * width for texts in found]

    def corpus(self, column: Column, totals: Sequence[float]) -> float:  # noqa: ARG002
        """The corpus score of the replies whose ``Score.stats`` add up to ``totals``."""
        return self.corpus_value(totals)

    @abstractmethod
    def corpus_value(self, totals: Sequence[float]) -> float:
        """The corpus score from summed statistics, in the columns' units."""

    def corpus_signature(self, column: Column) -> str:
        """What made the corpus score."""
        return column.signature

    def _score_batches(self, texts: Sequence[Texts]) -> Iterator[Row]:
        remaining = iter(texts)
        for count in _batch_sizes(texts):
            try:
                yield from self.score_texts(list(islice(remaining, count)))
            except CodebookFullError:
                yield from [(TOO_MANY_TOKENS,) * len(self.criteria)] * count


@dataclass(frozen=True)
class MeanMetric(ReferenceMetric):
    """A reference metric whose corpus score is the mean: a score's statistics are its value and 1."""

    def corpus_value(self, totals: Sequence[float]) -> float:
        """The mean of the replies."""
        return totals[0] / totals[1]

    def corpus_signature(self, column: Column) -> str:
        """The signature, marked as that of a mean."""
        return f"mean|{column.signature}"


def column_names(name: str, criteria: Sequence[str]) -> tuple[str, ...]:
    """The names of a metric's columns: the usual ones, or ``name``, which stands before several (``name:rouge1``)."""
    if not name:
        return tuple(criteria)
    return (name,) if len(criteria) == 1 else tuple(f"{name}:{criterion}" for criterion in criteria)


TOO_MANY_TOKENS = Failure(Cause.TOO_LONG, "more than a million different tokens")


def too_long(characters: int) -> Failure:
    """The failure of a text that is longer than metrics take."""
    return Failure(Cause.TOO_LONG, f"a text of {characters:,} characters; the limit is {MAX_CHARACTERS:,}")


def _texts(item: Item) -> Texts | Skip | Failure:
    references = item.references
    if not references:
        return Skip(SkipReason.NO_REFERENCE)
    reply = item.message.content
    longest = max(len(reply), *map(len, references))
    return Texts(reply, references) if longest <= MAX_CHARACTERS else too_long(longest)


def _batch_sizes(texts: Sequence[Texts]) -> Iterator[int]:
    count = size = 0
    for reply, references in texts:
        characters = len(reply) + sum(map(len, references))
        if count and size + characters > _BATCH_CHARACTERS:
            yield count
            count = size = 0
        count += 1
        size += characters
    if count:
        yield count
