"""FED (Mehri and Eskenazi 2020): rated dialogues and rated single turns with open-domain systems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalharness.core.dialogue import Message, Role
from evalharness.data.readers.parts import Draft, finished
from evalharness.data.readers.ratings import raw_labels
from evalharness.data.reading import Read, Record, RecordError, Rejected, Tally

_SPEAKERS: dict[str, Role] = {"User": "user", "System": "assistant"}
_DIALOG_SPEAKERS: dict[str, Role] = {"human": "user", "model": "assistant"}


@dataclass(slots=True)
class _Place:
    """Which conversation the next record belongs to: turns of one stand together, before its whole dialogue."""

    number: int = 0
    turns: int = 0
    text: str = ""
    ended: bool = False

    def move(self, text: str, whole: bool) -> None:
        other = self.text and not (text.startswith(self.text) or self.text.startswith(text))
        if self.ended or other:
            self.number, self.turns = self.number + 1, 0
        self.text, self.ended = text, whole
        self.turns += not whole


class FEDReader:
    """A dialogue for each rated item: of a turn, the history is given and only the response scored.

    Dialogues are called ``fed-dial_00000`` as in the published list, turns ``fed-dial_00000-turn-1``; the group is
    the conversation.
    """

    name = "fed"
    looks_for = "'annotations' with lists of ratings, beside 'context' (text) or 'dialog'"
    joint = False

    def recognises(self, value: dict[str, Any]) -> bool:
        """Annotations beside a conversation in one of the two published files."""
        if not isinstance(value.get("annotations"), dict):
            return False
        dialog = value.get("dialog")
        return isinstance(value.get("context"), str) or (
            isinstance(dialog, list) and all(isinstance(t, dict) and "speaker" in t for t in dialog)
        )

    def read(self, records: Iterator[Record | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The dialogues of the records in order."""
        del tally  # every count belongs to a dialogue
        place = _Place()
        for record in records:
            if isinstance(record, Rejected):
                yield record
                continue
            try:
                yield _of_list(record) if "dialog" in record.value else _of_text(record, place)
            except RecordError as error:
                yield error.rejecting(record)


def _of_text(record: Record, place: _Place) -> Read:
    """An item of the file with both kinds: text with a speaker before each utterance."""
    value = record.value
    context, response = value.get("context"), value.get("response")
    if not isinstance(context, str) or not isinstance(response, str | None):
        raise RecordError("'context' and 'response' must be text")
    messages = _utterances(context)
    place.move(context, whole=response is None)
    group = name = f"fed-dial_{place.number:05d}"
    if response is not None:
        name = f"{group}-turn-{place.turns}"
        messages = [_given(message) for message in messages] + _utterances(response)
    turn = None if response is None else len(messages) - 1
    return _finish(record, name, group, messages, turn, value.get("system"))


def _of_list(record: Record) -> Read:
    """A dialogue of the file that holds whole dialogues with their own ids."""
    value = record.value
    messages: list[Message] = []
    for item in value["dialog"] if isinstance(value["dialog"], list) else ():
        role = _DIALOG_SPEAKERS.get(str(item.get("speaker"))) if isinstance(item, dict) else None
        if role is None or not isinstance(item.get("text"), str):
            raise RecordError("an utterance of 'dialog' must have 'speaker' (human or model) and 'text'")
        messages.append(Message(role, item["text"].strip()))
    name = value.get("dialogue_id")
    if not isinstance(name, str):
        raise RecordError("'dialogue_id' must be text")
    return _finish(record, name, name, messages, None, value.get("model"))


def _finish(
    record: Record, name: str, group: str, messages: list[Message], turn: int | None, system: Any
) -> Read:
    annotations = record.value.get("annotations")
    if not isinstance(annotations, dict):
        raise RecordError("'annotations' must be an object with a list of ratings for each quality")
    notes: list[str] = []
    draft = Draft(
        messages,
        id=name,
        group=group,
        metadata={"system": system} if isinstance(system, str) else {},
        labels=raw_labels(annotations, name, turn, record, notes),
        notes=notes,
    )
    return finished(draft, record)


def _utterances(text: str) -> list[Message]:
    """``User: …`` and ``System: …`` lines as messages; a line without a speaker goes on with the one before."""
    messages: list[Message] = []
    for line in text.split("\n"):
        speaker, colon, words = line.partition(":")
        role = _SPEAKERS.get(speaker.strip()) if colon else None
        if role is not None:
            messages.append(Message(role, words.strip()))
        elif messages:
            last = messages.pop()
            messages.append(Message(last.role, f"{last.content}\n{line}"))
        else:
            raise RecordError("the conversation does not begin with 'User:' or 'System:'")
    return messages


def _given(message: Message) -> Message:
    return Message(message.role, message.content, given=message.role == "assistant")
