"""How alike several verdicts of a judge on the same item are: what asking once more would have changed.

Streaming sums over items with two readable samples or more. ``same`` is the chance that two samples of an item are
equal, pairs pooled; ``sd`` the standard deviation within an item, the root of the pooled variance (one-way analysis of
variance, mean square within). Both are of single samples, not of their mean.

Verdicts of different judges are no samples of one: a panel's members are left out, and so is a cascade, whose samples
are known for its stages only, and of the first for those items alone on which they agree. Asked again as a whole
(``repeat``) both count.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from evalharness.core.scores import Cause, Failure, Score
from evalharness.judges.cascade import STAGE
from evalharness.judges.repeated import REPETITIONS
from evalharness.judges.votes import MEMBERS

_LEAST = 2


@dataclass(frozen=True, slots=True)
class Retest:
    """Items with several samples; how often two samples of one are the same, and their spread within an item (None for
    labels)."""

    items: int
    same: float
    sd: float | None


class RetestSums:
    """Takes results one by one."""

    def __init__(self) -> None:
        self._items = self._pairs = self._equal = 0
        self._squares, self._freedom = 0.0, 0

    def add(self, result: Score | Failure) -> None:
        """Take the samples of a result."""
        if _of_several_judges(result):
            return
        values = [sample for sample in result.samples if not isinstance(sample, Cause)]
        if len(values) < _LEAST:
            return
        self._items += 1
        self._pairs += math.comb(len(values), 2)
        self._equal += sum(math.comb(count, 2) for count in Counter(values).values())
        numbers = [float(value) for value in values if not isinstance(value, str)]
        if len(numbers) == len(values):
            mean = math.fsum(numbers) / len(numbers)
            self._squares += math.fsum((number - mean) ** 2 for number in numbers)
            self._freedom += len(numbers) - 1

    def summary(self) -> Retest | None:
        """What was found; None where no item has two samples."""
        if not self._items:
            return None
        sd = math.sqrt(self._squares / self._freedom) if self._freedom else None
        return Retest(self._items, self._equal / self._pairs, sd)


def _of_several_judges(result: Score | Failure) -> bool:
    """Whether the samples, if any, are not repetitions of one whole judge."""
    facts = result.extra or {}
    return REPETITIONS not in facts and (MEMBERS in facts or STAGE in facts)
