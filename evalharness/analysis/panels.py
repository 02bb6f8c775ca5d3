"""Scores that come from several judges: what each member said over the run, and how far the members differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from evalharness.core.scores import Failure, Result, Score, Skip
from evalharness.judges.votes import members_of


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member: how many verdicts it gave, what failed by cause, how often it could not tell, and the mean of its
    values (None for labels)."""

    name: str
    scored: int
    failed: tuple[tuple[str, int], ...]
    skipped: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class PanelSummary:
    """The members of a column's panel; ``disagreement`` is the mean over items of the distance between two members'
    verdicts, ``split`` on how many items any two differ."""

    members: tuple[MemberRow, ...]
    disagreement: float | None
    split: int


@dataclass(slots=True)
class _Member:
    scored: int = 0
    skipped: int = 0
    total: float = 0.0
    numbers: int = 0


class PanelSums:
    """Running sums over the results of one column."""

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}
        self._failed: dict[str, Counter[str]] = {}
        self._apart = 0.0
        self._compared = self._split = 0

    def add(self, result: Result) -> None:
        """Take a result; one that holds no members changes nothing."""
        votes = members_of(result)
        if votes is None or isinstance(result, Skip) or result.extra is None:
            return
        for name, vote in votes.items():
            member = self._members.setdefault(name, _Member())
            match vote:
                case Score(value=value):
                    member.scored += 1
                    if not isinstance(value, str):
                        member.total += value
                        member.numbers += 1
                case Failure(cause=cause):
                    self._failed.setdefault(name, Counter())[cause.value] += 1
                case Skip():
                    member.skipped += 1
        apart = result.extra.get("disagreement")
        if isinstance(apart, int | float):
            self._apart += float(apart)
            self._compared += 1
            self._split += apart > 0

    def summary(self) -> PanelSummary | None:
        """What was seen; None where no result held members."""
        if not self._members:
            return None
        mean = self._apart / self._compared if self._compared else None
        return PanelSummary(tuple(self._row(name) for name in sorted(self._members)), mean, self._split)

    def _row(self, name: str) -> MemberRow:
        member, failed = self._members[name], self._failed.get(name, Counter())
        return MemberRow(
            name,
            member.scored,
            tuple(sorted(failed.items(), key=lambda pair: (-pair[1], pair[0]))),
            member.skipped,
            member.total / member.numbers if member.numbers else None,
        )
