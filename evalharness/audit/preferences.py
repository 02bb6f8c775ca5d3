"""A judge that compares pairs: what the place of a reply, its length, and its author do to the verdict.

Votes are +1 (the first system wins), 0 (tie), -1. Every pair is shown in both orders, so the quality of the two replies
cancels out of the position effect; repeats in the same order tell what of a changed verdict is mere noise (Shi et al.
2024, arXiv 2406.07791). Length and self-preference are differences to people on the same pairs: a longer answer may be
better. Intervals are clustered by group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from evalharness.audit.findings import measure_of
from evalharness.audit.types import Measure
from evalharness.core.pairs import Order
from evalharness.stats.arrays import FloatArray
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined

_SHARE = "share of verdicts"


@dataclass(frozen=True, slots=True)
class Preference:
    """One pair that was judged in both orders.

    ``votes`` are the single verdicts of each order, of the first system whatever its place; ``people`` are the raters'
    votes on the same pair, none where nobody rated it. ``longer`` is +1 where the first system's reply is the longer
    one, -1 where the second's is, 0 where they are alike.
    """

    group: str
    systems: tuple[str, str]
    votes: Mapping[Order, Sequence[int]]
    longer: int
    people: tuple[int, ...] = ()

    @property
    def judge(self) -> float:
        """The judge's mean vote, both orders weighing alike."""
        return sum(sum(votes) / len(votes) for votes in self.votes.values()) / len(self.votes)

    @property
    def human(self) -> float:
        """The raters' mean vote."""
        return sum(self.people) / len(self.people)


def preference_measures(
    criterion: str, pairs: Sequence[Preference], margin: float, own: str | None
) -> Iterator[Measure]:
    """Position, changed verdicts beyond noise, and, where people voted, length and self-preference."""
    yield position(criterion, pairs, margin)
    yield swaps(criterion, pairs, margin)
    rated = [pair for pair in pairs if pair.people]
    if rated:
        yield longer(criterion, rated, margin)
        if own is not None:
            yield own_model(criterion, rated, margin, own)


def position(criterion: str, pairs: Sequence[Preference], margin: float) -> Measure:
    """Share of verdicts for the reply shown first minus the share for the one shown second."""
    values = [
        float(np.mean(pair.votes[Order.AB]) - np.mean(pair.votes[Order.BA])) / 2 for pair in pairs
    ]  # in the order BA the first system stands second
    return measure_of(
        "position",
        criterion,
        _mean(values, pairs),
        margin=margin,
        unit=_SHARE,
        up="prefers the reply shown first",
        down="prefers the reply shown second",
    )


def swaps(criterion: str, pairs: Sequence[Preference], margin: float) -> Measure:
    """How often the verdict changes with the order, beyond how often it changes when asked the same again."""
    swapped = [_changed(product(pair.votes[Order.AB], pair.votes[Order.BA])) for pair in pairs]
    repeats = [_repeats(pair) for pair in pairs]
    both = [(p, s, r) for p, s, r in zip(pairs, swapped, repeats, strict=True) if r is not None]
    if both:
        estimate = _mean([s - r for _, s, r in both], [p for p, _, _ in both])
    else:
        estimate = undefined("each order was asked once: two or more --samples tell order from noise")
    return measure_of(
        "changed by order beyond noise",
        criterion,
        estimate,
        margin=margin,
        unit=_SHARE,
        up="the order changes verdicts that a repeat would not",
        down="verdicts change more when repeated than when swapped",
        judge=float(np.mean(swapped)) if swapped else None,
        beside=float(np.mean([r for _, _, r in both])) if both else None,
        beside_what="repeats",
    )


def longer(criterion: str, pairs: Sequence[Preference], margin: float) -> Measure:
    """Share of verdicts for the longer reply minus the same of people, a tie counting half."""
    unequal = [pair for pair in pairs if pair.longer]
    judge = [(pair.judge * pair.longer + 1) / 2 for pair in unequal]
    people = [(pair.human * pair.longer + 1) / 2 for pair in unequal]
    return measure_of(
        "longer reply beyond people's",
        criterion,
        _mean([a - b for a, b in zip(judge, people, strict=True)], unequal),
        margin=margin,
        unit=_SHARE,
        up="prefers longer replies than people do",
        down="prefers shorter replies than people do",
        judge=float(np.mean(judge)) if judge else None,
        beside=float(np.mean(people)) if people else None,
    )


def own_model(criterion: str, pairs: Sequence[Preference], margin: float, own: str) -> Measure:
    """The win rate of the judge's own model with the judge minus that with people, ties half."""
    involved = [(pair, 1 if pair.systems[0] == own else -1) for pair in pairs if own in pair.systems]
    judge = [(pair.judge * side + 1) / 2 for pair, side in involved]
    people = [(pair.human * side + 1) / 2 for pair, side in involved]
    return measure_of(
        "self-preference",
        criterion,
        _mean([a - b for a, b in zip(judge, people, strict=True)], [pair for pair, _ in involved]),
        margin=margin,
        unit="win rate",
        up="favours its own model beyond what people do",
        down="is harder on its own model than people are",
        judge=float(np.mean(judge)) if judge else None,
        beside=float(np.mean(people)) if people else None,
    )


def _repeats(pair: Preference) -> float | None:
    """How often two verdicts of the same order differ; None where an order has one only."""
    if any(len(votes) < 2 for votes in pair.votes.values()):
        return None
    return sum(_changed(combinations(votes, 2)) for votes in pair.votes.values()) / len(pair.votes)


def _changed(
    both: Iterator[tuple[int, ...]] | product[tuple[int, int]] | combinations[tuple[int, int]],
) -> float:
    changes = [a != b for a, b in both]
    return sum(changes) / len(changes)


def _mean(values: Sequence[float], pairs: Sequence[Preference]) -> Estimate:
    if not values:
        return undefined("no pair was judged in both orders")
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(pair.group, len(known)) for pair in pairs], dtype=np.intp)
    array: FloatArray = np.array(values, dtype=np.float64)
    return mean_interval(array, codes)
