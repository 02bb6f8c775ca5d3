import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall
from evalharness.core.labels import Label, PairLabel
from evalharness.data.dialogues import ReadOptions
from evalharness.data.writing import LABEL_COLUMNS, Converted, convert, write_dialogues, write_labels
from evalharness.errors import InputError, StorageError, UsageError
from tests.data_io.helpers import native, put, reads

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SOME_NAME = st.none() | NAME
JSON = st.recursive(st.booleans() | st.integers() | TEXT, lambda s: st.lists(s, max_size=2), max_leaves=3)
METADATA = st.dictionaries(NAME, JSON, max_size=2)
DOCUMENTS = st.lists(st.builds(Document, TEXT, SOME_NAME), max_size=2).map(tuple)
MESSAGE = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=TEXT,
    id=SOME_NAME,
    name=SOME_NAME,
    tool_calls=st.lists(st.builds(ToolCall, NAME, TEXT, SOME_NAME), max_size=2).map(tuple),
    tool_call_id=SOME_NAME,
    references=st.lists(TEXT, max_size=2).map(tuple),
    context=DOCUMENTS,
    given=st.booleans(),
    metadata=METADATA,
)
DIALOGUE = st.builds(
    Dialogue,
    id=NAME,
    messages=st.lists(MESSAGE, min_size=1, max_size=3).map(tuple),
    group=TEXT,
    goal=SOME_NAME,
    tools=st.lists(st.builds(Tool, NAME, TEXT, METADATA), max_size=2).map(tuple),
    context=DOCUMENTS,
    metadata=METADATA,
    id_is_hash=st.booleans(),
)


@given(DIALOGUE)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, dialogue: Dialogue) -> None:
    path = str(tmp_path_factory.getbasetemp() / "round.jsonl")
    assert write_dialogues(path, [dialogue]) == 1
    (read,) = reads(path, format="native")
    assert read.dialogue == dialogue


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_the_suffix_packs_and_equal_content_gives_equal_bytes(tmp_path: Path, suffix: str) -> None:
    source = put(tmp_path / "in.jsonl", native("a"), native("é"))
    first, second = tmp_path / f"1.jsonl{suffix}", tmp_path / f"2.jsonl{suffix}"
    for out in (first, second):
        assert convert([source], str(out)) == Converted(2, 0, (), 0)
    data = first.read_bytes()
    assert data == second.read_bytes()
    plain = {
        "": bytes,
        ".gz": gzip.decompress,
        ".zst": lambda d: zstandard.ZstdDecompressor().stream_reader(d).read(),
    }
    assert [json.loads(line)["id"] for line in plain[suffix](data).decode().splitlines()] == ["a", "é"]


def test_standard_output_stays_open(tmp_path: Path) -> None:
    out = io.BytesIO()
    convert([put(tmp_path / "in.jsonl", native("a"))], "-", stdout=out)
    assert json.loads(out.getvalue()) == native("a")


def test_a_bad_record_leaves_no_file_unless_it_may_be_skipped(tmp_path: Path) -> None:
    source = put(tmp_path / "in.jsonl", native("a"), {"id": "b", "messages": []})
    out = tmp_path / "out.jsonl"
    out.write_text("what was there")
    with pytest.raises(InputError, match="no messages"):
        convert([source], str(out))
    assert out.read_text() == "what was there"
    done = convert([source], str(out), skip_bad_lines=True)
    assert (done.dialogues, done.rejected_count, done.rejected[0].line) == (1, 1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_file_can_be_converted_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([native("a"), native("b")]))
    convert([str(path)], str(path), ReadOptions(set={"system": "v2"}))
    path = path.rename(tmp_path / "a.jsonl")
    assert [read.dialogue.system for read in reads(str(path))] == ["v2", "v2"]


def test_a_link_keeps_pointing(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write_dialogues(
        str(tmp_path / "link.jsonl"), [reads(put(tmp_path / "in.jsonl", native("a")))[0].dialogue]
    )
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't write"):
        write_dialogues(str(tmp_path / "none" / "a.jsonl"), [])


LABELS = [
    Label("d1", 0, "tone", "ann", 4.0),
    Label("=d2", None, "kind", "bob", "-nice", repeat=1, comment='said "so",\ntwice'),
    Label("d3", 2, "tone", "ann", 3.5),
]
PAIRS = [PairLabel("a", "b", "winner", "ann", "tie", turn=1, turn_b=1, comment="both bad")]


def test_labels_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    assert write_labels(str(path), [*LABELS, *PAIRS]) == 4
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"dialogue": "d1", "turn": 0, "criterion": "tone", "rater": "ann", "value": 4},
        {
            "dialogue": "=d2",
            "criterion": "kind",
            "rater": "bob",
            "value": "-nice",
            "repeat": 1,
            "comment": 'said "so",\ntwice',
        },
        {"dialogue": "d3", "turn": 2, "criterion": "tone", "rater": "ann", "value": 3.5},
        {
            "dialogue_a": "a",
            "dialogue_b": "b",
            "turn": 1,
            "turn_b": 1,
            "criterion": "winner",
            "rater": "ann",
            "value": "tie",
            "comment": "both bad",
        },
    ]


def test_labels_as_csv_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    write_labels(str(path), LABELS)
    assert path.read_text() == (
        ",".join(LABEL_COLUMNS) + "\n"
        "d1,0,tone,ann,4,,\n"
        '\'=d2,,kind,bob,\'-nice,1,"said ""so"",\ntwice"\n'
        "d3,2,tone,ann,3.5,,\n"
    )


def test_a_csv_file_holds_one_kind_of_label(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    with pytest.raises(UsageError, match="pairs together"):
        write_labels(str(path), [*LABELS, *PAIRS])
    assert not path.exists()
    assert write_labels(str(path), PAIRS) == 1
    assert path.read_text().splitlines()[0].startswith("dialogue_a,dialogue_b,turn,turn_b")


def test_a_surrogate_from_a_plug_in_is_written_as_an_escape(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_dialogues(str(path), [Dialogue("d", (Message("user", "x\ud800"),))])
    assert json.loads(path.read_text())["messages"][0]["content"] == "x\ud800"
