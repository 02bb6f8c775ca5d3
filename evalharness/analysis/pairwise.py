"""Preferences between systems -> figures: win rates, what order and length do to them, and a ranking.

Everything is per judge and criterion. A pair counts once, with the mean of its two orders: a win in both is a win, a
judge that follows the position gives half a point to each side. Consistent, inconsistent and tied pairs are counted
apart. Intervals are clustered by group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.analysis.pair_panels import PairSeats, seats_of
from evalharness.core.pairs import Order
from evalharness.core.scores import Column, Failure, Result, Score, Skip
from evalharness.stats.bradley_terry import BradleyTerry, fit_bradley_terry
from evalharness.stats.estimate import Estimate, undefined
from evalharness.stats.kappa import cohen_kappa
from evalharness.stats.length_controlled import length_controlled_win_rate
from evalharness.stats.pair_agreement import FIRST, SECOND, TIE, SwapConsistency, swap_consistency
from evalharness.stats.rates import share_interval
from evalharness.stats.unfitted import Unfitted

_VOTES = {"a": FIRST, "b": SECOND, "tie": TIE}
_FEW_GROUPS = 15


@dataclass(frozen=True, slots=True)
class Comparison:
    """One judged pair on one criterion: the results of both orders, as far as they are there.

    ``length_difference`` is the length in characters of the first system's reply minus that of the second's.
    ``places`` name both items by dialogue and turn.
    """

    group: str
    systems: tuple[str, str]
    results: Mapping[Order, Result]
    length_difference: int
    places: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts (one per pair and order) by outcome; the sum is twice the number of pairs."""

    asked: int
    scored: int
    failed: tuple[tuple[str, int], ...]
    skipped: tuple[tuple[str, int], ...]

    @property
    def pending(self) -> int:
        """Verdicts that an incomplete run has not asked for."""
        return self.asked - self.scored - sum(n for _, n in (*self.failed, *self.skipped))


@dataclass(frozen=True, slots=True)
class Duel:
    """Two systems against each other.

    ``wins``, ``losses``, ``ties``: pairs with the same verdict in both orders, of the first system. ``split``: pairs
    whose verdict changes with the order. ``win_rate``: mean points of the first system, ties and splits half.
    ``order_kappa``: Cohen's kappa of the verdicts in the two orders. ``controlled``: the win rate at equal length.
    ``one_sided``: pairs judged in one order only, which don't count.
    """

    systems: tuple[str, str]
    pairs: int
    wins: int
    losses: int
    ties: int
    one_sided: int
    win_rate: Estimate
    controlled: Estimate
    length_effect: Estimate
    swaps: SwapConsistency
    order_kappa: Estimate

    @property
    def split(self) -> int:
        """Pairs whose verdict changes with the order."""
        return self.pairs - self.wins - self.losses - self.ties


@dataclass(frozen=True, slots=True)
class Ranked:
    """One system in the ranking: ability in log odds above the mean, and the chance of being the best."""

    system: str
    ability: Estimate
    best: float | None


@dataclass(frozen=True, slots=True)
class Contest:
    """What one judge says on one criterion; of a panel also what its members say."""

    column: Column
    tally: Tally
    duels: tuple[Duel, ...]
    ranking: tuple[Ranked, ...]
    order_effect: Estimate
    unranked: str
    panel: PairSeats | None = None


@dataclass(frozen=True, slots=True)
class PairwiseAnalysis:
    """Everything that the pairwise report states."""

    systems: tuple[str, ...]
    groups: int
    pairs: int
    alone: int
    contests: tuple[Contest, ...]
    partial: str | None = None

    @property
    def few_groups(self) -> bool:
        """Whether intervals rest on so few groups that they are rough."""
        return self.groups < _FEW_GROUPS


def contest(column: Column, systems: Sequence[str], comparisons: Sequence[Comparison]) -> Contest:
    """The figures of one judge on one criterion."""
    by_duel: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_duel[comparison.systems].append(comparison)
    duels = tuple(_duel(pair, by_duel[pair]) for pair in sorted(by_duel, key=lambda p: _places(p, systems)))
    ranking, effect, reason = _ranking(systems, comparisons)
    panel = seats_of(comparison.results for comparison in comparisons)
    return Contest(column, _tally(comparisons), duels, ranking, effect, reason, panel)


def _places(pair: tuple[str, str], systems: Sequence[str]) -> tuple[int, int]:
    return systems.index(pair[0]), systems.index(pair[1])


