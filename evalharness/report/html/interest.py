"""What makes a dialogue worth reading before others: failures, low values, judges that disagree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from evalharness.core.doubt import uncertain
from evalharness.core.scores import Failure, Score
from evalharness.report.html.columns import ColumnSet, share_of
from evalharness.report.html.entries import split_of
from evalharness.report.html.joining import Joined


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest place on a scale that a dialogue reached: the share, the column's number, the turn, the value."""

    share: float
    column: int
    turn: int | None
    value: float


@dataclass(frozen=True, slots=True)
class Interest:
    """What a dialogue has to show.

    ``failed``, ``unfound`` and ``uncertain`` count items with a failure, with evidence that was not found, and with a
    verdict that the judge was of two minds about; ``low`` is None where nothing has a scale; ``spread`` is the widest
    gap between judges on one criterion, in shares of its scale, or the widest disagreement within a panel.
    """

    failed: int
    unfound: int
    uncertain: int
    low: Low | None
    spread: float


def interest_of(joined: Joined, columns: ColumnSet) -> Interest:
    """How interesting a dialogue is. Only leading columns count as low."""
    low: Low | None = None
    failed: set[int | None] = set()
    unfound: set[int | None] = set()
    unsure: set[int | None] = set()
    judges: dict[tuple[int | None, str, str], list[float]] = defaultdict(list)
    within = 0.0
    for row in joined.rows:
        for number, result in columns.results(row):
            within = max(within, split_of(result))
            column = columns.flat[number]
            if isinstance(result, Failure):
                failed.add(row.turn)
            if not isinstance(result, Score):
                continue
            if any(not evidence.found for evidence in result.evidence):
                unfound.add(row.turn)
            if column.judged and uncertain(result):
                unsure.add(row.turn)
            share = share_of(column, result.value)
            if share is None or isinstance(result.value, str):
                continue
            if number in columns.leading and (low is None or share < low.share):
                low = Low(share, number, row.turn, result.value)
            if column.judged:
                judges[row.turn, column.rubric, column.criterion].append(share)
    spread = max((max(shares) - min(shares) for shares in judges.values()), default=0.0)
    spread = max(spread, min(1.0, within))
    return Interest(len(failed), len(unfound), len(unsure), low, spread)
