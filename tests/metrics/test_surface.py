"""Surface measures by hand, their skips, and that a dialogue is read once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Document, Item, Message, turn_items
from evalharness.core.scores import Cause, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.metrics.reference import MAX_CHARACTERS
from evalharness.metrics.surface import MEASURES, Surface
from tests.metrics.replies import texts, turn


def measured(item: Item, n: int = 3) -> dict[str, Result]:
    (row,) = Surface(n=n).score_many([item])
    return dict(zip(MEASURES, row, strict=True))


def number(item: Item, measure: str, n: int = 3) -> float:
    result = measured(item, n)[measure]
    assert isinstance(result, Score)
    assert isinstance(result.value, float)
    return result.value


def test_lengths() -> None:
    assert number(turn("Don't go, 你好! 👍🏽"), "words") == 5
    assert number(turn("a\nb 😀"), "chars") == 5


def test_variety_counts_words_in_any_case() -> None:
    """Words a b A b: two of four differ; pairs ab ba ab: two of three differ."""
    assert number(turn("a b, A b."), "distinct1") == 0.5
    assert number(turn("a b, A b."), "distinct2") == pytest.approx(2 / 3)


def test_repetition_within_the_reply() -> None:
    """Of the trigrams abc bca cab abc one has been there before."""
    assert number(turn("a b c a b c"), "repetition") == 0.25
    assert number(turn("a b c a b c"), "repetition", n=2) == pytest.approx(2 / 5)


def test_repetition_of_earlier_replies() -> None:
    dialogue = Dialogue(
        "d",
        (
            Message("assistant", "We are very sorry.", given=True),
            Message("user", "we are very late"),
            Message("assistant", "We are very sorry indeed"),
        ),
    )
    assert number(Item(dialogue, 2), "repetition_earlier") == pytest.approx(2 / 3)
    assert measured(Item(dialogue, 0))["repetition_earlier"] == Skip(SkipReason.NO_EARLIER_REPLY)


def test_overlap_with_the_user_and_the_context() -> None:
    message = Message("assistant", "Your parcel lies in Hull now", context=(Document("HULL depot"),))
    dialogue = Dialogue(
        "d", (Message("user", "My parcel?"), message), context=(Document("lies"), Document("in"))
    )
    assert number(Item(dialogue, 1), "overlap_user") == pytest.approx(1 / 6)
    assert number(Item(dialogue, 1), "overlap_context") == pytest.approx(3 / 6)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Where is it? I see. Really?!", 2 / 3),
        ("It costs 3.50 a piece.", 0.0),
        ('He asked: "Why?" Then he left.', 0.5),
        ("你好吗？我很好。", 0.5),
        ("كيف حالك؟", 1.0),
        ("one line\nand another?\n\n?!", 0.5),
        ("no mark", 0.0),
    ],
)
def test_questions(text: str, share: float) -> None:
    assert number(turn(text), "questions") == pytest.approx(share)


def test_what_makes_no_sense_is_skipped_with_the_reason() -> None:
    found = measured(turn(""))
    assert found["words"] == found["chars"] == Score(0.0)
    assert found["distinct1"] == Skip(SkipReason.NOTHING_TO_JUDGE, "the reply has no words")
    assert found["distinct2"] == Skip(SkipReason.NOTHING_TO_JUDGE, "the reply has fewer than 2 words")
    assert found["repetition"] == Skip(SkipReason.NOTHING_TO_JUDGE, "the reply has fewer than 3 words")
    assert found["repetition_earlier"] == Skip(SkipReason.NO_EARLIER_REPLY)
    assert found["overlap_context"] == Skip(SkipReason.NO_CONTEXT)
    assert found["overlap_user"] == Skip(SkipReason.NOTHING_TO_JUDGE, "the reply has no words")
    assert found["questions"] == Skip(SkipReason.NOTHING_TO_JUDGE, "the reply has no words")
    lone = Item(Dialogue("d", (Message("assistant", "hello"),)), 0)
    assert measured(lone)["overlap_user"] == Skip(SkipReason.NO_USER_TURN)


def test_a_giant_reply_fails() -> None:
    found = measured(turn("x" * (MAX_CHARACTERS + 1)))
    assert {result.cause for result in found.values() if isinstance(result, Failure)} == {Cause.TOO_LONG}
    assert len(found) == len(MEASURES)


roles = st.sampled_from(["user", "assistant", "assistant", "tool"])


@given(st.lists(st.tuples(roles, texts(6)), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(messages: list[tuple[str, str]], random: object) -> None:
    dialogue = Dialogue("d", tuple(Message(role, text) for role, text in messages))  # type: ignore[arg-type]
    items = list(turn_items(dialogue))
    alone = {item.turn: Surface().score_many([item])[0] for item in items}
    assert Surface().score_many(items) == [alone[item.turn] for item in items]
    random.shuffle(items)  # type: ignore[attr-defined]
    assert Surface().score_many(items) == [alone[item.turn] for item in items]


@given(texts())
def test_shares_lie_between_0_and_1(text: str) -> None:
    for (name, (_, bounded)), column in zip(MEASURES.items(), Surface().columns, strict=True):
        result = measured(turn(text, context=["some context"]))[name]
        assert column.high == (1.0 if bounded else None)
        if bounded and isinstance(result, Score):
            assert 0 <= float(result.value) <= 1


def test_each_turn_of_a_long_dialogue_is_read_once() -> None:
    """5,000 turns: reading all that came before at every turn would read 12 million messages."""
    reads = 0

    class Counted(tuple[Message, ...]):
        def __getitem__(self, key: object) -> object:  # type: ignore[override]
            nonlocal reads
            found = super().__getitem__(key)  # type: ignore[index]
            reads += len(found) if isinstance(key, slice) else 1  # type: ignore[arg-type]
            return found

        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal reads
            for message in super().__iter__():
                reads += 1
                yield message

    messages = Counted(Message(("user", "assistant")[i % 2], f"turn {i} is here") for i in range(10_000))  # type: ignore[arg-type]
    dialogue = Dialogue("d", messages)
    items = [Item(dialogue, turn) for turn in range(1, 10_000, 2)]
    reads = 0
    rows = Surface(("repetition_earlier",)).score_many(items)
    assert reads < 100_000
    assert sum(isinstance(row[0], Score) for row in rows) == 4_999


def test_names() -> None:
    assert [column.criterion for column in Surface().columns] == list(MEASURES)
    assert [column.criterion for column in Surface(("words",), name="length").columns] == ["length"]
    assert "|n:4|" in Surface(("repetition",), n=4).columns[0].signature
    assert "|n:" not in Surface(("words",), n=4).columns[0].signature
    with pytest.raises(UsageError, match="Did you mean"):
        Surface(("distinct",))
    with pytest.raises(UsageError):
        Surface(n=0)
