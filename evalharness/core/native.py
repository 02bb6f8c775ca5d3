"""The native form of a dialogue as plain JSON values, in both directions.

``from_json`` trusts its input (it came from :func:`to_json`, guarded by a checksum); untrusted files go through the
readers under ``data``, which check every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall


def to_json(dialogue: Dialogue) -> dict[str, Json]:
    """A dialogue as a native JSON object; absent and empty fields are left out."""
    row: dict[str, Json] = {"id": dialogue.id}
    if dialogue.id_is_hash:
        row["id_is_hash"] = True
    _put(row, "group", dialogue.group)
    _put(row, "goal", dialogue.goal)
    _put(row, "tools", [_tool_json(tool) for tool in dialogue.tools])
    row["messages"] = [_message_json(message) for message in dialogue.messages]
    _put(row, "context", [_document_json(doc) for doc in dialogue.context])
    _put(row, "metadata", dict(dialogue.metadata))
    return row


def from_json(row: Mapping[str, Any]) -> Dialogue:
    """The dialogue that :func:`to_json` wrote."""
    return Dialogue(
        id=row["id"],
        messages=tuple(_message(m) for m in row["messages"]),
        group=row.get("group", ""),
        goal=row.get("goal"),
        tools=tuple(
            Tool(t["name"], t.get("description", ""), t.get("parameters", {})) for t in row.get("tools", ())
        ),
        context=_documents(row),
        metadata=row.get("metadata", {}),
        id_is_hash=row.get("id_is_hash", False),
    )


def _put(row: dict[str, Json], key: str, value: Json) -> None:
    if value:
        row[key] = value


def _tool_json(tool: Tool) -> dict[str, Json]:
    row: dict[str, Json] = {"name": tool.name}
    _put(row, "description", tool.description)
    row["parameters"] = dict(tool.parameters)
    return row


def _document_json(document: Document) -> dict[str, Json]:
    return {"text": document.text} if document.id is None else {"id": document.id, "text": document.text}


def _message_json(message: Message) -> dict[str, Json]:
    row: dict[str, Json] = {"role": message.role, "content": message.content}
    _put(row, "id", message.id)
    _put(row, "name", message.name)
    _put(row, "tool_calls", [_call_json(call) for call in message.tool_calls])
    _put(row, "tool_call_id", message.tool_call_id)
    _put(row, "references", list(message.references))
    _put(row, "context", [_document_json(doc) for doc in message.context])
    _put(row, "given", message.given)
    _put(row, "metadata", dict(message.metadata))
    return row


def _call_json(call: ToolCall) -> dict[str, Json]:
    function: dict[str, Json] = {"name": call.name, "arguments": call.arguments}
    row: dict[str, Json] = {"type": "function", "function": function}
    _put(row, "id", call.id)
    return row


def _message(row: Mapping[str, Any]) -> Message:
    return Message(
        role=row["role"],
        content=row["content"],
        id=row.get("id"),
        name=row.get("name"),
        tool_calls=tuple(
            ToolCall(c["function"]["name"], c["function"]["arguments"], c.get("id"))
            for c in row.get("tool_calls", ())
        ),
        tool_call_id=row.get("tool_call_id"),
        references=tuple(row.get("references", ())),
        context=_documents(row),
        given=row.get("given", False),
        metadata=row.get("metadata", {}),
    )


def _documents(row: Mapping[str, Any]) -> tuple[Document, ...]:
    return tuple(Document(doc["text"], doc.get("id")) for doc in row.get("context", ()))
