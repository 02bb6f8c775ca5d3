"""Jackknife, BCa and bootstrap-t by group, of any statistic, for where a linearised interval is not trusted.

The jackknife leaves each group out in turn. The bootstraps draw groups with replacement and compute the statistic
again from the items drawn; a group drawn twice is two groups. They cost many computations, so they are asked for,
never the default. Resamples where the statistic is undefined are counted, and too many of them leave no interval.
Statistics that are functions of sums have a faster way in ``bootstrap``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from evalharness.stats.arrays import FloatArray, IntArray, group_codes, is_constant
from evalharness.stats.bca_tails import acceleration, bca_tails, bias_correction
from evalharness.stats.clustered import Scale, from_scale, interval_from_error, slope_on, to_scale
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.influence import NO_VARIATION, Linearized, Statistic
from evalharness.stats.undefined import Undefined

Recompute = Callable[[IntArray], Statistic]

DRAWS = 2_000
SEED = 0
MIN_GROUPS = 5
MAX_UNDEFINED_SHARE = 0.05


class _Clusters:
    """The item indices of each of G groups."""

    def __init__(self, groups: ArrayLike) -> None:
        codes, self.count = group_codes(groups, np.asarray(groups).size)
        self.n = codes.size
        order = np.argsort(codes, kind="stable")
        edges = np.searchsorted(codes[order], np.arange(self.count + 1))
        self.members = [order[edges[g] : edges[g + 1]] for g in range(self.count)]

    def drawn(self, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return the items of G groups drawn with replacement, and the code of the draw of each."""
        picked = [self.members[g] for g in rng.integers(0, self.count, size=self.count)]
        sizes = [members.size for members in picked]
        return np.concatenate(picked), np.repeat(np.arange(self.count), sizes)

    def without(self, group: int) -> IntArray:
        """Return the items of all groups but one."""
        return np.concatenate([members for g, members in enumerate(self.members) if g != group])


