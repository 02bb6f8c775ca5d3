"""Dialogues as native JSON and back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool, ToolCall, TurnChoice, Unit

_texts = st.text(max_size=20)
_documents = st.builds(Document, text=_texts, id=st.none() | st.text(min_size=1, max_size=5))
_messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=_texts,
    id=st.none() | st.text(min_size=1, max_size=5),
    tool_calls=st.lists(st.builds(ToolCall, name=_texts, arguments=_texts), max_size=2).map(tuple),
    references=st.lists(_texts, max_size=2).map(tuple),
    context=st.lists(_documents, max_size=2).map(tuple),
    given=st.booleans(),
)
dialogues = st.builds(
    Dialogue,
    id=st.text(min_size=1, max_size=8),
    messages=st.lists(_messages, min_size=1, max_size=5).map(tuple),
    group=_texts,
    tools=st.lists(st.builds(Tool, name=_texts, description=_texts), max_size=2).map(tuple),
    metadata=st.dictionaries(_texts, _texts | st.integers() | st.booleans(), max_size=2),
)


@given(dialogues)
def test_what_is_written_is_read_back(dialogue: Dialogue):
    text = canonical_json(native.to_json(dialogue))
    assert native.from_json(json.loads(text)) == dialogue


def _dialogue() -> Dialogue:
    return Dialogue(
        "d",
        (
            Message("user", "hello"),
            Message("assistant", "old", given=True),
            Message("user", "where?"),
            Message("assistant", "there", references=("over there",), context=(Document("map"),)),
            Message("assistant", "anything else?"),
        ),
        context=(Document("handbook"),),
    )


def test_given_turns_are_not_scored():
    assert _dialogue().assistant_turns() == (3, 4)
    assert _dialogue().assistant_turns(TurnChoice.LAST) == (4,)
    assert _dialogue().assistant_turns(TurnChoice.REFERENCED) == (3,)


def test_replies_are_counted_from_one_with_given_ones():
    assert _dialogue().reply_number(3) == 2


def test_a_turn_knows_what_came_before_and_what_it_rests_on():
    item = Item(_dialogue(), 3)
    assert item.unit is Unit.TURN
    assert item.last_user_text == "where?"
    assert [doc.text for doc in item.context] == ["map", "handbook"]
    assert len(item.history) == 3


def test_a_dialogue_item_gathers_every_context():
    item = Item(_dialogue())
    assert item.unit is Unit.DIALOGUE
    assert [doc.text for doc in item.context] == ["map", "handbook"]
    assert item.references == ()


def test_the_group_defaults_to_the_dialogue():
    assert _dialogue().cluster == "d"
