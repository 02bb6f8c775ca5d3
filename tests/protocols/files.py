"""The files that a protocol runs on: dialogues, rubrics, recorded answers and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cli.runner import Ran, run, scores

QUALITY = """\
rubric: tiny
version: 1
unit: turn
about: "A support agent answers."
criteria:
  quality:
    question: "How good is the reply?"
    scale: ordinal
    levels: {1: "Useless.", 2: "Poor.", 3: "Fair.", 4: "Good.", 5: "Perfect."}
    pass: ">=4"
"""
TONE = """\
rubric: tone
version: 1
unit: turn
about: "A support agent answers."
criteria:
  tone:
    question: "Which tone has the reply?"
    scale: nominal
    levels: {cold: "It is cold.", warm: "It is warm.", rude: "It is rude."}
"""


def write_dialogues(count: int, **more: Any) -> None:
    """``in.jsonl`` with dialogues ``d0`` … of one reply each."""
    lines = []
    for number in range(count):
        messages = [
            {"role": "user", "content": f"Where is parcel {number}? [row d{number}]"},
            {"role": "assistant", "content": f"Parcel {number} is in Lyon."},
        ]
        lines.append(json.dumps({"id": f"d{number}", "messages": messages, **more}))
    Path("in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_rubric(text: str = QUALITY) -> str:
    """A rubric file; its name."""
    Path("rubric.yaml").write_text(text, encoding="utf-8")
    return "rubric.yaml"


def record(name: str, criterion: str, outputs: Mapping[str, Any], turn: int | None = 1) -> str:
    """A recording of one answer (or a list of them) per dialogue; the judge's name with an alias."""
    rows = [
        {"dialogue": dialogue, "criterion": criterion, "outputs": said if isinstance(said, list) else [said]}
        | ({} if turn is None else {"turn": turn})
        for dialogue, said in outputs.items()
    ]
    Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"{name}=replay:{name}.jsonl"


def settings(judges: Mapping[str, Any], **sections: Any) -> None:
    """evalharness.yaml with the section ``judges``."""
    Path("evalharness.yaml").write_text(json.dumps({"judges": judges, **sections}), encoding="utf-8")


def score(judge: str, *more: str | Path, rubric: str = "rubric.yaml") -> Ran:
    """`score` of in.jsonl into ``r``."""
    return run("score", "in.jsonl", "--rubric", rubric, "--judge", judge, "-o", "r", "-q", *more)


def outcomes(criterion: str) -> dict[str, dict[str, Any]]:
    """The outcome lines of a criterion by dialogue."""
    return {row["dialogue"]: row for row in scores(Path("r")) if row["criterion"] == criterion}


def values(criterion: str, names: Sequence[str] = ()) -> list[Any]:
    """The values of a criterion in the order of the dialogues' names."""
    found = outcomes(criterion)
    return [found[name]["value"] for name in names or sorted(found)]
