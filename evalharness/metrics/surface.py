"""Measures of a reply that need no reference: length, variety, repetition, overlap, questions.

They are not measures of quality, but what a judge must beat: reply length alone often correlates with human ratings.
Words are those of the ``unicode`` tokenizer: case is folded, punctuation left out, and a character of a script without
spaces counts as a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from evalharness.core.dialogue import Dialogue, Document, Item, Message, Unit
from evalharness.core.registry import unknown_name
from evalharness.core.scores import Column, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.metrics.coding import Codebook, CodebookFullError, codebook
from evalharness.metrics.reference import MAX_CHARACTERS, TOO_MANY_TOKENS, Row, column_names, too_long
from evalharness.metrics.signature import SURFACE_VERSION, signature
from evalharness.metrics.tokenizers import UnicodeWords

_SENTENCE_END = re.compile(r"(?<=[.!?؟])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_CLOSING = " \t\r\"'”’»)]}》」』）*_"
_MARKS = ".!?…؟。！？"
_QUESTION_MARKS = frozenset("?？؟")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the measures look at: a reply, and what came before it or lay beside it. Words are coded.

    ``earlier`` holds the n-grams of the agent's replies before this one, ``user`` the words of the last user turn
    before it, ``context`` those of the context documents.
    """

    text: str
    words: str
    n: int
    earlier: Set[str]
    user: Set[str]
    context: Set[str]


Measure = Callable[[Reply], "float | Skip"]


