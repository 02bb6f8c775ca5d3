"""The recorded judge outputs of Topical-Chat as files for ``replay:``, keyed by the ids of the USR reader.

Rows of the recordings name a context by its text and a reply by its system; the USR reader calls the same reply
``usr-<context>-<system>``. The join is by both, never by position.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evalharness.data.dialogues import read_dialogues
from evalharness.data.reading import Read
from tests.research import research_file

STYLES = ("geval", "geval_no_auto_cot", "llm_eval_no_cot", "analyze_rate", "rate_explain")
CRITERIA = ("naturalness", "coherence", "engagingness", "groundedness")
JUDGE = "gpt-3.5-turbo"
USR_FILE = "usr-topical-chat/tc_usr_data.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded row: 20 outputs of one style about one reply on one criterion, and the mean human rating."""

    dialogue: str
    turn: int
    group: str
    criterion: str
    outputs: tuple[str, ...]
    human: float


@cache
def usr_turns() -> dict[tuple[str, str], tuple[str, int, str]]:
    """Dialogue id, turn and group of each reply of the USR file, by the words of its history and its system."""
    turns = {}
    for read in read_dialogues([str(research_file(USR_FILE))]):
        assert isinstance(read, Read)
        dialogue = read.dialogue
        (turn,) = dialogue.assistant_turns()
        history = " ".join(message.content for message in dialogue.messages[:turn])
        turns[_words(history), dialogue.system] = (dialogue.id, turn, dialogue.group)
    return turns


@cache
def recorded_rows(style: str) -> tuple[Recorded, ...]:
    """The rows of one style, joined to the USR file; a row without its reply is an error."""
    turns = usr_turns()
    path = research_file(f"topical-chat-recorded/{style}.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(_recorded(json.loads(line), turns) for line in lines)


def _recorded(row: dict[str, Any], turns: dict[tuple[str, str], tuple[str, int, str]]) -> Recorded:
    dialogue, turn, group = turns[_words(row["source"]), row["system_id"]]
    return Recorded(dialogue, turn, group, row["criterion"], tuple(row["outputs"]), row["human"])


def published_number(text: str) -> float | None:
    """The number that the published rule takes from an output; None where it takes none.

    The printed figures come from the first digit alone: with its decimals kept, groundedness differs by up to .009.
    """
    text = text.lower().replace("\n", " ").replace("1-3", "")
    found = re.search(r"\d", text.rpartition("rating:")[2])
    return None if found is None else float(found.group())


def write_replay(style: str, path: Path, *, numbers: bool = False) -> Path:
    """A file for ``replay:`` with the raw texts of one style, or with the numbers of the published rule (unparsable
    outputs as null)."""
    rows: list[dict[str, Any]] = [{"judge": f"{JUDGE} {style}"}]
    for row in recorded_rows(style):
        outputs: list[str | float | None] = list(row.outputs)
        if numbers:
            outputs = [published_number(text) for text in row.outputs]
        rows.append(
            {"dialogue": row.dialogue, "turn": row.turn, "criterion": row.criterion, "outputs": outputs}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _words(text: str) -> str:
    return " ".join(text.split())
