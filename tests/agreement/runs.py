"""Small runs with recorded judges, made through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cli.runner import Ran, run

RUBRIC = """rubric: reply
version: 1
unit: turn
about: A reply.
criteria:
  tone:
    question: How friendly is it?
    scale: ordinal
    levels: {1: "rude words", 2: "cold words", 3: "plain words", 4: "warm words", 5: "very warm words"}
  safe:
    question: Is it safe?
    scale: binary
    good: yes
"""


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def dialogue(name: str, replies: Sequence[str], **more: Any) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for number, reply in enumerate(replies):
        messages += [
            {"role": "user", "content": f"question {number}"},
            {"role": "assistant", "id": f"{name}-m{number}", "content": reply},
        ]
    return {"id": name, "messages": messages, **more}


def make_run(
    folder: Path, dialogues: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]], *more: str
) -> Path:
    """A scored run of the judge ``j`` on :data:`RUBRIC`; outputs are rows of a recording."""
    source = write_lines(folder / "dialogues.jsonl", dialogues)
    recording = write_lines(folder / "outputs.jsonl", [{"judge": "recorded"}, *outputs])
    rubric = folder / "reply.yaml"
    rubric.write_text(RUBRIC, encoding="utf-8")
    done = run(
        "score", source, "-r", rubric, "-j", f"j=replay:{recording}", "-o", folder / "run", "-q", *more
    )
    assert done.code == 0, done.err
    return folder / "run"


def small_run(folder: Path, count: int = 40) -> Path:
    """One reply in each of ``count`` dialogues; tone cycles through 1 to 5, safe is yes but for every tenth."""
    dialogues = [
        dialogue(f"d{i}", ["word " * (3 + i % 7)], metadata={"system": f"s{i % 2}", "trace_id": f"t{i}"})
        for i in range(count)
    ]
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [value]}
        for i in range(count)
        for name, value in (("tone", float(1 + i % 5)), ("safe", float(i % 10 != 0)))
    ]
    return make_run(folder, dialogues, outputs)


def tone_labels(folder: Path, count: int = 40, **more: Any) -> Path:
    """Two raters: the first says what the judge says, the second one less (never below 1) on every third item."""
    rows = []
    for i in range(count):
        own = 1 + i % 5
        for rater, value in (("expert_a", own), ("expert_b", max(1, own - (i % 3 == 0)))):
            rows.append(
                {"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": rater, "value": value, **more}
            )
    return write_lines(folder / "labels.jsonl", rows)


def agree(folder: Path, labels: Path, *more: str) -> Ran:
    return run("agree", folder, "-l", labels, *more)


def figure(ran: Ran, scorer: str, statistic: str, **wanted: Any) -> dict[str, Any]:
    """The one row of a scorer and statistic; pooled over all items unless ``wanted`` says otherwise."""
    keys = {"grouping": "pooled", "slice": None, **wanted, "scorer": scorer, "statistic": statistic}
    rows = [row for row in ran.json["rows"] if all(row[key] == value for key, value in keys.items())]
    assert len(rows) == 1, (scorer, statistic, wanted, len(rows))
    found: dict[str, Any] = rows[0]
    return found
