"""Texts as strings of coded tokens, one character per token.

Two texts coded with the same codebook have equal characters exactly where they have equal tokens, so that algorithms
for strings that are written in C work on tokens. Tokenising is remembered per chunk between white space, since the
words of a corpus repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Protocol

_MEMO_CHUNK = 48  # longer chunks are rarely seen twice
_MEMO_SIZE = 200_000
_FIRST_SURROGATE = 0xD800
_SURROGATES = 0x800
_CODES = 0x10FFFF - _SURROGATES


class Tokenizer(Protocol):
    """How a text becomes tokens. Implementations are frozen dataclasses of their options."""

    @property
    def name(self) -> str:
        """What stands in signatures."""
        ...

    def prepare(self, text: str) -> str:
        """The text made ready, so that its tokens are those of its chunks between white space."""
        ...

    def split(self, chunk: str) -> Iterable[str]:
        """The tokens of a chunk without white space in it; the same wherever the chunk stands."""
        ...


class CodebookFullError(Exception):
    """More distinct tokens than there are characters to code them."""


class _Codes(dict[str, str]):
    """The character of each token; a token not seen before gets the next one."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    def __missing__(self, token: str) -> str:
        number = next(self._numbers)  # threads that meet here take different numbers; the first one is kept
        if number > _CODES:
            raise CodebookFullError
        return self.setdefault(token, chr(number if number < _FIRST_SURROGATE else number + _SURROGATES))


class Codebook(dict[str, str]):
    """The coded tokens of each chunk seen so far. It only grows: see :func:`codebook`."""

    __slots__ = ("_codes", "_tokenizer")

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._codes = _Codes()

    def __missing__(self, chunk: str) -> str:
        coded = "".join(map(self._codes.__getitem__, self._tokenizer.split(chunk)))
        if len(chunk) <= _MEMO_CHUNK:
            self[chunk] = coded
        return coded

    @property
    def is_worn(self) -> bool:
        """Whether so much is remembered that a new codebook should be begun."""
        return len(self) > _MEMO_SIZE or len(self._codes) > _MEMO_SIZE

    def encode(self, texts: Iterable[str]) -> list[str]:
        """The coded tokens of each text; :class:`CodebookFullError` when no character is left for a new token."""
        chunk = self.__getitem__
        return ["".join(map(chunk, text.split())) for text in map(self._tokenizer.prepare, texts)]


_current: dict[Tokenizer, Codebook] = {}


def codebook(tokenizer: Tokenizer) -> Codebook:
    """The codebook of a tokenizer. Ask anew for every block of texts: a worn one is replaced, so memory stays flat.

    Codes of different codebooks must not be compared; whoever still holds the replaced one can go on using it.
    """
    book = _current.get(tokenizer)
    if book is None or book.is_worn:
        book = _current[tokenizer] = Codebook(tokenizer)
    return book
