"""How a run's judges were asked, as its manifest records it: enough to ask the same judge again, and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalharness.core.canonical import Json
from evalharness.data.ledger.store import Ledger
from evalharness.data.rubrics import find_rubric, parse_rubric
from evalharness.judges.options import JudgeOptions
from evalharness.judges.spec import parse_spec
from evalharness.llm.client import Sampling

ASKED = "asked"
"""The manifest entry that holds it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Judges by their name in outcomes, rubrics (their text) by theirs, how they were asked, and the API flavour."""

    judges: Mapping[str, str]
    rubrics: Mapping[str, str]
    options: JudgeOptions
    api: str | None


def recipe(
    judges: Sequence[str], rubrics: Sequence[str], options: JudgeOptions, models: Mapping[str, Json]
) -> dict[str, Json]:
    """The manifest entry. Facts about models stay out: settings may hold what no file should."""
    texts: list[Json] = [find_rubric(name).read_text(encoding="utf-8-sig") for name in rubrics]
    return {
        "judges": list(judges),
        "rubrics": texts,
        "options": asdict(options),
        "api": models.get("api"),
    }


def recorded_recipe(ledger: Ledger) -> Recipe | None:
    """What the manifest says; None where it says nothing (a run of metrics alone, or of an older version)."""
    stored: Any = ledger.get(ASKED)
    if not isinstance(stored, dict) or not stored.get("judges"):
        return None
    options = dict(stored["options"])
    options["sampling"] = Sampling(**options["sampling"])
    return Recipe(
        judges={parse_spec(text).name: text for text in stored["judges"]},
        rubrics={parse_rubric(text, "the run's rubric").name: text for text in stored["rubrics"]},
        options=JudgeOptions(**options),
        api=stored["api"],
    )
