"""Which judges of the section ``judges`` compare pairs: one judge with options of its own, and a panel of such.

The other kinds judge one item at a time; each is refused with what to do instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalharness.core.canonical import Json
from evalharness.core.rubric import Rubric
from evalharness.errors import UsageError
from evalharness.judges.compose import (
    Definition,
    Make,
    by_rubric,
    combine_of,
    definition_of,
    own_options,
    single_name,
)
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pair_panel import PairPanel
from evalharness.judges.pairwise import PairJudge

_REFUSED = {
    "cascade": (
        "is a cascade, which could leave the two orders of a pair to two judges",
        "Name its judges one by one (--judge …, --judge …), or make a panel of them.",
    ),
    "claims": (
        "counts the claims of one reply and compares none",
        "Let `score` judge both systems with it, and compare the runs with `diff`.",
    ),
    "first_failure": (
        "looks for the first failing reply of one dialogue and compares none",
        "Let `score` judge both systems with it, and compare the runs with `diff`.",
    ),
    "repeat": ("repeats a judge of single items", "Use --samples N for N verdicts per order."),
}


def make_composed_pairs(
    name: str, given: Json, called: str, rubrics: Sequence[Rubric], options: JudgeOptions, make: Make
) -> list[PairJudge]:
    """The judges of pairs of one definition, one per rubric; UsageError for a kind that compares nothing."""
    definition = definition_of(name, given, make)
    if definition.kind in _REFUSED:
        why, instead = _REFUSED[definition.kind]
        raise UsageError(f"{name} {why}", fix=instead)
    if definition.kind == "judge":
        return [*make([single_name(definition, called)], rubrics, own_options(definition, options))]
    return _panels(definition, called, rubrics, options)


def _panels(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[PairJudge]:
    combine = combine_of(definition)
    if combine.needs_all_items:
        raise UsageError(
            f"{definition.where}: preferences are not combined by {combine.value}",
            fix="Leave out combine: members vote with what they prefer in both orders.",
        )
    quorum = definition.take("quorum", int, "a whole number")
    return [
        PairPanel(called, rubric, members, quorum)
        for rubric, members in by_rubric(definition.make(definition.names(), rubrics, options), rubrics)
    ]
