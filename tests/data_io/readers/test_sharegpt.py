from pathlib import Path

from evalharness.core.dialogue import Tool, ToolCall
from tests.data_io.helpers import one, refused, talk


def test_turns_with_system_tools_and_calls(tmp_path: Path) -> None:
    record = {
        "id": "s_0",
        "system": "be kind",
        "tools": '[{"name": "f", "parameters": {"type": "object"}}]',
        "conversations": [
            {"from": "human", "value": "hi"},
            {"from": "function_call", "value": '{"name": "f", "arguments": {"a": 1}}'},
            {"from": "observation", "value": "42"},
            {"from": "gpt", "value": "hello", "weight": 1},
        ],
    }
    dialogue = one(tmp_path, record).dialogue
    assert talk(dialogue) == [
        ("system", "be kind"),
        ("user", "hi"),
        ("assistant", ""),
        ("tool", "42"),
        ("assistant", "hello"),
    ]
    assert dialogue.messages[2].tool_calls == (ToolCall("f", '{"a": 1}'),)
    assert dialogue.messages[4].metadata == {"weight": 1}
    assert dialogue.tools == (Tool("f", "", {"type": "object"}),)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    def said(*turns: object, **fields: object) -> str:
        return refused(tmp_path, {"id": "a", "conversations": list(turns), **fields}, format="sharegpt")

    assert "message 0: it has no 'from' and 'value'" in said({"from": "human"})
    assert "message 0: the role 'alien' is unknown" in said({"from": "alien", "value": "x"})
    assert "the function call is not JSON" in said({"from": "function_call", "value": "{"})
    assert "not a JSON object" in said({"from": "function_call", "value": "[]"})
    assert "'tools' is text, but not JSON" in said({"from": "gpt", "value": "x"}, tools="{")
    assert "there is no list 'conversations'" in refused(tmp_path, {"id": "a"}, format="sharegpt")
