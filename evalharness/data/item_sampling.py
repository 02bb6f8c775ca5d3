"""Drawing items with known probabilities: at random, evenly over strata, or in proportion to a weight.

The draw depends on the seed and the items' names alone, not on their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalharness.data.sampling import priority

FLOOR = 0.25
"""The least weight, as a share of the mean weight: items that nothing speaks for are drawn, too, so that every mean
over the sample can be weighted back (Horvitz and Thompson 1952)."""


def draw_at_random(names: Sequence[str], size: int, seed: int = 0) -> dict[str, float]:
    """``size`` names, each with the same probability."""
    kept = sorted(names, key=lambda name: priority(seed, name))[:size]
    return dict.fromkeys(kept, len(kept) / len(names) if names else 0.0)


def draw_by_stratum(strata: Mapping[str, str], size: int, seed: int = 0) -> dict[str, float]:
    """About ``size`` names, as many from each stratum as it has, up to an even share; ``strata`` by name."""
    by_stratum: dict[str, list[str]] = {}
    for name, stratum in strata.items():
        by_stratum.setdefault(stratum, []).append(name)
    drawn: dict[str, float] = {}
    left, pools = min(size, len(strata)), sorted(by_stratum.items(), key=lambda pair: (len(pair[1]), pair[0]))
    for place, (_, names) in enumerate(pools):
        share = min(len(names), left // (len(pools) - place))
        drawn |= draw_at_random(names, share, seed)
        left -= share
    return drawn


def draw_by_weight(weights: Mapping[str, float], size: int, seed: int = 0) -> dict[str, float]:
    """``size`` names with probabilities in proportion to their weights (at least ``FLOOR`` of the mean weight).

    Systematic sampling from a random start along a random order: each name is drawn with its stated probability.
    """
    size = min(size, len(weights))
    if size == 0:
        return {}
    chances = inclusion(weights, size)
    order = sorted(weights, key=lambda name: priority(seed, name))
    point = priority(seed, "start") / 2**128
    drawn: dict[str, float] = {}
    reached = 0.0
    for name in order:
        reached += chances[name]
        if reached > point + 1e-12:
            drawn[name] = chances[name]
            point += 1.0
    return drawn


def inclusion(weights: Mapping[str, float], size: int) -> dict[str, float]:
    """Probabilities in proportion to the weights that sum to ``size``; what would pass 1 is drawn for certain."""
    mean = sum(weights.values()) / len(weights)
    floored = {name: max(weight, FLOOR * mean) or 1.0 for name, weight in weights.items()}
    certain: set[str] = set()
    while True:
        rest = {name: weight for name, weight in floored.items() if name not in certain}
        total = sum(rest.values())
        left = size - len(certain)
        over = {name for name, weight in rest.items() if weight * left > total * (1 - 1e-12)}
        if not over or not left:
            break
        certain |= over
    return {name: 1.0 if name in certain else floored[name] * left / total for name in floored}
