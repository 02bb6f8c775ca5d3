"""Label files of every shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.data.labels.raw import LabelOptions, RawLabel, RawPair
from evalharness.data.labels.read import LabelSet, read_labels
from evalharness.errors import InputError, UsageError


def read(path: Path, content: str | list[dict[str, Any]], **options: Any) -> LabelSet:
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(text, encoding="utf-8")
    return read_labels([str(path)], LabelOptions(**options))


def facts(labels: LabelSet) -> list[tuple[Any, ...]]:
    return [(row.dialogue, row.turn, row.criterion, row.rater, row.value) for row in labels.labels]


def test_long_jsonl_keeps_types_lines_and_looks(tmp_path: Path) -> None:
    found = read(
        tmp_path / "l.jsonl",
        [
            {"dialogue": "a", "turn": 1, "criterion": "tone", "rater": "x", "value": 4, "comment": "fine"},
            {
                "dialogue": "a",
                "turn": "reply 2",
                "criterion": "tone",
                "rater": "x",
                "value": 2.5,
                "repeat": 1,
            },
            {"dialogue": 7, "criterion": "kind", "value": True},
            {"dialogue": "a", "criterion": "kind", "value": None},
        ],
    )
    first, second, third = found.labels
    assert first == RawLabel("a", 1, "tone", "x", 4.0, first.source, 1, comment="fine")
    assert (second.turn, second.repeat, second.line) == ("reply 2", 1, 2)
    assert (third.dialogue, third.turn, third.value, third.rater) == ("7", None, "yes", "rater")
    assert found.left_out == (("no value", 1),)


def test_long_csv_reads_digits_as_numbers_and_words_as_words(tmp_path: Path) -> None:
    text = "dialogue,turn,criterion,rater,value\na,1,tone,x,4\na,,kind,x,polite\nb,1,tone,y,\n"
    found = read(tmp_path / "l.csv", text)
    assert facts(found) == [("a", "1", "tone", "x", 4.0), ("a", None, "kind", "x", "polite")]


def test_wide_csv_has_a_criterion_in_each_column(tmp_path: Path) -> None:
    text = "conversation,rater,tone,safe\na,x,4,yes\nb,x,,no\n"
    found = read(tmp_path / "l.csv", text, format="wide", fields={"dialogue": "conversation"})
    assert facts(found) == [
        ("a", None, "tone", "x", 4.0), ("a", None, "safe", "x", "yes"), ("b", None, "safe", "x", "no"),
    ]  # fmt: skip


def test_pairs(tmp_path: Path) -> None:
    base = {"dialogue_a": "p", "dialogue_b": "q", "criterion": "better", "rater": "x"}
    found = read(tmp_path / "l.jsonl", [{**base, "value": v} for v in ("a", "B", "tie", "model_b")])
    assert [pair.value for pair in found.pairs] == ["a", "b", "tie", "b"]
    assert isinstance(found.pairs[0], RawPair)
    with pytest.raises(InputError, match="can't be 'neither'"):
        read(tmp_path / "l.jsonl", [{**base, "value": "neither"}])


def test_label_studio(tmp_path: Path) -> None:
    task = {
        "id": 1,
        "data": {"dialogue_id": "a", "turn": 3},
        "annotations": [
            {
                "completed_by": {"email": "x@y.z"},
                "result": [
                    {"from_name": "tone", "type": "rating", "value": {"rating": 4}},
                    {"from_name": "kind", "type": "choices", "value": {"choices": ["polite"]}},
                ],
            },
            {"was_cancelled": True, "result": []},
        ],
    }
    found = read(tmp_path / "l.json", json.dumps([task]))
    assert facts(found) == [("a", 3, "tone", "x@y.z", 4.0), ("a", 3, "kind", "x@y.z", "polite")]
    assert found.left_out == (("annotation cancelled", 1),)


def test_argilla_of_both_versions(tmp_path: Path) -> None:
    second = {
        "fields": {"reply": "…"},
        "metadata": {"dialogue_id": "a", "turn": "1"},
        "responses": {
            "tone": [
                {"value": 4, "user_id": "u1", "status": "submitted"},
                {"value": 1, "user_id": "u2", "status": "draft"},
            ]
        },
    }
    first = {
        "fields": {"reply": "…"},
        "metadata": {"dialogue_id": "b"},
        "responses": [{"user_id": "u1", "status": "submitted", "values": {"tone": {"value": 2}}}],
    }
    found = read(tmp_path / "l.jsonl", [second, first])
    assert facts(found) == [("a", "1", "tone", "u1", 4.0), ("b", None, "tone", "u1", 2.0)]
    assert found.left_out == (("response draft", 1),)


def flat(**answers: Any) -> dict[str, Any]:
    """A record as `records.to_list(flatten=True)` has it, and rows of `to_datasets()`."""
    return {
        "id": "r1", "status": "completed", "_server_id": "s", "reply": "…", "dialogue_id": "a", "turn": 1,
        "tone.suggestion": 2, "tone.suggestion.score": None, "tone.suggestion.agent": "model", **answers,
    }  # fmt: skip


def test_argilla_flattened(tmp_path: Path) -> None:
    told = {
        "tone.responses": [4, 1],
        "tone.responses.users": ["u1", "u2"],
        "tone.responses.status": ["submitted", "discarded"],
    }
    nothing = dict.fromkeys(told)
    kind = {
        "kind.responses": ["polite"],
        "kind.responses.users": ["u1"],
        "kind.responses.status": ["submitted"],
    }
    found = read(tmp_path / "l.json", json.dumps([flat(**nothing, **kind), flat(**told, dialogue_id="b")]))
    assert facts(found) == [("a", 1, "kind", "u1", "polite"), ("b", 1, "tone", "u1", 4.0)]
    assert found.left_out == (("response discarded", 1),)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"tone.responses": "[4]", "tone.responses.users": "['u1']"}, "'tone.responses' is no list"),
        ({"id": ["r1"], "tone.responses": [[4]], "tone.responses.users": [["u1"]]}, "to_list\\(flatten=True"),
        ({"tone.responses": [4, 5], "tone.responses.users": ["u1"]}, "2 answers of 1 users"),
    ],
)
def test_argilla_flattened_otherwise_is_one_clear_line(
    tmp_path: Path, answers: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path / "l.jsonl", [flat(**answers)])


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_label_studio_exports_that_do_not_tell_labels_apart_are_named(tmp_path: Path, suffix: str) -> None:
    row = {"dialogue": "a", "id": 1, "tone": [{"rating": 4}], "kind": "polite", "annotator": 1, "annotation_id": 7,
           "created_at": "…", "updated_at": "…", "lead_time": 3.2}  # fmt: skip
    table = ",".join(row) + "\na,1,4,polite,1,7,…,…,3.2\nb,2,4,polite,1,8,…,…,3.2\n"
    with pytest.raises(InputError) as caught:
        read(tmp_path / f"l.{suffix}", table if suffix == "csv" else json.dumps([row, row]))
    (problem,) = caught.value.problems
    assert "JSON-MIN or CSV export" in problem.message
    assert "as JSON" in str(problem.fix)


def test_langfuse_takes_annotations_only(tmp_path: Path) -> None:
    rows = [
        {"traceId": "t1", "name": "tone", "value": 0.5, "dataType": "NUMERIC", "source": "ANNOTATION",
         "authorUserId": "u", "comment": "meh"},
        {"traceId": "t1", "name": "tone", "value": 1, "source": "EVAL"},
        {"sessionId": "s1", "traceId": "t2", "name": "kind", "value": 1, "stringValue": "polite",
         "dataType": "CATEGORICAL", "source": "ANNOTATION"},
    ]  # fmt: skip
    found = read(tmp_path / "l.jsonl", rows)
    assert facts(found) == [("t1", None, "tone", "u", 0.5), ("s1", None, "kind", "rater", "polite")]
    assert found.labels[0].comment == "meh"
    assert found.left_out == (("score by eval", 1),)


def test_langfuse_scores_of_an_observation_are_about_that_message(tmp_path: Path) -> None:
    score = {"traceId": "t1", "name": "tone", "value": 4, "source": "ANNOTATION", "authorUserId": "u"}
    rows = [{**score, "observationId": "m2"}, {**score, "observationId": None}, {**score, "turn": 3}]
    assert [fact[1] for fact in facts(read(tmp_path / "l.jsonl", rows))] == ["m2", None, 3]


def test_mixed_types_of_a_criterion_are_one_problem_each(tmp_path: Path) -> None:
    rows = [
        {"dialogue": "a", "criterion": "tone", "rater": str(i), "value": v}
        for i, v in enumerate([4, "4", "x"])
    ]
    with pytest.raises(InputError) as caught:
        read(tmp_path / "l.jsonl", rows)
    (problem,) = caught.value.problems
    assert problem.line == 2
    assert "the text '4' here and the number 4" in problem.message


def test_every_bad_row_is_told_up_to_fifty(tmp_path: Path) -> None:
    rows = [{"dialogue": "a", "criterion": "tone", "value": [i]} for i in range(70)]
    with pytest.raises(InputError) as caught:
        read(tmp_path / "l.jsonl", rows)
    assert len(caught.value.problems) == 51
    assert caught.value.problems[0].line == 1
    assert "20 more problems" in caught.value.problems[-1].message


@pytest.mark.parametrize(
    "row",
    [
        {"dialogue": "a", "criterion": "tone", "value": {"x": 1}},
        {"dialogue": ["a"], "criterion": "tone", "value": 1},
        {"dialogue": "a", "criterion": "tone", "value": 1, "repeat": -1},
        {"dialogue": "a", "criterion": "tone", "value": 1, "turn": 1.5},
        {"dialogue": "", "criterion": "tone", "value": 1},
    ],
)
def test_rows_that_make_no_sense(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"l\.jsonl:1"):
        read(tmp_path / "l.jsonl", [row])


def test_unknown_format_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no label format"):
        read(tmp_path / "l.jsonl", "{}", format="longish")
    with pytest.raises(InputError):
        read(tmp_path / "l.jsonl", "")


def test_csv_and_json_files_of_the_same_criterion_go_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("dialogue,criterion,rater,value\na,tone,x,4\n")
    (tmp_path / "b.jsonl").write_text('{"dialogue": "b", "criterion": "tone", "rater": "x", "value": 3}\n')
    found = read_labels([str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl")])
    assert [label.value for label in found.labels] == [4.0, 3.0]


def test_the_probability_of_the_draw_is_read(tmp_path: Path) -> None:
    found = read(tmp_path / "l.csv", "dialogue,criterion,value,probability\na,tone,4,0.25\nb,tone,4,\n")
    assert [label.probability for label in found.labels] == [0.25, None]
    wide = read(tmp_path / "w.csv", "dialogue,tone,probability\na,4,0.5\n")
    assert [(label.criterion, label.probability) for label in wide.labels] == [("tone", 0.5)]
    studio = {
        "data": {"dialogue": "a", "turn": 1, "probability": 0.5},
        "annotations": [{"completed_by": 1, "result": [{"from_name": "tone", "value": {"rating": 4}}]}],
    }
    (label,) = read(tmp_path / "s.json", json.dumps([studio])).labels
    assert label.probability == 0.5
