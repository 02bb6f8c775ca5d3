"""Short ways of reading stored rows say what the long ones say."""

from __future__ import annotations

import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Message, TurnChoice
from evalharness.data.ledger.rows import StoredDialogue, key_text, name_text, names_check

messages = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=st.text(max_size=3),
    references=st.lists(st.text(max_size=2), max_size=1).map(tuple),
    given=st.booleans(),
)
dialogues = st.builds(
    Dialogue,
    id=st.text(min_size=1, max_size=4),
    messages=st.lists(messages, max_size=5).map(tuple),
    group=st.text(max_size=3),
    metadata=st.dictionaries(
        st.sampled_from(["system", "lang"]), st.text(max_size=3) | st.integers(), max_size=2
    ),
)
names = st.text(st.characters(exclude_categories=()), max_size=6)


@given(dialogues, st.sampled_from(TurnChoice))
def test_facts_are_those_of_the_dialogue(dialogue: Dialogue, choice: TurnChoice):
    stored = StoredDialogue(1, "f", 1, canonical_json(native.to_json(dialogue)))
    assert stored.turns(choice) == len(dialogue.assistant_turns(choice))
    assert stored.metadata() == dialogue.metadata


@given(names, names)
def test_the_check_of_names_is_that_of_their_json(one: str, other: str):
    assert names_check(one, other) == f"{zlib.crc32(json.dumps([one, other]).encode()):08x}"


@given(names)
def test_names_come_back(name: str):
    assert name_text(key_text(name)) == name
