import gzip
import json
from pathlib import Path

from evalharness.data.dialogues import Origin, ReadOptions
from evalharness.data.survey import MAX_PROBLEMS, FileSurvey, survey
from evalharness.errors import Problem
from tests.data_io.helpers import ASK, REPLY, native, put
from tests.research import research_file


def test_everything_is_counted(tmp_path: Path) -> None:
    rich = native(
        "rich",
        group="g",
        goal="find it",
        tools=[{"name": "track", "parameters": {}}],
        context=["a document"],
        metadata={"system": "v1", "lang": "en", "extra": [1]},
        messages=[
            {"role": "system", "content": "s"},
            ASK,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "track", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "here"},
            {**REPLY, "references": ["x", "y"], "context": ["doc"]},
            {**REPLY, "given": True},
        ],
    )
    path = tmp_path / "a.jsonl"
    lines = [rich, native("b", group="g", metadata={"system": "v2"}), native("c"), native(None)]
    path.write_text("\n".join(["", *map(json.dumps, lines)]) + "\n")
    found = survey([str(path)])
    assert found.usable
    assert found.files == (FileSurvey(str(path), "native", "jsonl", records=4, rejected=0, blank_lines=1),)
    assert (found.dialogues, found.turns, found.replies, found.given) == (4, 12, 6, 1)
    assert found.roles.counts == (("assistant", 6), ("user", 4), ("system", 1), ("tool", 1))
    assert (found.references, found.with_references) == (2, 1)
    assert (found.with_context, found.with_turn_context, found.with_goal) == (1, 1, 1)
    assert (found.tools.counts, found.with_tools) == ((("track", 1),), 1)
    assert found.tool_calls.counts == (("track", 1),)
    assert (found.groups, found.largest_group, found.ids_by_hash) == (3, 2, 1)
    assert found.systems.counts == (("v1", 1), ("v2", 1))
    assert found.metadata["extra"].counts == (("(structured)", 1),)
    assert (found.turns_per_dialogue.least, found.turns_per_dialogue.greatest) == (2, 6)
    assert found.notes.counts == (("id missing: content hash used", 1),)
    assert (found.blank_lines, found.rejected, found.problems) == (1, 0, ())


def test_every_kind_of_problem_has_its_place(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(native("z")).encode())[:-3])
    rows = put(tmp_path / "a.jsonl", native("x"), native("y", messages=[]), native("x"))
    found = survey([rows, str(cut)])
    assert not found.usable
    assert found.problem_count == 3
    assert [(p.source, p.line) for p in found.problems] == [(rows, 2), (rows, 3), (str(cut), None)]
    assert f"used in {rows}:1, too" in found.problems[1].message


def test_ids_are_compared_across_files(tmp_path: Path) -> None:
    first, second = put(tmp_path / "a.jsonl", native("x")), put(tmp_path / "b.jsonl", native("x"))
    (problem,) = survey([first, second]).problems
    assert problem.where == f"{second}:1"
    assert f"{first}:1" in problem.message


def test_two_equal_dialogues_without_ids_are_a_problem_of_their_own(tmp_path: Path) -> None:
    (problem,) = survey([put(tmp_path / "a.jsonl", native(None), native(None))]).problems
    assert "neither has an id" in problem.message


def test_a_missing_file_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    found = survey([str(tmp_path / "none.jsonl")])
    assert found.problems == (Problem("there is no such file", str(tmp_path / "none.jsonl")),)
    assert found.dialogues == 0


def test_problems_are_kept_to_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{\n" * (MAX_PROBLEMS + 5))
    found = survey([str(path)])
    assert (len(found.problems), found.problem_count, found.rejected) == (1000, 1005, 1005)


def test_unused_references_are_told(tmp_path: Path) -> None:
    references = put(
        tmp_path / "r.jsonl", {"dialogue": "a", "reference": "x"}, {"dialogue": "b", "reference": "x"}
    )
    found = survey([put(tmp_path / "a.jsonl", native("a"))], ReadOptions(references=references))
    assert (found.references, found.references_used, found.unused_references) == (1, 1, 1)
    assert found.first_unused_reference == f"{references}:2"
    assert found.usable


def test_hidden_characters_in_ids_references_and_documents_are_flagged(tmp_path: Path) -> None:
    evil = "a\u202eb"
    rows = [
        native(evil),
        native("r", messages=[ASK, {**REPLY, "references": [evil]}]),
        native("c", context=[evil]),
        native("fine 👩\u200d🚀 é"),
    ]
    path = put(tmp_path / "a.jsonl", *rows)
    found = survey([path])
    assert found.invisible == 3
    assert found.invisible_at == tuple(Origin(path, line) for line in (1, 2, 3))


def test_ratings_of_research_files_are_counted() -> None:
    found = survey([str(research_file("fed/fed_data.json"))])
    assert (found.dialogues, found.groups, found.largest_group) == (500, 125, 4)
    assert found.ratings["Overall"].count == 2500
    assert found.ratings["Overall"].raters == 5
    assert found.ratings["Error recovery"].count == 625 - 154
    assert dict(found.notes.counts)["rating missing: 'Error recovery'"] == 154


def test_metadata_keys_are_kept_to_a_number(tmp_path: Path) -> None:
    keys = {f"k{number}": 1 for number in range(600)} | {"x" * 500: 2}
    found = survey([put(tmp_path / "a.jsonl", native("a", metadata=keys))])
    assert len(found.metadata) == 501
    assert found.metadata["(more keys)"].counts == (("1", 100), ("2", 1))
