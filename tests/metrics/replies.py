"""Texts and items that the tests of metrics share."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Document, Item, Message, ToolCall
from evalharness.core.metric import Metric
from evalharness.core.scores import Score

_SENTENCE = (
    "the cat cats Cat sat sitting on a mat mats, happily running flies denied 5,000 3.5 it's 's -- ... well-known "
    "e-mail a.b.c $9.99 <skipped> &quot;so&quot; &amp;lt; ( ) [ ] ? ! yyyy sky İstanbul ΣΑΣ é e\u0301 naïve"
)
WORDS = _SENTENCE.split()

PIECES = [
    *WORDS, " ", "  ", "\n", "-\n", "\t", "\u00a0", "你好", "世界", "，", "。", "😀", "👍🏽", "مرحبا", "بالعالم", "ไทย",
    "\x00", "\ud800", "\u200d", "K", "5-", ".5", "5.", ".", ",", "-", "'", "&", "<",
]  # fmt: skip

FIXED = [
    "",
    " ",
    "\n",
    "hello",
    "Hello, world!",
    "the cat sat on the mat . the cat sat .",
    "The e-mail's cost was $5,000.50 (approx.); see <b>&quot;here&quot;</b> -\nand there.",
    "你好，世界。今天天气很好。",
    "你好，世界！明天天气不好。",
    "😀😀👍🏽 🇫🇷",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "สวัสดีชาวโลก",
    "line one here\nline two there\n\nline three",
    "a\x00b \ud800 c\u2028d\u00a0e",
]


def texts(max_pieces: int = 14) -> st.SearchStrategy[str]:
    """Texts of words, marks, several scripts and hostile characters, spaced or not."""
    spaced = st.lists(st.sampled_from(WORDS), max_size=max_pieces).map(" ".join)
    mixed = st.lists(st.sampled_from(PIECES), max_size=max_pieces).map("".join)
    return st.one_of(spaced, mixed, st.sampled_from(FIXED))


def pairs(max_references: int = 3) -> st.SearchStrategy[tuple[str, tuple[str, ...]]]:
    """A reply and one or more references."""
    return st.tuples(texts(), st.lists(texts(), min_size=1, max_size=max_references).map(tuple))


def turn(reply: str, *references: str, context: Sequence[str] = (), calls: Sequence[ToolCall] = ()) -> Item:
    """A turn item with one user message before the reply."""
    documents = tuple(Document(text) for text in context)
    message = Message("assistant", reply, references=references, context=documents, tool_calls=tuple(calls))
    return Item(Dialogue("d", (Message("user", "Where is my parcel?"), message)), 1)


def values(metric: Metric, *items: Item) -> list[tuple[float | str, ...]]:
    """The values of items that all must be scored."""
    rows = metric.score_many(items)
    assert all(isinstance(result, Score) for row in rows for result in row)
    return [tuple(result.value for result in row if isinstance(result, Score)) for row in rows]


def value(metric: Metric, reply: str, *references: str) -> float:
    """The value of a metric with one column."""
    ((found,),) = values(metric, turn(reply, *references))
    assert isinstance(found, float)
    return found


def long_text(words: int, seed: int, vocabulary: int = 3000) -> str:
    """A text of many words, some of them frequent."""
    rng = random.Random(seed)
    return " ".join(f"w{int(vocabulary * rng.random() ** 3)}" for _ in range(words))
