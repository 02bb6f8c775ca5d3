"""What dialects have in common: ids, documents, tools, metadata, and the assembly of a dialogue from them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Dialogue, Document, Message, Tool
from evalharness.core.labels import Label, PairLabel
from evalharness.core.native import to_json
from evalharness.data import strictjson
from evalharness.data.reading import Origin, Read, Record, RecordError
from evalharness.data.words import json_kind, quoted

NO_ID = "id missing: content hash used"
NO_REPLY = "no assistant message: nothing to score by turn"


@dataclass(slots=True)
class Draft:
    """A dialogue being put together from a record; :func:`finished` makes it a :class:`Read`."""

    messages: Sequence[Message]
    id: str | None = None
    group: str = ""
    goal: str | None = None
    tools: tuple[Tool, ...] = ()
    context: tuple[Document, ...] = ()
    metadata: dict[str, Json] = field(default_factory=dict)
    labels: tuple[Label | PairLabel, ...] = ()
    notes: list[str] = field(default_factory=list)
    id_is_hash: bool = False


def finished(draft: Draft, record: Record) -> Read:
    """The dialogue of a draft; without an id it gets the hash of its content and a note."""
    notes = draft.notes
    if not draft.messages:
        raise RecordError("there are no messages: nothing to judge")
    if "assistant" not in [message.role for message in draft.messages]:
        notes.append(NO_REPLY)
    dialogue = Dialogue(
        id=draft.id or "",
        messages=tuple(draft.messages),
        group=draft.group,
        goal=draft.goal,
        tools=draft.tools,
        context=draft.context,
        metadata=draft.metadata,
        id_is_hash=draft.id_is_hash,
    )
    if not draft.id:
        notes.append(NO_ID)
        dialogue = _named_by_content(dialogue)
    return Read(
        dialogue, Origin(_shown(record.source), record.line), draft.labels, record.notes + tuple(notes)
    )


def _shown(source: str) -> str:
    """A file's name as it can be stored: bytes of it that are no UTF-8 become escapes."""
    return source if source.isascii() else source.encode("utf-8", "backslashreplace").decode()


def _named_by_content(dialogue: Dialogue) -> Dialogue:
    content = {key: value for key, value in to_json(dialogue).items() if key not in ("id", "id_is_hash")}
    return replace(dialogue, id=content_hash(content), id_is_hash=True)


def record_id(record: Record, key: str = "id") -> str | None:
    """The text of an id field, None when it is absent, null or empty; a number keeps its exact text."""
    value = record.value.get(key)
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    if type(value) is float and not record.raw:
        return repr(value)
    if type(value) is float:
        return _exact_text(record.raw, key, value)
    raise RecordError(f"{key!r} is {json_kind(value)}", "Write it as text or as a number.")


def _exact_text(raw: bytes, key: str, value: float) -> str:
    """The number as written, as 1.10 and 1.1 are two ids; its value where a dialect moved the field."""
    try:
        written = strictjson.loads_keeping_numbers(raw)
    except strictjson.JsonError:
        return repr(value)
    text = written.get(key) if isinstance(written, dict) else None
    return str(text) if isinstance(text, strictjson.NumberText) else repr(value)


def optional_text(value: Mapping[str, Any], key: str) -> str | None:
    """A text field; a number becomes its text; null, absence and empty text None."""
    found = value.get(key)
    if found is None or type(found) is str:
        return found or None
    if type(found) in (int, float):
        return str(found)
    raise RecordError(f"{key!r} is {json_kind(found)}, not text")


def object_field(value: Mapping[str, Any], key: str) -> dict[str, Json]:
    """An object field; empty when it is absent or null."""
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise RecordError(f"{key!r} is {json_kind(found)}, not an object")
    return dict(found)


def texts(value: Any, key: str) -> tuple[str, ...]:
    """One text or a list of texts, as references are written."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RecordError(f"{key!r} must be a list of texts")


def documents(value: Any, key: str = "context") -> tuple[Document, ...]:
    """Context documents: a text, or a list of texts and of objects with ``text`` and perhaps ``id``."""
    if value is None:
        return ()
    if isinstance(value, str | dict):
        value = [value]
    if not isinstance(value, list):
        raise RecordError(f"{key!r} is {json_kind(value)}, not a list of documents")
    return tuple(_document(item, key) for item in value)


def _document(item: Any, key: str) -> Document:
    if isinstance(item, str):
        return Document(item)
    if isinstance(item, dict):
        for name in ("text", "content", "page_content"):
            if isinstance(item.get(name), str):
                return Document(item[name], optional_text(item, "id"))
    raise RecordError(f"a document in {key!r} has no text", 'Write {"id": "doc1", "text": "…"}.')


def tools(value: Any) -> tuple[Tool, ...]:
    """Tool definitions: flat (native, Responses), under ``function`` (chat) or with ``input_schema`` (Anthropic)."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RecordError(f"'tools' is {json_kind(value)}, not a list")
    return tuple(_tool(item) for item in value)


def _tool(item: Any) -> Tool:
    if isinstance(item, str):
        return Tool(item)
    if not isinstance(item, dict):
        raise RecordError(f"a tool is {json_kind(item)}, not an object")
    body = item["function"] if isinstance(item.get("function"), dict) else item
    name = body.get("name") or item.get("type")
    if not isinstance(name, str):
        raise RecordError("a tool has no name")
    parameters = body.get("parameters", body.get("input_schema", {}))
    if parameters is not None and not isinstance(parameters, dict):
        raise RecordError(
            f"the parameters of the tool {quoted(name)} are {json_kind(parameters)}, not a JSON Schema"
        )
    return Tool(name, optional_text(body, "description") or "", parameters or {})


def keep_unknown(
    value: Mapping[str, Any], known: Collection[str], metadata: dict[str, Json], notes: list[str]
) -> None:
    """Put fields that the dialect does not know into the metadata, with a note for each."""
    for key, item in value.items():
        if key in known or item is None:
            continue
        if metadata.setdefault(key, item) is item:
            notes.append(f"unknown field kept as metadata: {quoted(key)}")
        else:
            notes.append(f"unknown field left out, because metadata has it too: {quoted(key)}")


def argument_text(value: Any) -> str:
    """Arguments of a tool call as JSON text; text is kept exactly as the agent wrote it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
