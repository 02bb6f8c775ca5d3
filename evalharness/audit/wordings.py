"""The same rubric asked otherwise: criteria in another order, or the same questions in other words.

Both work on the parsed file of a rubric, so that what is judged is again a rubric file, checked like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.core.rubric import Rubric
from evalharness.errors import UsageError

_QUESTION = "Here is what you are to decide. {} Decide it by what you are shown."
_LEVEL = "This is the one to choose where the following describes it best: {}"
_ABOUT = "By way of background: {}"


def criteria_reversed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The rubric with its criteria in reverse order."""
    return {**document, "criteria": dict(reversed(document["criteria"].items()))}


def reworded(document: Mapping[str, Any]) -> dict[str, Any]:
    """The rubric with a frame of other words around every question and level; the meaning stays."""
    criteria = {name: _reworded(body) for name, body in document["criteria"].items()}
    about = document.get("about")
    return {**document, "criteria": criteria, **({"about": _ABOUT.format(about)} if about else {})}


def _reworded(body: Mapping[str, Any]) -> dict[str, Any]:
    levels = body.get("levels")
    changed: dict[str, Any] = {**body, "question": _QUESTION.format(body["question"])}
    if isinstance(levels, Mapping):
        changed["levels"] = {
            label: _LEVEL.format(text) if text not in (None, "") else text for label, text in levels.items()
        }
    return changed


def check_same_scales(rubric: Rubric, other: Rubric) -> None:
    """A paraphrase has the same unit, criteria and scales; :class:`UsageError` naming the first difference."""
    if rubric.unit is not other.unit:
        raise UsageError(f"the paraphrase judges a {other.unit.value}, the rubric a {rubric.unit.value}")
    ours = {c.id: (c.scale, c.low, c.high, c.labels, c.higher_is_better) for c in rubric.criteria}
    theirs = {c.id: (c.scale, c.low, c.high, c.labels, c.higher_is_better) for c in other.criteria}
    for name in dict.fromkeys((*ours, *theirs)):
        if ours.get(name) != theirs.get(name):
            raise UsageError(
                f"criterion {name!r} is not the same in the rubric and its paraphrase",
                fix="A paraphrase changes words only: same criteria, scales and levels.",
            )
