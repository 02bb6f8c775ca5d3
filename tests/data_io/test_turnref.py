import pytest

from evalharness.core.dialogue import Dialogue, Message
from evalharness.data.reading import RecordError
from evalharness.data.turnref import turn_index

DIALOGUE = Dialogue(
    "d",
    (
        Message("system", "s"),
        Message("assistant", "hello", id="greeting"),
        Message("user", "hi", id="4"),
        Message("assistant", "yes?", id="3"),
        Message("user", "x", id="twin"),
        Message("user", "y", id="twin"),
    ),
)


@pytest.mark.parametrize(
    ("name", "index"),
    [(0, 0), (3, 3), ("5", 5), (" 5 ", 5), ("greeting", 1), ("reply 1", 1), ("Reply  2", 3), ("3", 3)],
)
def test_names_of_turns(name: int | str, index: int) -> None:
    assert turn_index(DIALOGUE, name) == index


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (6, "has messages 0 to 5, not 6"),
        (-1, "has messages 0 to 5, not -1"),
        ("9", "has messages 0 to 5, not 9"),
        ("reply 0", "has 2 replies, not 0"),
        ("reply 3", "has 2 replies, not 3"),
        ("third", "has no turn 'third'"),
        ("twin", "two messages"),
        ("4", "is the id of message 2 and stands for message 4, too"),
    ],
)
def test_names_that_stand_for_nothing_or_for_two(name: int | str, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        turn_index(DIALOGUE, name)
