from pathlib import Path

import pytest

from evalharness.core.dialogue import Document, Tool, ToolCall
from tests.data_io.helpers import ASK, REPLY, native, one, refused, talk


def test_every_field_of_the_native_form(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"order": 7}'}}
    record = {
        "id": "d1",
        "group": "parcel-lost",
        "goal": "learn where parcel 7 is",
        "tools": [{"name": "track", "description": "finds", "parameters": {"type": "object"}}],
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "Where is it?", "name": "Eve", "metadata": {"at": 3}},
            {
                "role": "assistant",
                "id": "m2",
                "content": "One moment",
                "references": ["a", "b"],
                "context": [{"id": "doc1", "text": "t"}],
                "given": True,
                "tool_calls": [call],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "hub"},
        ],
        "context": [{"text": "all"}],
        "metadata": {"system": "v2"},
    }
    read = one(tmp_path, record)
    dialogue = read.dialogue
    assert read.notes == ()
    assert (dialogue.id, dialogue.group, dialogue.goal) == ("d1", "parcel-lost", "learn where parcel 7 is")
    assert dialogue.tools == (Tool("track", "finds", {"type": "object"}),)
    assert dialogue.context == (Document("all"),)
    assert dialogue.metadata == {"system": "v2"}
    system, user, assistant, tool = dialogue.messages
    assert (system.content, user.name, user.metadata) == ("be kind", "Eve", {"at": 3})
    assert assistant.tool_calls == (ToolCall("track", '{"order": 7}', "c1"),)
    assert (assistant.id, assistant.references, assistant.given) == ("m2", ("a", "b"), True)
    assert assistant.context == (Document("t", "doc1"),)
    assert tool.tool_call_id == "c1"


@pytest.mark.parametrize("key", ["messages", "turns", "conversation", "conversations", "dialogue", "dialog"])
def test_the_list_of_messages_has_several_names(tmp_path: Path, key: str) -> None:
    read = one(tmp_path, {"id": "a", key: [ASK, REPLY]})
    assert talk(read.dialogue) == [("user", "hi"), ("assistant", "hello")]
    assert read.notes == ()


@pytest.mark.parametrize("key", ["dialogue_id", "conversation_id", "session_id"])
def test_the_id_has_several_names(tmp_path: Path, key: str) -> None:
    assert one(tmp_path, native(None, **{key: 7})).dialogue.id == "7"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("human", "user"),
        ("Customer", "user"),
        ("gpt", "assistant"),
        ("bot", "assistant"),
        ("Agent", "assistant"),
        ("developer", "system"),
        ("function", "tool"),
    ],
)
def test_roles_have_other_names(tmp_path: Path, name: str, role: str) -> None:
    read = one(tmp_path, native("a", messages=[{"role": name, "content": "x"}, REPLY]))
    assert read.dialogue.messages[0].role == role


def test_content_parts_are_joined(tmp_path: Path) -> None:
    parts = ["one", {"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "x"}}]
    read = one(tmp_path, native("a", messages=[{"role": "user", "content": parts}, REPLY]))
    assert read.dialogue.messages[0].content == "one\ntwo\n[image]"
    assert read.notes == ("image part replaced by a marker",)


def test_unknown_fields_are_kept_and_told(tmp_path: Path) -> None:
    message = {**REPLY, "latency": 0.5}
    record = native("a", messages=[ASK, message], model="m", system="v3", metadata={"model": "x"}, empty=None)
    read = one(tmp_path, record)
    assert read.dialogue.metadata == {"model": "x", "system": "v3"}
    assert read.dialogue.messages[1].metadata == {"latency": 0.5}
    assert read.notes == (
        "unknown field kept as metadata: 'latency'",
        "unknown field left out, because metadata has it too: 'model'",
        "unknown field kept as metadata: 'system'",
    )


def test_a_second_list_of_messages_is_not_lost(tmp_path: Path) -> None:
    read = one(tmp_path, native("a", dialogue=["x"]))
    assert read.dialogue.metadata == {"dialogue": ["x"]}


def test_one_reference_needs_no_list(tmp_path: Path) -> None:
    messages = [ASK, {**REPLY, "reference": "x"}, {**REPLY, "references": "y"}]
    read = one(tmp_path, native("a", messages=messages))
    assert [message.references for message in read.dialogue.messages] == [(), ("x",), ("y",)]


def test_documents_may_be_plain_texts(tmp_path: Path) -> None:
    read = one(tmp_path, native("a", context=["x", {"id": 7, "page_content": "y"}]))
    assert read.dialogue.context == (Document("x"), Document("y", "7"))


def test_arguments_of_a_call_may_be_an_object(tmp_path: Path) -> None:
    calls = [{"name": "f", "arguments": {"é": 1}}, {"function": {"name": "g", "arguments": "{broken"}}]
    read = one(tmp_path, native("a", messages=[{"role": "assistant", "tool_calls": calls}]))
    (message,) = read.dialogue.messages
    assert message.content == ""
    assert message.tool_calls == (ToolCall("f", '{"é": 1}'), ToolCall("g", "{broken"))


def test_a_dialogue_without_a_reply_is_read_and_told(tmp_path: Path) -> None:
    assert one(tmp_path, native("a", messages=[ASK])).notes == (
        "no assistant message: nothing to score by turn",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, "no messages: nothing to judge"),
        ({"messages": [[]]}, "message 0: it is a list"),
        ({"messages": [ASK, {"role": 3, "content": "x"}]}, "message 1: the role '3' is unknown"),
        ({"messages": [{"role": "user", "content": 3}]}, "message 0: 'content' is a number"),
        ({"messages": [{"role": "user", "content": [3]}]}, "a content part is a number"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "type 'hologram' is unknown"),
        ({"messages": [{**REPLY, "given": "yes"}]}, "message 0: 'given' is text"),
        ({"messages": [{**REPLY, "references": [1]}]}, "'references' must be a list of texts"),
        ({"messages": [{**REPLY, "tool_calls": {}}]}, "'tool_calls' is an object, not a list"),
        ({"messages": [{**REPLY, "tool_calls": [{}]}]}, "a tool call has no function name"),
        ({"messages": [{**REPLY, "tool_calls": ["f"]}]}, "a tool call is text"),
        ({"messages": [{**REPLY, "context": [{"id": "x"}]}]}, "a document in 'context' has no text"),
        ({"messages": [{**REPLY, "id": []}]}, "'id' is a list, not text"),
        ({"context": 3}, "'context' is a number"),
        ({"tools": {}}, "'tools' is an object, not a list"),
        ({"tools": [{}]}, "a tool has no name"),
        ({"tools": [3]}, "a tool is a number"),
        ({"tools": [{"name": "f", "parameters": "x"}]}, "the parameters of the tool 'f' are text"),
        ({"metadata": "x"}, "'metadata' is text, not an object"),
        ({"group": []}, "'group' is a list"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: dict, words: str) -> None:
    assert words in refused(tmp_path, native("a", **change), format="native")


def test_messages_must_be_a_list(tmp_path: Path) -> None:
    assert "the messages are an object" in refused(tmp_path, {"id": "a", "messages": {}}, format="native")
    assert "no list of messages" in refused(tmp_path, {"id": "a"}, format="native")
