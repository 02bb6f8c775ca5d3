from pathlib import Path

import pytest

from evalharness.data.dialogues import Read, ReadOptions, read_dialogues
from evalharness.errors import UsageError
from tests.data_io.helpers import REPLY, native, one, put, refused, talk

LOG = {
    "meta": {"session": "s1", "bot": "v3"},
    "log": [{"who": "user", "says": "hi", "key": "m0"}, {"who": "bot", "says": "hello", "docs": ["d"]}],
}
MAP = {
    "id": "meta.session",
    "system": "meta.bot",
    "messages": "log",
    "role": "who",
    "content": "says",
    "message_id": "key",
    "context": "docs",
}


def test_a_record_with_other_names_is_read(tmp_path: Path) -> None:
    dialogue = one(tmp_path, LOG, map=MAP).dialogue
    assert dialogue.id == "s1"
    assert talk(dialogue) == [("user", "hi"), ("assistant", "hello")]
    assert dialogue.system == "v3"
    assert dialogue.messages[0].id == "m0"
    assert [doc.text for doc in dialogue.messages[1].context] == ["d"]
    assert dialogue.metadata["meta"] == {"session": "s1", "bot": "v3"}


def test_what_the_mapping_displaces_is_kept(tmp_path: Path) -> None:
    record = native("row-7", conversation_id="c1", session_id="s1")
    dialogue = one(tmp_path, record, map={"id": "conversation_id"}).dialogue
    assert dialogue.id == "c1"
    assert dialogue.metadata == {"id_in_file": "row-7", "session_id_in_file": "s1"}


def test_an_id_that_is_mapped_must_be_there(tmp_path: Path) -> None:
    assert "there is no field 'thread'" in refused(tmp_path, native("a"), map={"id": "thread"})


def test_other_fields_may_be_absent(tmp_path: Path) -> None:
    assert one(tmp_path, native("a"), map={"group": "scenario", "metadata.lang": "l"}).dialogue.group == ""


def test_metadata_join_those_that_are_there(tmp_path: Path) -> None:
    record = native("a", metadata={"lang": "en"}, l2="de")
    assert one(tmp_path, record, map={"metadata.other": "l2"}).dialogue.metadata == {
        "lang": "en",
        "other": "de",
    }


def test_a_name_with_a_dot_is_taken_as_it_stands_first(tmp_path: Path) -> None:
    record = {"a.b": "x", "a": {"b": "y"}, "messages": [REPLY]}
    assert one(tmp_path, record, map={"id": "a.b"}).dialogue.id == "x"


def test_an_unknown_target_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no field 'name_of'"):
        list(read_dialogues([put(tmp_path / "a.jsonl", native())], ReadOptions(map={"name_of": "x"})))


def test_a_mapped_number_keeps_its_text_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"meta": {"n": 1.10}, "messages": [{"role": "assistant", "content": "x"}]}\n')
    (read,) = read_dialogues([str(path)], ReadOptions(map={"id": "meta.n"}))
    assert isinstance(read, Read)
    assert read.dialogue.id == "1.10"


def test_messages_that_are_no_objects_are_told_all_the_same(tmp_path: Path) -> None:
    assert "message 0: it is text" in refused(
        tmp_path, {"id": "a", "turns": ["x"]}, map={"role": "r"}, format="native"
    )