@dataclass(frozen=True)
class Surface:
    """Surface measures of each reply.

    ``n`` is the length of the n-grams that repetition is counted in; ``name`` replaces the name of the column, or
    stands before the names of several.
    """

    measures: tuple[str, ...] = ()
    n: int = 3
    name: str = ""

    def __post_init__(self) -> None:
        for name in self.measures:
            if name not in MEASURES:
                raise unknown_name("surface measure", name, MEASURES)
        if not 1 <= self.n <= 10:
            raise UsageError(f"n is {self.n}", fix="Give the words of an n-gram, 1 to 10.")

    @property
    def names(self) -> tuple[str, ...]:
        """The measures that are taken: all, where none are named."""
        return self.measures or tuple(MEASURES)

    @property
    def unit(self) -> Unit:
        """Turns."""
        return Unit.TURN

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column for each measure, named like it."""
        shown = column_names(self.name, self.names)
        return tuple(self._column(measure, name) for measure, name in zip(self.names, shown, strict=True))

    def score_many(self, items: Sequence[Item]) -> list[Row]:
        """The measures of each reply; one that makes no sense for a reply is skipped with the reason."""
        measures = [MEASURES[name][0] for name in self.names]
        rows = []
        walk: _Walk | None = None
        for item in items:
            if walk is None or not walk.reaches(item):
                walk = _Walk(item.dialogue, codebook(UnicodeWords()), self.n)
            rows.append(_row(walk, item, measures))
        return rows

    def _column(self, measure: str, name: str) -> Column:
        _, bounded = MEASURES[measure]
        n = self.n if measure.startswith("repetition") else None
        made_by = signature(
            ("tok", f"unicode-{SURFACE_VERSION}"), ("n", n), version=f"surface-{SURFACE_VERSION}"
        )
        return Column(name, name, Unit.TURN, made_by, low=0.0, high=1.0 if bounded else None)


class _Walk:
    """Goes through a dialogue from turn to turn, so that what came before is read once and not for every turn."""

    def __init__(self, dialogue: Dialogue, book: Codebook, n: int) -> None:
        self._dialogue = dialogue
        self._book = book
        self._n = n
        self._next = 0
        self._earlier: set[str] = set()
        self._user: frozenset[str] = frozenset()
        self._documents: frozenset[str] | None = None

    def reaches(self, item: Item) -> bool:
        """Whether the item is a turn of the same dialogue that is not yet passed."""
        return item.dialogue is self._dialogue and item.turn is not None and item.turn >= self._next

    def reply(self, turn: int) -> Reply:
        """The reply at index ``turn`` with what came before it."""
        messages = self._dialogue.messages
        for message in map(messages.__getitem__, range(self._next, turn)):
            if message.role == "user":
                self._user = frozenset(self._words(message.content))
            elif message.role == "assistant":
                self._earlier.update(ngrams(self._words(message.content), self._n))
        self._next = turn
        message = messages[turn]
        words, context = self._words(message.content), self._context(message)
        return Reply(message.content, words, self._n, self._earlier, self._user, context)

    def _words(self, text: str) -> str:
        return self._book.encode((text,))[0]

    def _context(self, message: Message) -> frozenset[str]:
        if self._documents is None:
            self._documents = self._words_of(self._dialogue.context)
        return self._documents | self._words_of(message.context) if message.context else self._documents

    def _words_of(self, documents: Iterable[Document]) -> frozenset[str]:
        return frozenset().union(*self._book.encode(document.text for document in documents))


def ngrams(words: str, n: int) -> list[str]:
    """The word n-grams of a coded text, in order."""
    return [words[i : i + n] for i in range(len(words) - n + 1)]


def _row(walk: _Walk, item: Item, measures: Sequence[Measure]) -> Row:
    if item.turn is None:
        raise ValueError("surface measures are taken of turns")
    length = len(item.message.content)
    if length > MAX_CHARACTERS:
        return (too_long(length),) * len(measures)
    try:
        reply = walk.reply(item.turn)
    except CodebookFullError:
        return (TOO_MANY_TOKENS,) * len(measures)
    return tuple(_result(measure(reply)) for measure in measures)


def _result(value: float | Skip) -> Result:
    return value if isinstance(value, Skip) else Score(float(value))


def _words(reply: Reply) -> float:
    return len(reply.words)


def _characters(reply: Reply) -> float:
    return len(reply.text)


def _distinct(n: int) -> Measure:
    def measure(reply: Reply) -> float | Skip:
        grams = ngrams(reply.words, n)
        return len(set(grams)) / len(grams) if grams else _fewer_than(n)

    return measure


def _repetition(reply: Reply) -> float | Skip:
    grams = ngrams(reply.words, reply.n)
    return 1 - len(set(grams)) / len(grams) if grams else _fewer_than(reply.n)


def _repetition_earlier(reply: Reply) -> float | Skip:
    if not reply.earlier:
        return Skip(SkipReason.NO_EARLIER_REPLY)
    grams = ngrams(reply.words, reply.n)
    return _share(grams, reply.earlier) if grams else _fewer_than(reply.n)


def _overlap_context(reply: Reply) -> float | Skip:
    if not reply.context:
        return Skip(SkipReason.NO_CONTEXT)
    return _share(reply.words, reply.context) if reply.words else _fewer_than(1)


def _overlap_user(reply: Reply) -> float | Skip:
    if not reply.user:
        return Skip(SkipReason.NO_USER_TURN)
    return _share(reply.words, reply.user) if reply.words else _fewer_than(1)


def _questions(reply: Reply) -> float | Skip:
    sentences = [part for part in _SENTENCE_END.split(reply.text) if any(map(str.isalnum, part))]
    return sum(map(_is_question, sentences)) / len(sentences) if sentences else _fewer_than(1)


def _is_question(sentence: str) -> bool:
    for char in reversed(sentence.rstrip(_CLOSING)):
        if char in _QUESTION_MARKS:
            return True
        if char not in _MARKS:
            return False
    return False


def _share(units: Sequence[str], known: Set[str]) -> float:
    return sum(unit in known for unit in units) / len(units)


def _fewer_than(n: int) -> Skip:
    words = "no words" if n == 1 else f"fewer than {n} words"
    return Skip(SkipReason.NOTHING_TO_JUDGE, f"the reply has {words}")


MEASURES: Mapping[str, tuple[Measure, bool]] = {
    "words": (_words, False),
    "chars": (_characters, False),
    "distinct1": (_distinct(1), True),
    "distinct2": (_distinct(2), True),
    "repetition": (_repetition, True),
    "repetition_earlier": (_repetition_earlier, True),
    "overlap_context": (_overlap_context, True),
    "overlap_user": (_overlap_user, True),
    "questions": (_questions, True),
}
"""The measures by name, each with whether it is a share (0 … 1)."""
