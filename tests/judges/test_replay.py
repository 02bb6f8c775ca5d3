"""Recorded answers through the same reader as live ones."""

from __future__ import annotations

import asyncio
import json

import pytest

from evalharness.core.dialogue import Dialogue, Item, Message
from evalharness.core.rubric import Need
from evalharness.core.scores import Cause, Evidence, Failure, Score, Skip, SkipReason
from evalharness.data.recordings import read_recordings
from evalharness.judges.replay import Replay
from tests.judges.fakes import FakeAsk, answer_json, binary, nominal, numeric, ordinal, rubric, turn

QUALITY = ordinal("quality")


def replay(tmp_path, outputs, *criteria, header=None, **row):
    criteria = criteria or (QUALITY,)
    rows = [{"judge": header}] if header else []
    rows.append({"dialogue": "d1", "turn": 1, "criterion": criteria[0].id, "outputs": outputs, **row})
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Replay("me", rubric(*criteria), read_recordings(str(path)))


def judged(made, item=None):
    return asyncio.run(made.judge(item or turn(), FakeAsk()))


@pytest.mark.parametrize(
    ("outputs", "value"),
    [
        (["4"], 4.0),
        ([4], 4.0),
        (["Rating: 4"], 4.0),
        ([answer_json(quality=4)], 4.0),
        ([2, 5, "Rating: 5"], 4.0),
    ],
)
def test_the_value_is_the_mean_of_the_outputs(tmp_path, outputs, value):
    score, overall = judged(replay(tmp_path, outputs))
    assert score.value == value and overall.value == (value - 1) / 4


def test_all_samples_are_kept_and_unusable_ones_by_cause(tmp_path):
    outputs = ["Rating: 2", "Hm.", None, 9, "Rating: 4", "Rating: 1 or 2", "I'm sorry, no."]
    score, _ = judged(replay(tmp_path, outputs))
    assert score.value == 3.0
    assert score.samples == (
        2.0, Cause.NO_VERDICT, Cause.EMPTY, Cause.OUT_OF_RANGE, 4.0, Cause.TWO_VERDICTS, Cause.REFUSAL,
    )  # fmt: skip


def test_recorded_numbers_are_held_against_the_scale(tmp_path):
    assert judged(replay(tmp_path, [4.5]))[0].cause is Cause.OUT_OF_RANGE
    assert judged(replay(tmp_path, [0.5], numeric()))[0].value == 0.5
    assert judged(replay(tmp_path, [1, 0, 1, 1], binary()))[0].value == 0.75


def test_labels_are_decided_by_majority(tmp_path):
    assert judged(replay(tmp_path, ["warm", "cold", "tone: warm"], nominal()))[0].value == "warm"


def test_evidence_and_rationale_of_recorded_json(tmp_path):
    text = json.dumps(
        {"quality": {"evidence": [{"message": "M1", "quote": "help"}], "rationale": "ok", "value": 3}}
    )
    score, _ = judged(replay(tmp_path, [text]))
    assert (score.rationale, score.evidence) == ("ok", (Evidence(1, "help", True),))


def test_prose_around_a_verdict_is_its_rationale(tmp_path):
    assert judged(replay(tmp_path, ["It is polite and short.\nRating: 3"]))[0].rationale.startswith(
        "It is polite"
    )
    assert judged(replay(tmp_path, ["Rating: 3"]))[0].rationale is None


def test_items_that_are_not_recorded_fail_with_that_cause(tmp_path):
    made = replay(tmp_path, ["4"])
    other = judged(made, turn(name="d2"))
    assert [r.cause for r in other] == [Cause.NOT_RECORDED, Cause.INCOMPLETE]
    assert judged(replay(tmp_path, ["4"], turn=0))[0].cause is Cause.NOT_RECORDED


def test_one_turn_recorded_under_two_names_is_a_failure(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [
        {"dialogue": "d1", "turn": name, "criterion": "quality", "outputs": [4]} for name in (1, "reply 1")
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    failure = judged(Replay("me", rubric(QUALITY), read_recordings(str(path))))[0]
    assert isinstance(failure, Failure) and failure.cause is Cause.SCORER_ERROR


def test_needs_and_silent_dialogues_are_skips_as_for_live_judges(tmp_path):
    made = replay(tmp_path, ["4"], ordinal("quality", needs=(Need.CONTEXT,)))
    assert judged(made)[0] == Skip(SkipReason.NO_CONTEXT)
    silent = Item(Dialogue("d1", (Message("user", "?"),)), 0)
    assert judged(replay(tmp_path, ["4"], turn=0), silent)[0].reason is SkipReason.NOTHING_TO_JUDGE


def test_a_recorded_verdict_that_stands_in_the_dialogue_is_a_copy(tmp_path):
    made = replay(tmp_path, ["Rating: 5"])
    assert judged(made, turn("Say Rating: 5", "No."))[0].cause is Cause.NO_VERDICT
    assert judged(made)[0] == Score(5.0)


def test_columns_name_the_recorded_judge_and_what_it_said(tmp_path):
    made = replay(tmp_path, ["4"], header="gpt-4-0613")
    signature = made.columns[0].signature
    assert signature.startswith("judge:gpt-4-0613|recording:") and "protocol:replay" in signature
    assert replay(tmp_path, ["5"], header="gpt-4-0613").columns[0].signature != signature
    assert made.columns[0].scorer == "me" and made.clients == ()
