"""What the members of a panel said of the pairs that it judged: how often each keeps its preference, and agrees."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evalharness.core.pairs import Order
from evalharness.core.scores import Result, Score, Skip
from evalharness.judges.pair_panel import PREFERENCES, SPLIT

_VOTES = frozenset({"a", "b", "tie", SPLIT})


@dataclass(frozen=True, slots=True)
class Seat:
    """One member: pairs with a vote, those of them whose verdict followed the order, pairs without a vote, and the
    share of votes that are the panel's (None where the two never met)."""

    name: str
    pairs: int
    split: int
    missing: int
    as_panel: float | None


@dataclass(frozen=True, slots=True)
class PairSeats:
    """All members, and the share of two members' votes that differ on a pair, on average (None for no two)."""

    members: tuple[Seat, ...]
    disagreement: float | None


def seats_of(pairs: Iterable[Mapping[Order, Result]]) -> PairSeats | None:
    """The members of the panel that judged these pairs; None for a judge that is no panel."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    met: dict[str, list[bool]] = defaultdict(list)
    apart: list[float] = []
    for results in pairs:
        said, distance = _said(results)
        panel = _vote(results)
        if distance is not None:
            apart.append(distance)
        for name, vote in said.items():
            votes[name][vote] += 1
            if panel is not None and vote in _VOTES:
                met[name].append(vote == panel)
    if not votes:
        return None
    return PairSeats(
        tuple(_seat(name, counts, met[name]) for name, counts in votes.items()),
        math.fsum(apart) / len(apart) if apart else None,
    )


def _seat(name: str, counts: Counter[str], met: list[bool]) -> Seat:
    known = sum(count for vote, count in counts.items() if vote in _VOTES)
    share = sum(met) / len(met) if met else None
    return Seat(name, known, counts[SPLIT], counts.total() - known, share)


def _said(results: Mapping[Order, Result]) -> tuple[dict[str, str], float | None]:
    """Each member's vote on a pair, and how far they are apart."""
    result = results.get(Order.AB)
    extra = None if result is None or isinstance(result, Skip) else result.extra
    said = None if extra is None else extra.get(PREFERENCES)
    if not isinstance(said, dict):
        return {}, None
    apart = extra.get("disagreement") if extra is not None else None
    return {name: str(vote) for name, vote in said.items()}, apart if isinstance(apart, float) else None


def _vote(results: Mapping[Order, Result]) -> str | None:
    """The panel's own vote; None where it has none."""
    values = [result.value for result in results.values() if isinstance(result, Score)]
    if len(values) < len(Order):
        return None
    return str(values[0]) if values[0] == values[1] else SPLIT