def jackknife_interval(recompute: Recompute, groups: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return a statistic with the delete-one-group jackknife error and t(G-1), on the statistic's own scale.

    se^2 = (G - 1) / G sum_g (theta_without_g - mean)^2. It costs G computations and keeps its level where the
    linearised error is a little short, with fewer than about 50 groups; arguments as for ``bca_interval``.
    """
    clusters = _Clusters(groups)
    start = recompute(np.arange(clusters.n))
    if isinstance(start, Undefined):
        return start.estimate(level=level)
    if clusters.count < 2:
        return _bare(start, clusters, level, "none: a single group")
    left_out = _left_out(recompute, clusters)
    if left_out.size < clusters.count:
        return _bare(start, clusters, level, "none: undefined without one of the groups")
    if is_constant(left_out):
        return _bare(start, clusters, level, NO_VARIATION)
    spread = float(np.square(left_out - left_out.mean()).sum())
    se = math.sqrt((clusters.count - 1) / clusters.count * spread)
    found = interval_from_error(
        start.value, se, n=start.n, groups=clusters.count, level=level, scale=start.scale
    )
    named = replace(found, method=found.method.replace("CR1", "jackknife"))
    return named if start.bounds is None else named.clipped(*start.bounds)


def bca_interval(
    recompute: Recompute, groups: ArrayLike, *, level: float = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Estimate:
    """Return a statistic with its BCa cluster bootstrap interval.

    recompute: maps item indices, with repetitions, to the statistic of those items.
    groups: (n,) codes of the clusters of the items 0..n-1.
    """
    clusters = _Clusters(groups)
    start = recompute(np.arange(clusters.n))
    if isinstance(start, Undefined):
        return start.estimate(level=level)
    if clusters.count < MIN_GROUPS:
        return _bare(start, clusters, level, f"none: BCa needs at least {MIN_GROUPS} groups")
    rng = np.random.default_rng(seed)
    values = [recompute(clusters.drawn(rng)[0]).value for _ in range(draws)]
    drawn = np.array([value for value in values if value is not None])
    if drawn.size < (1.0 - MAX_UNDEFINED_SHARE) * draws:
        return _bare(start, clusters, level, f"none: undefined in {draws - drawn.size} of {draws} resamples")
    if is_constant(drawn):
        return _bare(start, clusters, level, "none: every resample gives the same value")
    jackknife = _left_out(recompute, clusters)
    bias = bias_correction(drawn, start.value)
    if jackknife.size < clusters.count or not math.isfinite(bias):
        return _bare(start, clusters, level, "none: BCa is undefined for these data")
    tails = bca_tails(bias, acceleration(jackknife), level)
    low, high = (float(bound) for bound in np.quantile(drawn, tails))
    method = _label("BCa", draws, drawn.size, clusters.count, seed)
    return Estimate(
        start.value, float(drawn.std(ddof=1)), low, high, level, method, start.n, clusters.count, None
    )


def bootstrap_t_interval(
    recompute: Recompute, groups: ArrayLike, *, level: float = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Estimate:
    """Return a statistic with its studentised cluster bootstrap interval, on the statistic's own scale.

    Every resample is divided by its own CR1 standard error; arguments as for ``bca_interval``.
    """
    clusters = _Clusters(groups)
    start = recompute(np.arange(clusters.n))
    if isinstance(start, Undefined):
        return start.estimate(level=level)
    if clusters.count < MIN_GROUPS:
        return _bare(start, clusters, level, f"none: bootstrap-t needs at least {MIN_GROUPS} groups")
    se = start.estimate(groups, level=level).se
    slope = slope_on(start.value, start.scale)
    if not se or slope is None:
        return _bare(start, clusters, level, NO_VARIATION)
    pivots = _pivots(recompute, clusters, start, np.random.default_rng(seed), draws)
    if pivots.size < (1.0 - MAX_UNDEFINED_SHARE) * draws:
        return _bare(start, clusters, level, f"none: undefined in {draws - pivots.size} of {draws} resamples")
    lower, upper = (float(q) for q in np.quantile(pivots, [(1.0 - level) / 2.0, (1.0 + level) / 2.0]))
    centre = to_scale(start.value, start.scale)
    low = from_scale(centre - upper * se * slope, start.scale)
    high = from_scale(centre - lower * se * slope, start.scale)
    method = _label("bootstrap-t", draws, pivots.size, clusters.count, seed)
    found = Estimate(start.value, se, low, high, level, method, start.n, clusters.count, None)
    return found if start.bounds is None else found.clipped(*start.bounds)


def _left_out(recompute: Recompute, clusters: _Clusters) -> FloatArray:
    """Return the values without each group in turn, undefined ones left out."""
    values = [recompute(clusters.without(g)).value for g in range(clusters.count)]
    return np.array([value for value in values if value is not None])


def _pivots(
    recompute: Recompute, clusters: _Clusters, start: Linearized, rng: np.random.Generator, draws: int
) -> FloatArray:
    centre = to_scale(start.value, start.scale)
    pivots = []
    for _ in range(draws):
        items, codes = clusters.drawn(rng)
        pivot = _pivot(recompute(items), codes, centre, start.scale)
        if pivot is not None:
            pivots.append(pivot)
    return np.array(pivots)


def _pivot(found: Statistic, codes: IntArray, centre: float, scale: Scale) -> float | None:
    if isinstance(found, Undefined):
        return None
    slope, se = slope_on(found.value, scale), found.estimate(codes).se
    if slope is None or not se:
        return None
    return (to_scale(found.value, scale) - centre) / (se * slope)


def _bare(start: Linearized, clusters: _Clusters, level: float, method: str) -> Estimate:
    return point(start.value, n=start.n, groups=clusters.count, level=level, method=method)


def _label(name: str, draws: int, defined: int, groups: int, seed: int) -> str:
    lost = f", undefined in {draws - defined}" if defined < draws else ""
    return f"{name}, {draws} draws of {groups} groups, seed {seed}{lost}"
