"""What an item lacks is a skip with its reason."""

from __future__ import annotations

import pytest

from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool, ToolCall
from evalharness.core.rubric import Need
from evalharness.core.scores import SkipReason
from evalharness.judges.needs import nothing_to_judge, unmet_need
from tests.judges.fakes import dialogue, ordinal


def reason(item, *needs):
    skip = unmet_need(item, ordinal(needs=needs))
    return None if skip is None else skip.reason


BARE = Item(dialogue("Hi", "Hello", "Bye", "Good bye"), 3)


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (Need.CONTEXT, SkipReason.NO_CONTEXT),
        (Need.REFERENCES, SkipReason.NO_REFERENCE),
        (Need.TOOLS, SkipReason.NO_TOOLS),
        (Need.HISTORY, None),
    ],
)
def test_a_bare_dialogue(need, expected):
    assert reason(BARE, need) is expected


def test_the_first_unmet_need_is_named():
    assert reason(BARE, Need.HISTORY, Need.TOOLS, Need.CONTEXT) is SkipReason.NO_TOOLS


def test_context_of_the_turn_or_of_the_dialogue_will_do():
    assert reason(Item(dialogue(context=(Document("x"),)), 1), Need.CONTEXT) is None
    own = Dialogue(
        "d",
        (
            Message("user", "a"),
            Message("assistant", "b", context=(Document("x"),)),
            Message("assistant", "c"),
        ),
    )
    assert reason(Item(own, 1), Need.CONTEXT) is None
    assert reason(Item(own, 2), Need.CONTEXT) is SkipReason.NO_CONTEXT
    assert reason(Item(own), Need.CONTEXT) is None


def test_tools_are_declared_or_called_up_to_the_turn():
    call = Message("assistant", "", tool_calls=(ToolCall("f", "{}"),))
    later = Dialogue("d", (Message("assistant", "a"), call))
    assert reason(Item(later, 0), Need.TOOLS) is SkipReason.NO_TOOLS
    assert reason(Item(later, 1), Need.TOOLS) is None
    assert reason(Item(dialogue(tools=(Tool("f"),)), 1), Need.TOOLS) is None


def test_instructions_are_no_history():
    opening = Dialogue("d", (Message("system", "Be kind"), Message("assistant", "Hello")))
    assert reason(Item(opening, 1), Need.HISTORY) is SkipReason.NO_HISTORY
    assert reason(Item(opening), Need.HISTORY) is SkipReason.NO_HISTORY
    assert reason(Item(dialogue("Hi", "Hello")), Need.HISTORY) is None


def test_a_dialogue_without_the_assistant_has_nothing_to_judge():
    assert (
        nothing_to_judge(Item(Dialogue("d", (Message("user", "Hello?"),)))).reason
        is SkipReason.NOTHING_TO_JUDGE
    )
    assert nothing_to_judge(Item(Dialogue("d", ()))) is not None
    assert nothing_to_judge(Item(dialogue("Hi", ""), 1)) is None
