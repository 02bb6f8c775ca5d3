"""OpenAI chat, OpenAI Responses and Anthropic messages."""

from pathlib import Path

import pytest

from evalharness.core.dialogue import Message, Tool, ToolCall
from evalharness.data.dialogues import ReadOptions, Tally, read_dialogues
from tests.data_io.helpers import ASK, REPLY, ids, native, one, put, reads, refused, talk


def dialect(path: Path, record: dict) -> str:
    tally = Tally()
    list(read_dialogues([put(path / "one.jsonl", record)], tally=tally))
    return tally.files[0].dialect


CHAT_REPLY = {"role": "assistant", "content": "hello", "refusal": None}
SCHEMA = {"type": "object"}
CHAT_TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "record",
    [
        {"id": "a", "messages": [ASK], "choices": [{"index": 0, "message": CHAT_REPLY}]},
        {"messages": [ASK], "response": {"id": "a", "choices": [{"message": CHAT_REPLY}]}},
        {"request": {"messages": [ASK]}, "response": {"id": "a", "choices": [{"message": CHAT_REPLY}]}},
        {"custom_id": "a", "body": {"messages": [ASK, REPLY]}},
        {"id": "a", "messages": [ASK, REPLY], "tools": [CHAT_TOOL]},
        {"id": "a", "messages": [{"role": "developer", "content": "x"}, ASK, REPLY]},
        {"id": "a", "messages": [{"role": "user", "content": [{"type": "input_audio"}]}, REPLY]},
    ],
)
def test_chat_is_recognised_and_the_reply_is_part_of_it(tmp_path: Path, record: dict) -> None:
    dialogue = one(tmp_path, record).dialogue
    assert dialect(tmp_path, record) == "openai"
    assert dialogue.id == "a"
    assert dialogue.messages[-1] == Message("assistant", "hello")


def test_a_whole_chat_with_tools(tmp_path: Path) -> None:
    record = {
        "id": "a",
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
            ASK,
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "42"},
        ],
        "tools": [CHAT_TOOL],
        "choices": [{"message": CHAT_REPLY, "finish_reason": "stop"}],
        "model": "gpt-x",
    }
    dialogue = one(tmp_path, record).dialogue
    assert talk(dialogue) == [
        ("system", "be kind"),
        ("user", "hi"),
        ("assistant", ""),
        ("tool", "42"),
        ("assistant", "hello"),
    ]
    assert dialogue.messages[2].tool_calls == (ToolCall("f", "{}", "c1"),)
    assert (dialogue.messages[3].tool_call_id, dialogue.messages[3].name) == ("c1", "f")
    assert dialogue.tools == (Tool("f", "d", SCHEMA),)
    assert dialogue.metadata == {"model": "gpt-x", "finish_reason": "stop"}


def test_each_choice_is_a_dialogue_of_one_group(tmp_path: Path) -> None:
    choices = [{"message": {"role": "assistant", "content": text}} for text in ("x", "y")]
    found = reads(put(tmp_path / "a.jsonl", {"id": "a", "messages": [ASK], "choices": choices}))
    assert ids(found) == ["a-choice-0", "a-choice-1"]
    assert {read.dialogue.group for read in found} == {"a"}
    assert [read.dialogue.messages[-1].content for read in found] == ["x", "y"]


def test_refusals_and_old_function_calls(tmp_path: Path) -> None:
    messages = [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "content": None, "refusal": "I won't"},
    ]
    called, answer, refusal = one(tmp_path, native("a", messages=messages)).dialogue.messages
    assert called.tool_calls == (ToolCall("f", "{}"),)
    assert answer.role == "tool"
    assert (refusal.content, refusal.metadata) == ("I won't", {"refusal": True})


def test_choices_that_are_no_completion_are_only_a_field(tmp_path: Path) -> None:
    read = one(tmp_path, native("a", choices=["yes", "no"]))
    assert talk(read.dialogue) == [("user", "hi"), ("assistant", "hello")]
    assert read.dialogue.metadata == {"choices": ["yes", "no"]}


RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "instructions": "be kind",
    "input": [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "look it up"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "One moment"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
    ],
    "output": [
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"query": "x"}},
        {"type": "mcp_call", "id": "m1", "name": "look", "arguments": "{}", "output": "seen"},
        {
            "type": "message",
            "id": "msg",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hello"}, {"type": "refusal", "refusal": "but no"}],
        },
    ],
    "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}, {"type": "web_search"}],
    "model": "gpt-x",
}


def test_responses_items_become_messages(tmp_path: Path) -> None:
    dialogue = one(tmp_path, RESPONSES).dialogue
    assert dialogue.id == "resp_1"
    assert talk(dialogue) == [
        ("system", "be kind"),
        ("user", "hi"),
        ("assistant", "One moment"),
        ("tool", "1"),
        ("tool", "2"),
        ("assistant", ""),
        ("tool", "seen"),
        ("assistant", "hello\nbut no"),
    ]
    assert dialogue.messages[2].tool_calls == (ToolCall("f", "{}", "c1"), ToolCall("g", "{}", "c2"))
    assert dialogue.messages[2].metadata == {"reasoning": "look it up"}
    assert dialogue.messages[5].tool_calls == (
        ToolCall("web_search", '{"action": {"query": "x"}}', "ws"),
        ToolCall("look", "{}", "m1"),
    )
    assert dialogue.messages[6].tool_call_id == "m1"
    assert dialogue.messages[7].id == "msg"
    assert dialogue.tools == (Tool("f", "", SCHEMA), Tool("web_search"))
    assert dialogue.metadata == {"model": "gpt-x", "object": "response"}