def _tally(comparisons: Iterable[Comparison]) -> Tally:
    failed: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    asked = scored = 0
    for comparison in comparisons:
        asked += len(Order)
        for result in comparison.results.values():
            match result:
                case Score():
                    scored += 1
                case Failure(cause=cause):
                    failed[cause.value] += 1
                case Skip(reason=reason):
                    skipped[reason.value] += 1
    return Tally(asked, scored, tuple(sorted(failed.items())), tuple(sorted(skipped.items())))


def _votes(comparison: Comparison) -> dict[Order, int]:
    return {
        order: _VOTES[str(result.value)]
        for order, result in comparison.results.items()
        if isinstance(result, Score)
    }


def _duel(systems: tuple[str, str], comparisons: Sequence[Comparison]) -> Duel:
    judged = [(comparison, _votes(comparison)) for comparison in comparisons]
    both = [(comparison, votes) for comparison, votes in judged if len(votes) == len(Order)]
    ab = np.array([votes[Order.AB] for _, votes in both], dtype=np.intp)
    ba = np.array([votes[Order.BA] for _, votes in both], dtype=np.intp)
    groups = _codes(comparison.group for comparison, _ in both)
    points = ((ab + ba) / 2 + 1) / 2
    gaps = np.array([comparison.length_difference for comparison, _ in both], dtype=np.float64)
    same = ab == ba
    controlled = length_controlled_win_rate(points, gaps, groups)
    return Duel(
        systems=systems,
        pairs=len(both),
        wins=int((same & (ab == FIRST)).sum()),
        losses=int((same & (ab == SECOND)).sum()),
        ties=int((same & (ab == TIE)).sum()),
        one_sided=sum(len(votes) == 1 for _, votes in judged),
        win_rate=_rate(points, groups),
        controlled=controlled.controlled,
        length_effect=controlled.length_effect,
        swaps=swap_consistency(ab, -ba, groups),
        order_kappa=_kappa(ab, ba, groups),
    )


def _kappa(ab: np.ndarray, ba: np.ndarray, groups: np.ndarray) -> Estimate:
    """How far the verdicts in one order agree with those in the other beyond chance; 1 is a judge blind to order."""
    return cohen_kappa(ab, ba, sorted(_VOTES.values())).estimate(groups)


def _rate(points: np.ndarray, groups: np.ndarray) -> Estimate:
    if points.size == 0:
        return undefined("no pair was judged in both orders")
    return share_interval(points, groups)


def _ranking(
    systems: Sequence[str], comparisons: Sequence[Comparison]
) -> tuple[tuple[Ranked, ...], Estimate, str]:
    rows = list(_shown(systems, comparisons))
    if not rows:
        return (), undefined("no verdict"), "no verdict"
    first, second, outcome, groups = (np.array(column) for column in zip(*rows, strict=True))
    fit = fit_bradley_terry(
        first,
        second,
        outcome,
        players=len(systems),
        groups=_codes(groups),
        order_effect=True,
        names=systems,
    )
    if isinstance(fit, Unfitted):
        return (), undefined(fit.reason, n=len(rows)), fit.reason
    effect = fit.order_effect() or undefined("not fitted", n=len(rows))
    return _ranked(systems, fit), effect, ""


def _ranked(systems: Sequence[str], fit: BradleyTerry) -> tuple[Ranked, ...]:
    chances = fit.rank_probabilities() if _varies(fit) else None
    rows = [
        Ranked(name, fit.ability(place), None if chances is None else float(chances[place, 0]))
        for place, name in enumerate(systems)
    ]
    return tuple(sorted(rows, key=lambda row: -row.ability.require()))


def _varies(fit: BradleyTerry) -> bool:
    """Whether the abilities have an error to draw ranks from; without one, chances would be those of rounding."""
    return any(fit.ability(place).se for place in range(fit.abilities.size))


def _shown(
    systems: Sequence[str], comparisons: Iterable[Comparison]
) -> Iterator[tuple[int, int, float, str]]:
    """Every verdict as (player shown first, player shown second, points of the first, group)."""
    for comparison in comparisons:
        a, b = _places(comparison.systems, systems)
        for order, vote in _votes(comparison).items():
            points = (vote + 1) / 2
            yield (
                (a, b, points, comparison.group)
                if order is Order.AB
                else (b, a, 1 - points, comparison.group)
            )


def _codes(names: Iterable[str]) -> np.ndarray:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.intp)
