import json
import random
from pathlib import Path

import pytest

from evalharness.core.dialogue import Document, ToolCall
from evalharness.data.dialogues import ReadOptions, Rejected, Tally, read_dialogues
from tests.data_io.helpers import ids, put, reads, talk

HEADER = "conversation_id,turn,role,content,references,context,lang,latency\n"
ROWS = [
    'c1,1,user,"Where is it?",,,en,\n',
    'c1,2,assistant,"At the hub, I think",At the hub.,"[{""id"": ""d"", ""text"": ""t""}]",en,0.5\n',
    "c2,1,user,Hola,,,es,\n",
    "c2,2,assistant,Hi,[1] yes,plain text,es,0.7\n",
]


def csv(folder: Path, *rows: str, header: str = HEADER, name: str = "a.csv") -> str:
    (folder / name).write_text(header + "".join(rows), encoding="utf-8")
    return str(folder / name)


def rejections(path: str, **options: object) -> list[str]:
    outcomes = read_dialogues([path], ReadOptions(**options))  # type: ignore[arg-type]
    return [str(outcome.problem) for outcome in outcomes if isinstance(outcome, Rejected)]


def test_rows_become_dialogues(tmp_path: Path) -> None:
    first, second = reads(csv(tmp_path, *ROWS))
    assert (first.dialogue.id, first.origin.line, second.origin.line) == ("c1", 2, 4)
    assert talk(first.dialogue) == [("user", "Where is it?"), ("assistant", "At the hub, I think")]
    assert first.dialogue.messages[1].references == ("At the hub.",)
    assert first.dialogue.messages[1].context == (Document("t", "d"),)
    assert second.dialogue.messages[1].references == ("[1] yes",)
    assert second.dialogue.messages[1].context == (Document("plain text"),)
    assert first.dialogue.metadata == {"lang": "en"}
    assert first.dialogue.messages[1].metadata == {"latency": "0.5"}
    assert first.notes == ()


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    shuffled = ROWS[:]
    random.Random(3).shuffle(shuffled)
    assert shuffled != ROWS
    found = {read.dialogue.id: read.dialogue for read in reads(csv(tmp_path, *shuffled))}
    assert found == {read.dialogue.id: read.dialogue for read in reads(csv(tmp_path, *ROWS, name="b.csv"))}


def test_rows_without_turn_numbers_keep_their_order(tmp_path: Path) -> None:
    rows = ["b,user,1\n", "a,user,2\n", "b,assistant,3\n", "a,assistant,4\n"]
    found = reads(csv(tmp_path, *rows, header="id,role,content\n"))
    assert [(r.dialogue.id, [text for _, text in talk(r.dialogue)]) for r in found] == [
        ("b", ["1", "3"]),
        ("a", ["2", "4"]),
    ]


def test_an_exchange_in_one_row(tmp_path: Path) -> None:
    header = "question,answer,ground_truth,given\n"
    path = csv(tmp_path, "Q1,A1,R1,\n", "Q2,A2,,true\n", header=header)
    mapping = {"user": "question", "assistant": "answer", "references": "ground_truth"}
    first, second = reads(path, map=mapping)
    assert talk(first.dialogue) == [("user", "Q1"), ("assistant", "A1")]
    assert (first.dialogue.messages[1].references, second.dialogue.messages[1].given) == (("R1",), True)
    assert first.dialogue.id_is_hash
    assert first.notes == ("id missing: content hash used",)
    with_ids = csv(tmp_path, "s,Q1,A1\n", "s,Q2,A2\n", header="session_id,user,assistant\n", name="b.csv")
    (both,) = reads(with_ids)
    assert [text for _, text in talk(both.dialogue)] == ["Q1", "A1", "Q2", "A2"]


def test_tsv_and_rows_as_json_lines(tmp_path: Path) -> None:
    tsv = csv(tmp_path, "a\tuser\thi, you\n", "a\tbot\tyes\n", header="id\tspeaker\ttext\n", name="a.tsv")
    rows = [{"id": "a", "speaker": "user", "text": "hi, you"}, {"id": "a", "speaker": "bot", "text": "yes"}]
    lines = put(tmp_path / "a.jsonl", *rows)
    assert [read.dialogue for read in reads(tsv)] == [read.dialogue for read in reads(lines)]
    assert talk(reads(tsv)[0].dialogue) == [("user", "hi, you"), ("assistant", "yes")]


