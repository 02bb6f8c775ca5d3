"""How people name a turn: its index in ``messages``, the id of its message, or ``reply N``."""

from __future__ import annotations

import re

from evalharness.core.dialogue import Dialogue
from evalharness.data.reading import RecordError
from evalharness.data.words import quoted

_REPLY = re.compile(r"reply\s+([0-9]{1,9})", re.IGNORECASE)
_INDEX = re.compile(r"[0-9]{1,9}")


def turn_index(dialogue: Dialogue, name: int | str) -> int:
    """The 0-based index of the message that ``name`` stands for.

    A number is an index; text is a message id, an index in digits, or ``reply N`` (the N-th assistant message, from
    1). Raises :class:`RecordError` when there is no such message, or two.
    """
    if isinstance(name, int):
        return _existing(dialogue, name)
    by_id = [index for index, message in enumerate(dialogue.messages) if message.id == name]
    if len(by_id) > 1:
        raise RecordError(f"two messages of dialogue {quoted(dialogue.id)} have the id {quoted(name)}")
    by_place = _by_place(dialogue, name.strip())
    if by_id and by_place is not None and by_place != by_id[0]:
        raise RecordError(
            f"{quoted(name)} is the id of message {by_id[0]} and stands for message {by_place}, too"
        )
    if by_id:
        return by_id[0]
    if by_place is None:
        fix = "Write the index of the message (from 0), its id, or 'reply N'."
        raise RecordError(f"dialogue {quoted(dialogue.id)} has no turn {quoted(name)}", fix)
    return _existing(dialogue, by_place)


def _by_place(dialogue: Dialogue, text: str) -> int | None:
    if _INDEX.fullmatch(text):
        return int(text)
    match = _REPLY.fullmatch(text)
    if match is None:
        return None
    replies = [index for index, message in enumerate(dialogue.messages) if message.role == "assistant"]
    number = int(match[1])
    if not 1 <= number <= len(replies):
        raise RecordError(f"dialogue {quoted(dialogue.id)} has {len(replies)} replies, not {number}")
    return replies[number - 1]


def _existing(dialogue: Dialogue, index: int) -> int:
    if not 0 <= index < len(dialogue.messages):
        last = len(dialogue.messages) - 1
        raise RecordError(f"dialogue {quoted(dialogue.id)} has messages 0 to {last}, not {index}")
    return index
