"""What an audit left open, why, and how many more items would settle it: in words for every format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.audit.settling import FEWEST_GROUPS
from evalharness.core.scores import OVERALL
from evalharness.report.figures import number

UNKNOWN = "more dialogues would tell (--size)"
"""What is said of a question in an audit that did not keep what it lacked."""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One question that stayed open, and why in words."""

    name: str
    why: str


def open_questions(
    effects: Sequence[Mapping[str, Any]], measures: Sequence[Mapping[str, Any]]
) -> Iterator[OpenQuestion]:
    """Every unclear effect that has pairs, and every unclear measure."""
    for row in _unclear(effects, measures):
        yield OpenQuestion(_name(row), _why(row.get("open"), row["words"]))


def open_note(
    document: Mapping[str, Any], effects: Sequence[Mapping[str, Any]], measures: Sequence[Mapping[str, Any]]
) -> str:
    """How the numbers of further items are meant, and the ``--size`` that settles all that a size can settle."""
    found = [row["open"] for row in _unclear(effects, measures) if row.get("open")]
    sizes = [
        document["items"] * (entry["items"] + entry["more"]) / entry["items"]
        for entry in found
        if entry["more"] and entry["items"]
    ]
    if not sizes:
        return ""
    told = "So many more items settle a question with a chance of 80 %, if its effect is as measured"
    if document["compares_pairs"]:
        return f"{told} (--size draws more scenarios)."
    return f"{told}; for the most demanding one that is about --size {_roughly(max(sizes))}."


def criterion_name(name: str) -> str:
    """A criterion as people read it."""
    return "overall" if name == OVERALL else name


def _unclear(
    effects: Sequence[Mapping[str, Any]], measures: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for row in effects:
        if row["finding"] == "unclear" and row["kind"] != "undefended" and row["pairs"]:
            yield row
    for row in measures:
        if row["finding"] == "unclear":
            yield row


def _name(row: Mapping[str, Any]) -> str:
    return row["probe"] if "probe" in row else f"{row['measure']} ({criterion_name(row['criterion'])})"


def _why(found: Mapping[str, Any] | None, words: str) -> str:
    if found is None:
        return UNKNOWN
    if found["width"] is None and found["more"] is None:
        return words
    parts = [_count(found["items"], "item")]
    if found["groups"] != found["items"]:
        parts[0] += f" ({_count(found['groups'], 'group')})"
    if found["groups"] < FEWEST_GROUPS:
        parts.append(f"no finding rests on fewer than {FEWEST_GROUPS}{' groups' if '(' in parts[0] else ''}")
    if found["width"] is not None:
        parts.append(f"interval {number(found['width'])} wide, ±{number(found['tolerated'])} tolerated")
    return f"{', '.join(parts)}: {_more(found['more'])}"


def _more(more: int | None) -> str:
    if more is None:
        return "so near the margin that no number would settle it"
    return f"about {_roughly(more):,} more"


def _roughly(count: float) -> int:
    """A count to two digits, rounded up: it is a guess from an interval."""
    unit: int = 10 ** max(0, len(str(math.ceil(count - 1e-9))) - 2)
    return math.ceil((count - 1e-9) / unit) * unit


def _count(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'s' if number_of != 1 else ''}"
