"""Dialogues and the items that scores are about.

Everything here is frozen and free of I/O. Readers under ``data`` build these objects; scorers only read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from evalharness.core.canonical import Json

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


class Unit(StrEnum):
    """What one score is about."""

    DIALOGUE = "dialogue"
    TURN = "turn"
    PAIR = "pair"


class TurnChoice(StrEnum):
    """Which assistant turns are scored: every one not given, only the last, or those with references."""

    ALL = "all"
    LAST = "last"
    REFERENCED = "referenced"


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of context: what a reply was, or should have been, answered from."""

    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the agent may call; ``parameters`` is its JSON Schema (empty when unknown)."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool; ``arguments`` is the JSON text exactly as the agent wrote it (it may be invalid)."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a dialogue.

    ``given`` marks an assistant message that is history and not to be scored. ``context`` is what this turn was
    answered from, ``references`` known good replies for it.
    """

    role: Role
    content: str
    id: str | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    references: tuple[str, ...] = ()
    context: tuple[Document, ...] = ()
    given: bool = False
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Messages with an id, and what is known about them.

    ``group`` is the unit of clustering (same scenario, same context) and defaults to the dialogue's own id.
    ``id_is_hash`` tells that the source had no id and the content's hash stands in.
    """

    id: str
    messages: tuple[Message, ...]
    group: str = ""
    goal: str | None = None
    tools: tuple[Tool, ...] = ()
    context: tuple[Document, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    id_is_hash: bool = False

    @property
    def cluster(self) -> str:
        """The group, or the dialogue's own id where none is given."""
        return self.group or self.id

    @property
    def system(self) -> str:
        """The name of the system under test from the metadata; empty when not stated."""
        return system_of(self.metadata)

    def assistant_turns(self, choice: TurnChoice = TurnChoice.ALL) -> tuple[int, ...]:
        """Indices into ``messages`` of the assistant turns to score."""
        own = [i for i, m in enumerate(self.messages) if m.role == "assistant" and not m.given]
        if choice is TurnChoice.LAST:
            return tuple(own[-1:])
        if choice is TurnChoice.REFERENCED:
            return tuple(i for i in own if self.messages[i].references)
        return tuple(own)

    def reply_number(self, turn: int) -> int:
        """The N of ``reply N``: how many assistant messages there are up to and including index ``turn``."""
        return sum(1 for m in self.messages[: turn + 1] if m.role == "assistant")


def system_of(metadata: Mapping[str, Json]) -> str:
    """The name of the system under test; empty where the metadata does not state it."""
    value = metadata.get("system", "")
    return value if isinstance(value, str) else str(value)


@dataclass(frozen=True, slots=True)
class Item:
    """What one score is about: a whole dialogue (``turn`` is None) or one assistant turn of it."""

    dialogue: Dialogue
    turn: int | None = None

    @property
    def unit(self) -> Unit:
        """Whether this is a turn or a whole dialogue."""
        return Unit.DIALOGUE if self.turn is None else Unit.TURN

    @property
    def message(self) -> Message:
        """The assistant message of a turn item; a ``ValueError`` for a dialogue item."""
        if self.turn is None:
            raise ValueError("a dialogue item has no single message")
        return self.dialogue.messages[self.turn]

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages before the turn; all messages for a dialogue item."""
        return self.dialogue.messages if self.turn is None else self.dialogue.messages[: self.turn]

    @property
    def context(self) -> tuple[Document, ...]:
        """The documents this item was answered from: the turn's own, then the dialogue's."""
        if self.turn is None:
            own = tuple(doc for m in self.dialogue.messages for doc in m.context)
        else:
            own = self.message.context
        return own + self.dialogue.context

    @property
    def references(self) -> tuple[str, ...]:
        """Known good replies of the turn; none for a dialogue item."""
        return () if self.turn is None else self.message.references

    @property
    def last_user_text(self) -> str | None:
        """The text of the user message that comes last before the turn, if there is one."""
        for message in reversed(self.history):
            if message.role == "user":
                return message.content
        return None


def turn_items(dialogue: Dialogue, choice: TurnChoice = TurnChoice.ALL) -> Iterator[Item]:
    """The turn items of a dialogue, in order."""
    return (Item(dialogue, turn) for turn in dialogue.assistant_turns(choice))
