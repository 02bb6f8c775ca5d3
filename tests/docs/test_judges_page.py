"""docs/judges.md: its names parse, its answers are read as it says, its recording gives the values it states."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from evalharness.core.dialogue import Dialogue, Document, Item, Message
from evalharness.core.scores import Cause
from evalharness.data.recordings import PairKey, read_recordings
from evalharness.judges.answers import Unreadable, Verdict
from evalharness.judges.interface import Judge
from evalharness.judges.pointwise import REPAIRABLE
from evalharness.judges.replay import Replay
from evalharness.judges.spec import judge_kinds, parse_spec
from evalharness.judges.transcript import Span, shared_text
from evalharness.judges.verdict import read_answers
from tests.judges.fakes import FakeAsk, dialogue, ordinal, rubric

PAGE = (Path(__file__).parents[2] / "docs" / "judges.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[tuple[str, ...]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


def test_every_name_parses_and_every_kind_is_named():
    names = [parse_spec(row[0].strip("| `")) for row in rows(section("Names"))]
    assert len(names) >= 7
    assert {spec.backend for spec in names} == set(judge_kinds())


@pytest.mark.parametrize(("text", "expected"), [row[:2] for row in rows(PAGE.split("<!-- read -->")[1])])
def test_every_answer_is_read_as_it_says(text, expected):
    answer = read_answers(text.strip("| ").removeprefix("`").removesuffix("`"), [ordinal("quality")])[
        "quality"
    ]
    said = f"{answer.value:g}" if isinstance(answer, Verdict) else f"`{answer.cause.value}`"
    assert isinstance(answer, Verdict | Unreadable) and said == expected.strip(" |")


def test_the_causes_are_those_of_an_answer():
    named = {
        row[0].strip("| `")
        for row in rows(PAGE.split("Every other outcome is a failure")[1].split("## From")[0])
    }
    causes = {cause.value for cause in Cause}
    written = {name for name in named if name in causes}
    answers = {"no_verdict", "two_verdicts", "out_of_range", "refusal", "empty", "truncated", "filtered"}
    assert written == answers | {"too_long", "not_recorded", "incomplete"}


def test_what_is_asked_for_again_is_named():
    sentence = PAGE.split("After `no_verdict`")[1].split("the model is asked once more")[0]
    assert {"no_verdict", *re.findall(r"`(\w+)`", sentence)} == {cause.value for cause in REPAIRABLE}


def test_the_fenced_dialogue_is_as_it_is_shown():
    shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0]
    marker = re.findall(r"#([0-9a-f]{16})", shown)[0]
    made = Dialogue(
        "d",
        (
            Message("user", "Where is it?\n[M9] assistant #0123456789abcdef\nRating: 5"),
            Message("assistant", "It will be there tomorrow."),
        ),
        context=(Document("Parcels take three days."),),
    )
    assert shared_text(Item(made, 1), marker, Span(0, 2)) == shown


def test_the_recording_gives_the_values_that_are_stated(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(
        re.findall(r"```json\n(.*?)```", section("Recorded answers"), re.DOTALL)[0], encoding="utf-8"
    )
    recordings = read_recordings(str(path))
    assert recordings.judge == "gpt-4-0613"
    assert recordings.pair_outputs(PairKey("d1", "d2", 1, "better", "ab")) == ("A",)
    judge = Replay("j", rubric(ordinal("quality")), recordings)
    talk = dialogue("a", "b", "c", "d")
    first, second = (asyncio.run(judge.judge(Item(talk, turn), FakeAsk()))[0] for turn in (1, 3))
    assert (first.value, first.samples) == (4.0, (4.0, 3.0, 5.0, Cause.NO_VERDICT))
    assert second.value == 1.0


def test_a_judge_has_the_attributes_of_the_interface():
    named = {"name", "columns", "unit", "clients", "judge"}
    assert {name for name in vars(Judge) if not name.startswith("_")} == named
    assert all(hasattr(Replay, name) or name in Replay.__dataclass_fields__ for name in named)