@pytest.mark.parametrize(
    "record",
    [
        {"id": "a", "input": "hi", "output": [{"type": "message", "role": "assistant", "content": "hello"}]},
        {"id": "a", "input": [ASK], "output": "hello"},
        {"id": "a", "items": [ASK, {"type": "message", **REPLY}]},
        {"request": {"input": [ASK]}, "response": {"id": "a", "output": [{"type": "message", **REPLY}]}},
    ],
)
def test_responses_are_recognised(tmp_path: Path, record: dict) -> None:
    assert dialect(tmp_path, record) == "responses"
    dialogue = one(tmp_path, record).dialogue
    assert (dialogue.id, talk(dialogue)) == ("a", [("user", "hi"), ("assistant", "hello")])


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"type": "hologram"}], "item 0: the item type 'hologram' is unknown"),
        ([{"type": "message", "role": "user"}], "item 0: 'content' is null"),
        (["x"], "item 0: it is text"),
        ({"a": 1}, "the items are an object"),
    ],
)
def test_unusable_items_are_told(tmp_path: Path, items: object, words: str) -> None:
    assert words in refused(tmp_path, {"input": "hi", "output": items}, format="responses")


ANTHROPIC = {
    "id": "a",
    "system": [{"type": "text", "text": "be kind"}],
    "messages": [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "look it up", "signature": "x"},
                {"type": "text", "text": "One moment"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]},
                {"type": "text", "text": "and?"},
            ],
        },
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
    "response": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]},
    "model": "claude-x",
    "max_tokens": 100,
}


def test_anthropic_blocks_become_messages(tmp_path: Path) -> None:
    assert dialect(tmp_path, ANTHROPIC) == "anthropic"
    dialogue = one(tmp_path, ANTHROPIC).dialogue
    assert talk(dialogue) == [
        ("system", "be kind"),
        ("user", "hi"),
        ("assistant", "One moment"),
        ("tool", "42"),
        ("user", "and?"),
        ("assistant", "hello"),
    ]
    assert dialogue.messages[2].tool_calls == (ToolCall("f", '{"a": 1}', "t1"),)
    assert dialogue.messages[2].metadata == {"thinking": "look it up"}
    assert dialogue.messages[3].tool_call_id == "t1"
    assert dialogue.tools == (Tool("f", "d", SCHEMA),)
    assert dialogue.metadata == {"model": "claude-x", "max_tokens": 100}


def test_a_failed_tool_and_results_of_server_tools(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": True}]},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [{"type": "web_search_result"}],
                },
                {"type": "text", "text": "found"},
            ],
        },
    ]
    failed, reply, result = one(tmp_path, {"id": "a", "messages": messages}).dialogue.messages
    assert (failed.role, failed.content, failed.metadata) == ("tool", "", {"is_error": True})
    assert (reply.content, reply.tool_calls[0].name) == ("found", "web_search")
    assert (result.role, result.tool_call_id) == ("tool", "s")


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("v2", "native"),
        ("support-bot-2026", "native"),
        ("You are a helpful agent of a parcel service.", "anthropic"),
    ],
)
def test_a_prompt_is_told_from_the_name_of_a_system(tmp_path: Path, system: str, name: str) -> None:
    record = native("a", system=system)
    assert dialect(tmp_path, record) == name
    dialogue = one(tmp_path, record).dialogue
    assert (dialogue.system == system) == (name == "native")
    assert len(dialogue.messages) == (2 if name == "native" else 3)


def test_forced_anthropic_reads_plain_messages(tmp_path: Path) -> None:
    found = reads(put(tmp_path / "a.jsonl", native("a", system="kind")), format="anthropic")
    assert talk(found[0].dialogue)[0] == ("system", "kind")


def test_blocks_without_a_name_are_told(tmp_path: Path) -> None:
    record = native("a", messages=[{"role": "assistant", "content": [{"type": "tool_use", "id": "x"}]}])
    assert "a tool call has no function name" in refused(tmp_path, record)


def test_plain_records_of_the_same_file_are_read_too(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", native("plain"), {**ANTHROPIC, "id": "blocks"})
    assert ids(reads(path)) == ["plain", "blocks"]
    assert list(read_dialogues([path], ReadOptions(format="anthropic"))) == reads(path)


def test_batch_files_and_hidden_thoughts(tmp_path: Path) -> None:
    reply = {
        "type": "message",
        "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "y"}],
    }
    batch = {"custom_id": "b", "params": {"messages": [ASK]}, "response": {"body": reply}}
    dialogue = one(tmp_path, batch).dialogue
    assert (dialogue.id, talk(dialogue)) == ("b", [("user", "hi"), ("assistant", "y")])
    assert dialogue.messages[1].metadata == {"thinking": "[redacted]"}


def test_reasoning_at_the_end_is_told_and_other_outputs_are_json(tmp_path: Path) -> None:
    items = [
        {"type": "file_search_call", "id": "f", "results": [{"file": "a"}]},
        {"type": "reasoning", "summary": []},
    ]
    thought = {"type": "reasoning", "summary": [{"text": "hm"}]}
    read = one(tmp_path, {"id": "a", "input": "hi", "output": [*items, thought]})
    assert talk(read.dialogue) == [("user", "hi"), ("assistant", ""), ("tool", '[{"file": "a"}]')]
    assert "reasoning without a message left out" in read.notes


@pytest.mark.parametrize(
    ("name", "record", "words"),
    [
        ("openai", {"messages": [ASK], "choices": [{"message": CHAT_REPLY}, 3]}, "a choice has no 'message'"),
        ("anthropic", {"messages": {}}, "the messages are an object"),
        ("anthropic", {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": []}]}]},
         "message 0: 'tool_use_id' is a list"),
    ],
)  # fmt: skip
def test_other_problems(tmp_path: Path, name: str, record: dict, words: str) -> None:
    assert words in refused(tmp_path, record, format=name)
