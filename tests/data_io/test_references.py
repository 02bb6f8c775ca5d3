from pathlib import Path

import pytest

from evalharness.data.dialogues import Read, ReadOptions, Rejected, Tally, read_dialogues
from evalharness.errors import InputError
from tests.data_io.helpers import ASK, REPLY, native, put, reads


@pytest.fixture
def dialogues(tmp_path: Path) -> str:
    long = native("long", messages=[ASK, {**REPLY, "id": "m1", "references": ["own"]}, ASK, REPLY])
    given = native("given", messages=[ASK, {**REPLY, "given": True}, ASK, REPLY])
    return put(tmp_path / "d.jsonl", native("short"), long, native(7), given)


def joined(dialogues: str, references: str) -> dict[str, list[tuple[str, ...]]]:
    found = reads(dialogues, references=references)
    return {
        r.dialogue.id: [m.references for m in r.dialogue.messages if m.role == "assistant"] for r in found
    }


def test_references_are_joined_by_dialogue_and_turn(tmp_path: Path, dialogues: str) -> None:
    references = put(
        tmp_path / "r.jsonl",
        {"dialogue": "long", "turn": "reply 2", "references": ["a", "b"]},
        {"dialogue": "long", "turn": "m1", "reference": "c"},
        {"dialogue": "long", "turn": 3, "reference": "d"},
        {"dialogue": "short", "reference": "e"},
        {"dialogue": 7, "turn": 1, "reference": "f"},
        {"dialogue": "given", "reference": "g"},
    )
    assert joined(dialogues, references) == {
        "short": [("e",)],
        "long": [("own", "c"), ("a", "b", "d")],
        "7": [("f",)],
        "given": [(), ("g",)],
    }


def test_csv_works_too(tmp_path: Path, dialogues: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        'dialogue,turn,references\nshort,,"one, two"\nlong,reply 1,"[""x"", ""y""]"\nlong,3,[1] is it\n'
    )
    found = joined(dialogues, str(path))
    assert found["short"] == [("one, two",)]
    assert found["long"] == [("own", "x", "y"), ("[1] is it",)]


def test_references_that_no_dialogue_took_are_counted(tmp_path: Path, dialogues: str) -> None:
    references = put(
        tmp_path / "r.jsonl",
        {"dialogue": "short", "reference": "e"},
        {"dialogue": "other", "reference": "e"},
        {"dialogue": "another", "reference": "e"},
    )
    tally = Tally()
    list(read_dialogues([dialogues], ReadOptions(references=references), tally=tally))
    assert (tally.references_used, tally.unused_references) == (1, 2)
    assert tally.first_unused_reference == f"{references}:2"


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ({"turn": 0}, "message 0 of dialogue 'long' is the user's, not a reply"),
        ({"turn": 9}, "has messages 0 to 3, not 9"),
        ({}, "has 2 replies: say which by 'turn'"),
    ],
)
def test_a_reference_to_no_reply_rejects_the_dialogue(
    tmp_path: Path, dialogues: str, turn: dict, words: str
) -> None:
    references = put(tmp_path / "r.jsonl", {"dialogue": "long", "reference": "a", **turn})
    short, long, *others = read_dialogues([dialogues], ReadOptions(references=references))
    assert isinstance(long, Rejected)
    assert words in long.problem.message
    assert (long.problem.source, long.problem.line) == (references, 1)
    assert all(isinstance(outcome, Read) for outcome in (short, *others))


def test_faults_of_the_file_are_listed_together(tmp_path: Path, dialogues: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(
        '{"reference": "a"}\n{"dialogue": "short"}\nnonsense\n{"dialogue": "short", "turn": 1.5, "reference": "a"}\n'
        '{"dialogue": "short", "reference": [1]}\n'
    )
    with pytest.raises(InputError) as caught:
        list(read_dialogues([dialogues], ReadOptions(references=str(path))))
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3, 4, 5]
    path.write_text("")
    with pytest.raises(InputError, match="there are no references"):
        list(read_dialogues([dialogues], ReadOptions(references=str(path))))