def test_cells_with_json(tmp_path: Path) -> None:
    calls = json.dumps([{"id": "c", "name": "f", "arguments": "{}"}]).replace('"', '""')
    header = "id,message_id,role,content,tool_calls,tool_call_id,name,group,goal,tools,metadata\n"
    tools = '"[{""name"": ""f""}]"'
    rows = [
        f'a,m0,assistant,,"{calls}",,,g,find,{tools},"{{""lang"": ""en""}}"\n',
        f'a,m1,tool,1,,c,f,g,find,{tools},"{{""lang"": ""en""}}"\n',
    ]
    (read,) = reads(csv(tmp_path, *rows, header=header))
    dialogue = read.dialogue
    assert dialogue.messages[0].tool_calls == (ToolCall("f", "{}", "c"),)
    assert (dialogue.messages[0].content, dialogue.messages[1].tool_call_id) == ("", "c")
    assert [message.id for message in dialogue.messages] == ["m0", "m1"]
    assert (dialogue.group, dialogue.goal, dialogue.tools[0].name) == ("g", "find", "f")
    assert dialogue.metadata == {"lang": "en"}


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        (
            ["a,1,user,x\n", "a,1,bot,y\n"],
            "id,turn,role,content\n",
            "two rows of the dialogue have the same 'turn'",
        ),
        (["a,one,user,x\n"], "id,turn,role,content\n", "line 2: 'turn' is not a number"),
        (["a,nan,user,x\n"], "id,turn,role,content\n", "line 2: 'turn' is not a number"),
        ([",user,x\n"], "id,role,content\n", "does not say which dialogue it belongs to"),
        (["user,x\n"], "role,content\n", "--map id=COLUMN"),
        (["a,wizard,x\n"], "id,role,content\n", "the role 'wizard' is unknown"),
        (["a,bot,x,perhaps\n"], "id,role,content,given\n", "line 2: 'given' is 'perhaps'"),
        (
            ["a,user,x,g1\n", "a,bot,y,g2\n"],
            "id,role,content,group\n",
            "the rows of the dialogue differ in 'group'",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, rows: list[str], header: str, words: str) -> None:
    (text,) = rejections(csv(tmp_path, *rows, header=header))
    assert words in text
    assert text.startswith(f"{tmp_path}/a.csv:2: ")


def test_a_bad_row_or_dialogue_does_not_lose_the_others(tmp_path: Path) -> None:
    path = csv(tmp_path, ROWS[0], "c9,1\n", "c3,1,wizard,x,,,,\n", ROWS[1])
    outcomes = list(read_dialogues([path]))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Rejected", "Read", "Rejected"]


def test_parquet_of_turns_and_of_nested_messages(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    flat, nested = str(tmp_path / "flat.parquet"), str(tmp_path / "nested")
    columns = {"id": [1, 1], "role": ["user", "assistant"], "content": ["hi", "hello"]}
    parquet.write_table(pyarrow.table(columns), flat)
    messages = [{"role": "user", "content": "hi", "name": None}, {"role": "assistant", "content": "hello"}]
    parquet.write_table(pyarrow.table({"id": [1], "messages": [messages]}), nested)
    assert [read.dialogue for read in reads(flat)] == [read.dialogue for read in reads(nested)]
    tally = Tally()
    list(read_dialogues([flat, nested], tally=tally))
    assert [(file.dialect, file.container) for file in tally.files] == [
        ("turns", "parquet"),
        ("native", "parquet"),
    ]


def test_a_container_can_be_forced(tmp_path: Path) -> None:
    path = csv(tmp_path, *ROWS, name="export.txt")
    assert ids(reads(path, format="csv")) == ["c1", "c2"]


def test_a_surrogate_inside_a_json_cell_is_replaced(tmp_path: Path) -> None:
    header = "id,role,content,references\n"
    (read,) = reads(csv(tmp_path, 'a,assistant,x,"[""\\ud800y""]"\n', header=header))
    assert read.dialogue.messages[0].references == ("\ufffdy",)
