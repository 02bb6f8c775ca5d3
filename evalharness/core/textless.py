"""A run without its texts: who spoke and what was scored stay, what was said does not.

Ids, groups, roles, the order of messages, values, causes and counts stay; of metadata the system's name, numbers and
truth values. Everything that may quote a dialogue goes: messages, names of participants, tools with their arguments
and results, documents, references, goals, other metadata, rationales, evidence, and details of failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Message
from evalharness.core.scores import Failure, Result, Score, Skip

KEPT = "system"


def textless_dialogue(dialogue: Dialogue) -> Dialogue:
    """The dialogue without its texts; its messages keep their places."""
    return Dialogue(
        id=dialogue.id,
        group=dialogue.group,
        id_is_hash=dialogue.id_is_hash,
        messages=tuple(_message(message) for message in dialogue.messages),
        metadata=_plain(dialogue.metadata),
    )


def textless_result(result: Result) -> Result:
    """The outcome without what a judge or a check wrote."""
    match result:
        case Score():
            return replace(result, rationale=None, evidence=(), extra=_numbers(result.extra))
        case Failure():
            return replace(result, detail="", raw=None, extra=_numbers(result.extra))
        case Skip():
            return replace(result, detail="")


def _message(message: Message) -> Message:
    return Message(message.role, "", id=message.id, given=message.given)


def _numbers(extra: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """What a protocol noted in numbers, like how far the members of a panel are apart."""
    kept = {key: value for key, value in (extra or {}).items() if isinstance(value, bool | int | float)}
    return kept or None


def _plain(metadata: Mapping[str, Json]) -> dict[str, Json]:
    return {
        key: value for key, value in metadata.items() if key == KEPT or isinstance(value, bool | int | float)
    }
