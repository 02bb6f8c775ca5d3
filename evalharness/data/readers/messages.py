"""Messages with ``role`` and ``content``, as the native form and OpenAI chat write them."""

from __future__ import annotations

from typing import Any

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Message, Role, ToolCall
from evalharness.data.readers.parts import (
    argument_text,
    documents,
    keep_unknown,
    object_field,
    optional_text,
    texts,
)
from evalharness.data.reading import RecordError
from evalharness.data.words import json_kind, quoted

ROLE_NAMES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "customer": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "agent": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
"""Role names that are understood, in lower case, and what they mean here."""

_PLAIN_ROLES = frozenset(("system", "user", "assistant", "tool"))
_KNOWN = frozenset(
    (
        "role", "content", "id", "name", "tool_calls", "tool_call_id", "references", "reference", "context", "given",
        "metadata", "refusal", "function_call",
    )
)  # fmt: skip
_MEDIA = {
    "image_url": "image", "input_image": "image", "image": "image", "output_image": "image",
    "input_audio": "audio", "audio": "audio", "output_audio": "audio",
    "file": "file", "input_file": "file", "document": "document", "video": "video",
}  # fmt: skip


def read_messages(items: Any, notes: list[str]) -> list[Message]:
    """The messages of a list; raises ``RecordError`` naming the index of the first that is unusable."""
    if type(items) is not list:
        raise RecordError(f"the messages are {json_kind(items)}, not a list")
    messages: list[Message] = []
    for index, item in enumerate(items):
        if type(item) is dict and len(item) == 2:  # the common case, kept fast
            role, content = item.get("role"), item.get("content")
            if type(content) is str and role in _PLAIN_ROLES:
                messages.append(Message(role, content))
                continue
        try:
            messages.append(_message(item, notes))
        except RecordError as error:
            raise RecordError(f"message {index}: {error.message}", error.fix) from None
    return messages


def role_of(name: Any) -> Role:
    """The role that a name stands for; raises ``RecordError`` for an unknown one."""
    if name is None:
        raise RecordError("there is no role", "Write system, user, assistant or tool.")
    role = ROLE_NAMES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        raise RecordError(
            f"the role {quoted(str(name))} is unknown", "Write system, user, assistant or tool."
        )
    return role


def _message(item: Any, notes: list[str]) -> Message:
    if not isinstance(item, dict):
        raise RecordError(f"it is {json_kind(item)}, not an object with role and content")
    role = role_of(item.get("role"))
    calls = tool_calls(item)
    metadata = object_field(item, "metadata")
    keep_unknown(item, _KNOWN, metadata, notes)
    return Message(
        role=role,
        content=_content(item, calls, metadata, notes),
        id=optional_text(item, "id"),
        name=optional_text(item, "name"),
        tool_calls=calls,
        tool_call_id=optional_text(item, "tool_call_id"),
        references=texts(item.get("references", item.get("reference")), "references"),
        context=documents(item.get("context")),
        given=_flag(item, "given"),
        metadata=metadata,
    )


def _flag(item: dict[str, Any], key: str) -> bool:
    value = item.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise RecordError(f"{key!r} is {json_kind(value)}", "Write true or false.")


def _content(
    item: dict[str, Any], calls: tuple[ToolCall, ...], metadata: dict[str, Json], notes: list[str]
) -> str:
    """The text of a message: null is allowed where there are tool calls or a refusal instead."""
    content = item.get("content")
    refusal = item.get("refusal")
    if content is None and isinstance(refusal, str):
        metadata["refusal"] = True
        return refusal
    if content is None and calls:
        return ""
    if content is None:
        found = "'content' is null" if "content" in item else "there is no content"
        raise RecordError(found, 'Write "content": "" for an empty message.')
    return content_text(content, notes)


def content_text(content: Any, notes: list[str]) -> str:
    """Text, or a list of parts joined by line breaks; parts that are no text leave a marker and a note."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RecordError(f"'content' is {json_kind(content)}", "Write text, or a list of content parts.")
    return "\n".join(_part_text(part, notes) for part in content)


def _part_text(part: Any, notes: list[str]) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise RecordError(f"a content part is {json_kind(part)}")
    for key in ("text", "refusal"):
        if isinstance(part.get(key), str):
            return str(part[key])
    medium = _MEDIA.get(str(part.get("type")))
    if medium is None:
        raise RecordError(f"a content part of type {quoted(str(part.get('type')))} is unknown")
    notes.append(f"{medium} part replaced by a marker")
    return f"[{medium}]"


def tool_calls(item: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The tool calls of a message, the older single ``function_call`` included."""
    calls = item.get("tool_calls")
    if calls is None:
        calls = []
    if not isinstance(calls, list):
        raise RecordError(f"'tool_calls' is {json_kind(calls)}, not a list")
    if item.get("function_call") is not None:
        calls = [*calls, {"function": item["function_call"]}]
    return tuple(_tool_call(call) for call in calls)


def _tool_call(call: Any) -> ToolCall:
    if not isinstance(call, dict):
        raise RecordError(f"a tool call is {json_kind(call)}, not an object")
    body = call.get("function", call.get("custom", call))
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(name, str):
        raise RecordError("a tool call has no function name")
    arguments = body.get("arguments", body.get("input"))
    return ToolCall(name, argument_text(arguments), optional_text(call, "id"))
