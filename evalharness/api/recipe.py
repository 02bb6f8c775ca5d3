"""How a run's judges were asked, as its manifest records it: enough to ask the same judge again, and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json
from evalharness.data.ledger.store import Ledger
from evalharness.data.rubrics import find_rubric, parse_rubric
from evalharness.data.strictyaml import parse_mapping
from evalharness.judges.options import JudgeOptions
from evalharness.judges.spec import judge_name
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
    paths = [find_rubric(name) for name in rubrics]
    texts: list[Json] = [path.read_text(encoding="utf-8-sig") for path in paths]
    return {
        "judges": list(judges),
        "rubrics": texts,
        "rubric_files": [str(path) for path in paths],
        "options": asdict(options),
        "api": models.get("api"),
    }


def rubric_lines(ledger: Ledger) -> dict[tuple[str, str], tuple[str, int]]:
    """File and line of each criterion, by rubric and criterion, where the file still reads as the run's rubric did."""
    stored: Any = ledger.get(ASKED)
    if not isinstance(stored, dict):
        return {}
    found = {}
    for text, name in zip(stored["rubrics"], stored["rubric_files"], strict=True):
        if _read(Path(name)) != text:
            continue
        document = parse_mapping(text, name)
        for criterion, place in document["criteria"].keys_at.items():
            found[str(document["rubric"]), criterion] = (name, place.line)
    return found


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def recorded_recipe(ledger: Ledger) -> Recipe | None:
    """What the manifest says; None where it says nothing (a run of metrics alone, or of an older version)."""
    stored: Any = ledger.get(ASKED)
    if not isinstance(stored, dict) or not stored.get("judges"):
        return None
    options = dict(stored["options"])
    options["sampling"] = Sampling(**options["sampling"])
    return Recipe(
        judges={judge_name(text): text for text in stored["judges"]},
        rubrics={parse_rubric(text, "the run's rubric").name: text for text in stored["rubrics"]},
        options=JudgeOptions(**options),
        api=stored["api"],
    )
