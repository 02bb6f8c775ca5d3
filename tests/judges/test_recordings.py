"""Files of recorded answers: what is read, what is refused and where."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest
import zstandard

from evalharness.core.dialogue import Item, Message
from evalharness.data.reading import RecordError
from evalharness.data.recordings import PairKey, read_recordings
from evalharness.errors import InputError
from tests.judges.fakes import dialogue

DIALOGUE = dialogue("a", "b", "c", "d")
ROW = {"dialogue": "d1", "turn": 3, "criterion": "quality", "outputs": ["Rating: 4", 5, None]}


def write(tmp_path, *rows, name="r.jsonl"):
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path = tmp_path / name
    data = text.encode("utf-8", "surrogatepass")
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".zst"):
        data = zstandard.compress(data)
    path.write_bytes(data)
    return str(path)


def problems(tmp_path, *rows):
    path = write(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        read_recordings(path)
    assert all(problem.source == path for problem in caught.value.problems)
    return [(problem.line, str(problem)) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.jsonl.zst", "no-suffix"])
def test_plain_and_packed_files(tmp_path, name):
    found = read_recordings(write(tmp_path, {"judge": "gpt-4-0613"}, ROW, name=name))
    assert (found.judge, found.item_count, found.pair_count, found.criteria) == (
        "gpt-4-0613",
        1,
        0,
        {"quality": 1},
    )
    assert found.outputs(Item(DIALOGUE, 3), "quality") == ("Rating: 4", 5.0, None)
    assert found.outputs(Item(DIALOGUE, 1), "quality") is None
    assert found.outputs(Item(DIALOGUE, 3), "other") is None
    assert found.outputs(Item(DIALOGUE), "quality") is None


def test_the_judge_s_name_is_optional_and_the_digest_is_of_the_content(tmp_path):
    plain = read_recordings(write(tmp_path, ROW))
    packed = read_recordings(write(tmp_path, {"judge": "x"}, ROW, name="x.gz"))
    other = read_recordings(write(tmp_path, {**ROW, "outputs": ["Rating: 3"]}, name="other"))
    assert (plain.judge, plain.digest) == ("", packed.digest) and other.digest != plain.digest


@pytest.mark.parametrize("turn", [3, "3", "m3", "reply 2", "Reply  2"])
def test_a_turn_goes_by_its_index_its_message_id_or_its_number_among_the_replies(tmp_path, turn):
    messages = (*DIALOGUE.messages[:3], Message("assistant", "d", id="m3"))
    from dataclasses import replace

    named = replace(DIALOGUE, messages=messages)
    found = read_recordings(write(tmp_path, {**ROW, "turn": turn}))
    assert found.outputs(Item(named, 3), "quality") is not None
    assert found.outputs(Item(named, 1), "quality") is None


@pytest.mark.parametrize(
    "row", [{**ROW, "turn": None}, {**ROW, "turn": ""}, {k: v for k, v in ROW.items() if k != "turn"}]
)
def test_a_whole_dialogue_has_no_turn(tmp_path, row):
    found = read_recordings(write(tmp_path, row))
    assert found.outputs(Item(DIALOGUE), "quality") is not None
    assert found.outputs(Item(DIALOGUE, 3), "quality") is None


def test_a_number_as_id_is_its_text(tmp_path):
    found = read_recordings(
        write(tmp_path, '{"dialogue": 1.10, "turn": 1, "criterion": "q", "outputs": [1]}')
    )
    assert found.outputs(Item(dialogue(name="1.10"), 1), "q") == (1.0,)


def test_one_turn_under_two_names_is_no_silent_choice(tmp_path):
    found = read_recordings(write(tmp_path, ROW, {**ROW, "turn": "reply 2"}))
    with pytest.raises(RecordError, match="lines 1 and 2"):
        found.outputs(Item(DIALOGUE, 3), "quality")


def test_pairs_are_kept_apart(tmp_path):
    pair = {
        "dialogue_a": "x",
        "dialogue_b": "y",
        "turn": 1,
        "criterion": "better",
        "order": "ba",
        "outputs": ["[[A]]"],
    }
    found = read_recordings(write(tmp_path, pair, {**pair, "order": "ab"}, {**pair, "order": None}))
    assert (found.item_count, found.pair_count) == (0, 3)
    assert found.pair_outputs(PairKey("x", "y", 1, "better", "ba")) == ("[[A]]",)
    assert found.pair_outputs(PairKey("y", "x", 1, "better", "ba")) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{not json", "not valid JSON"),
        ("[1]", "a list"),
        ({**ROW, "dialogue": None}, "'dialogue' is null"),
        ({**ROW, "dialogue": True}, "true or false"),
        ({**ROW, "criterion": ""}, "'criterion'"),
        ({**ROW, "criterion": 7}, "'criterion' is a number"),
        ({**ROW, "turn": -1}, "'turn' is -1"),
        ({**ROW, "turn": 1.5}, "'turn' is a number"),
        ({**ROW, "turn": True}, "'turn' is true or false"),
        ({**ROW, "outputs": []}, "'outputs' is empty"),
        ({**ROW, "outputs": "Rating: 4"}, "'outputs' is"),
        ({**ROW, "outputs": [True]}, "an output is true or false"),
        ({**ROW, "outputs": [["4"]]}, "an output is a list"),
        ('{"dialogue": "d1", "criterion": "q", "outputs": [NaN]}', "NaN"),
        ('{"dialogue": "d1", "criterion": "q", "outputs": [1e400]}', "too large"),
        ('{"dialogue": "d1", "dialogue": "d2", "criterion": "q", "outputs": [1]}', "twice"),
        ({"dialogue_a": "x", "turn": 1, "criterion": "q", "outputs": [1]}, "'dialogue_b' is missing"),
        (
            {"dialogue_a": "x", "dialogue_b": "y", "criterion": "q", "order": "first", "outputs": [1]},
            "'order'",
        ),
        ({"judge": "late"}, "only the first line"),
        ({"dialogue": "d1", "turn": 1}, "'criterion' is missing"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_bad_line_is_named_with_its_place_and_cause(tmp_path, row, message):
    ((line, text),) = problems(tmp_path, {**ROW, "turn": 1}, row)
    assert line == 2 and message in text


def test_the_same_item_twice_names_both_lines(tmp_path):
    ((line, text),) = problems(tmp_path, ROW, {**ROW, "criterion": "other"}, ROW)
    assert line == 3 and "in line 1" in text


def test_all_bad_lines_are_listed_at_once(tmp_path):
    assert [line for line, _ in problems(tmp_path, "x", ROW, "y", {**ROW, "outputs": 3})] == [1, 3, 4]


@pytest.mark.parametrize("rows", [(), ({"judge": "gpt"},)])
def test_a_file_without_recordings(tmp_path, rows):
    assert "no recordings" in problems(tmp_path, *rows)[0][1]


def test_a_judge_without_a_name(tmp_path):
    assert "'judge' is a number" in problems(tmp_path, {"judge": 4}, ROW)[0][1]


def test_a_missing_file():
    with pytest.raises(InputError):
        read_recordings("no/such/file.jsonl")


def test_a_number_too_large_for_a_float_is_infinite(tmp_path):
    found = read_recordings(
        write(tmp_path, '{"dialogue": "d1", "criterion": "q", "outputs": [1' + "0" * 400 + "]}")
    )
    assert found.outputs(Item(DIALOGUE), "q") == (float("inf"),)


def test_many_similar_texts_take_little_memory(tmp_path):
    text = "Analysis: The response is natural and fits well within the flow of the conversation.\nRating: "
    rows = [
        {
            "dialogue": f"d{n}",
            "turn": 1,
            "criterion": "q",
            "outputs": [f"{text}{n % 3}-{k}" for k in range(20)],
        }
        for n in range(500)
    ]
    path = write(tmp_path, *rows)
    tracemalloc.start()
    found = read_recordings(path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.item_count == 500
    assert kept < sum(len(output) for row in rows for output in row["outputs"]) / 2
