"""Verdicts that a change flips: the share of items whose pass mark is another one than before, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalharness.audit.values import number_of
from evalharness.core.rubric import PassRule
from evalharness.core.scores import OVERALL, Column, Result, Score
from evalharness.stats.estimate import Estimate
from evalharness.stats.rates import wilson_clustered

Pair = tuple[str, Sequence[Result], Sequence[Result]]
"""Group, results of the original, results of the changed copy: one result per column."""


def flips_of(column: Column, place: int, columns: Sequence[Column], pairs: Sequence[Pair]) -> Estimate | None:
    """The share of flipped pass marks of ``column``, at ``place`` in ``columns``; None where nothing says what passes.

    An overall without a pass rule of its own passes where every criterion that has one does (those that were scored on
    both sides). The interval is Wilson's at the effective sample size of the groups, with t(G-1): shares are near 0
    where a judge is good.
    """
    ruled = _ruled(column, place, columns)
    rows = [(group, *marks) for group, a, b in pairs if (marks := _marks(place, ruled, a, b)) is not None]
    if not rows:
        return None
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(group, len(known)) for group, _, _ in rows], dtype=np.intp)
    return wilson_clustered(np.array([float(a != b) for _, a, b in rows]), codes)


def _ruled(column: Column, place: int, columns: Sequence[Column]) -> list[tuple[int, PassRule]]:
    """The places whose values decide whether an item passes, with their rules."""
    if column.passes is not None:
        return [(place, PassRule.parse(column.passes))]
    if column.criterion != OVERALL:
        return []
    return [(n, PassRule.parse(c.passes)) for n, c in enumerate(columns) if c.passes is not None]


def _marks(
    place: int, ruled: Sequence[tuple[int, PassRule]], one: Sequence[Result], other: Sequence[Result]
) -> tuple[bool, bool] | None:
    """Whether both sides pass; None where either has no value, or nothing that was scored on both has a rule."""
    if not (isinstance(one[place], Score) and isinstance(other[place], Score)):
        return None
    both = [
        (rule(a), rule(b))
        for n, rule in ruled
        if (a := number_of(one[n])) is not None and (b := number_of(other[n])) is not None
    ]
    if not both:
        return None
    return all(a for a, _ in both), all(b for _, b in both)
