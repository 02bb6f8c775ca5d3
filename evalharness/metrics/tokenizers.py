"""Tokenizers of the reference metrics and surface measures, each a frozen dataclass of its options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import regex

from evalharness.core.registry import unknown_name
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.metrics.coding import Tokenizer
from evalharness.metrics.porter import stem

SACREBLEU_TOKENIZERS = ("13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab")
"""The tokenizers of sacrebleu that need no download."""

WORD_TOKENIZERS = ("ascii", "unicode", "char", "space")
"""The tokenizers of ROUGE and of the surface measures."""

_SYMBOLS = re.compile(r"([\x20-\x26\x28-\x2b/:-@\[-`{-~])")
_MARK_AFTER_NON_DIGIT = re.compile(r"([^0-9])([.,])")
_MARK_BEFORE_NON_DIGIT = re.compile(r"([.,])([^0-9])")
_DASH_AFTER_DIGIT = re.compile(r"([0-9])(-)")
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}
_STEMMED_FROM = 4  # ROUGE leaves shorter words as they are

# Scripts written without spaces give a token per character; every emoji is a token, with its modifiers and joiners.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_EMOJI = r"\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]*"
_UNICODE_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}]--[{_UNSPACED}]](?:['\u200c\u200d]?[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]])*"
    rf"|{_EMOJI}(?:\u200d{_EMOJI})*"
    r"|\p{Regional_Indicator}{2}"
    r"|\p{So}",
    regex.V1,
)


_UNSPACED_RUN = regex.compile(rf"[{_UNSPACED}]{{2}}", regex.V1)


@dataclass(frozen=True, slots=True)
class Mteval13a:
    """The WMT standard ``13a`` of sacrebleu: punctuation apart, numbers whole, four HTML entities decoded."""

    lowercase: bool = False
    name: str = "13a"

    def prepare(self, text: str) -> str:
        """The text with line ends joined and entities decoded."""
        text = text.lower().rstrip() if self.lowercase else text.rstrip()
        if "<skipped>" in text:
            text = text.replace("<skipped>", "")
        if "\n" in text:
            text = text.replace("-\n", "").replace("\n", " ")
        if "&" in text:
            for entity, char in _ENTITIES:
                text = text.replace(entity, char)
        return text

    def split(self, chunk: str) -> list[str]:
        """Punctuation is cut off, except a mark or dash that belongs to a number."""
        if chunk.replace("'", "").isalnum():
            return [chunk]
        if chunk[-1] in ".,!?;:" and chunk[:-1].isalpha():
            return [chunk[:-1], chunk[-1]]
        text = _SYMBOLS.sub(r" \1 ", f" {chunk} ")
        text = _MARK_AFTER_NON_DIGIT.sub(r"\1 \2 ", text)
        text = _MARK_BEFORE_NON_DIGIT.sub(r" \1 \2", text)
        return _DASH_AFTER_DIGIT.sub(r"\1 \2 ", text).split()


@dataclass(frozen=True, slots=True)
class SacreBleuTokenizer:
    """One of sacrebleu's other tokenizers, by the name that sacrebleu gives it."""

    name: str
    lowercase: bool = False

    def prepare(self, text: str) -> str:
        """The text as sacrebleu tokenizes it."""
        return _sacrebleu_function(self.name)(text.lower().rstrip() if self.lowercase else text.rstrip())

    def split(self, chunk: str) -> tuple[str]:
        """The chunk itself: it is a token already."""
        return (chunk,)


@dataclass(frozen=True, slots=True)
class AsciiWords:
    """The tokenizer of rouge-score: runs of ASCII letters and digits, lower-cased; everything else separates."""

    stem: bool = False
    name: str = "ascii"

    def prepare(self, text: str) -> str:
        """The text in lower case, with spaces for what separates words if it is all ASCII."""
        text = text.lower()
        return text.translate(_SEPARATORS) if text.isascii() else text

    def split(self, chunk: str) -> list[str]:
        """Runs of a–z and 0–9, stemmed if wished."""
        words = [chunk] if chunk.isascii() and chunk.isalnum() else _ASCII_WORD.findall(chunk)
        return [_stemmed(word) for word in words] if self.stem else words


@dataclass(frozen=True, slots=True)
class UnicodeWords:
    """Words of any script: runs of letters and digits; one token per character where a script has no spaces.

    Compatibility forms are unified and case is folded; emoji are tokens, punctuation is not. Stemming is Porter's
    for English and leaves other words alone.
    """

    stem: bool = False
    name: str = "unicode"

    def prepare(self, text: str) -> str:
        """The text itself."""
        return text

    def split(self, chunk: str) -> list[str]:
        """The words, characters and emoji of the chunk."""
        text = chunk if chunk.isascii() else unicodedata.normalize("NFKC", chunk)
        words: list[str] = _UNICODE_WORD.findall(text.casefold().replace("’", "'"))
        return [_stemmed(word) if word.isascii() else word for word in words] if self.stem else words


@dataclass(frozen=True, slots=True)
class Characters:
    """Every character that is not white space is a token, in lower case."""

    name: str = "char"

    def prepare(self, text: str) -> str:
        """The text itself."""
        return text

    def split(self, chunk: str) -> str:
        """The characters of the chunk."""
        return chunk.lower()


@dataclass(frozen=True, slots=True)
class Spaces:
    """What stands between white space is a token, as it is written."""

    name: str = "space"

    def prepare(self, text: str) -> str:
        """The text itself."""
        return text

    def split(self, chunk: str) -> tuple[str]:
        """The chunk itself."""
        return (chunk,)


def has_unspaced(text: str) -> bool:
    """Whether the text has a run of characters of a script that is written without spaces."""
    return not text.isascii() and _UNSPACED_RUN.search(text) is not None


def bleu_tokenizer(name: str, lowercase: bool = False) -> Tokenizer:
    """A tokenizer of sacrebleu by its name; :class:`UsageError` for one that does not exist or needs a download."""
    if name == "13a":
        return Mteval13a(lowercase)
    if name not in SACREBLEU_TOKENIZERS:
        raise unknown_name("tokenizer", name, SACREBLEU_TOKENIZERS)
    _sacrebleu_function(name)
    return SacreBleuTokenizer(name, lowercase)


def word_tokenizer(name: str, stem: bool = False) -> Tokenizer:
    """A tokenizer for ROUGE by its name; :class:`UsageError` for an unknown one or if there are no words to stem."""
    match name:
        case "ascii":
            return AsciiWords(stem)
        case "unicode":
            return UnicodeWords(stem)
        case "char" | "space" if stem:
            raise UsageError(f"tokenizer={name} gives no words to stem", fix="Leave out stem=true.")
        case "char":
            return Characters()
        case "space":
            return Spaces()
        case _:
            raise unknown_name("tokenizer", name, WORD_TOKENIZERS)


def _stemmed(word: str) -> str:
    return word if len(word) < _STEMMED_FROM else stem(word)


@cache
def _sacrebleu_function(name: str) -> Callable[[str], str]:
    from sacrebleu.metrics.bleu import BLEU

    try:
        tokenizer = BLEU(tokenize=name).tokenizer
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"the tokenizer {name!r} of sacrebleu is not installed",
            fix=f'Install it with: pip install "sacrebleu[{name[:2]}]"',
        ) from error
    if hasattr(tokenizer, "_post_tokenizer"):
        tokenizer._post_tokenizer = uncached(tokenizer._post_tokenizer)
    return uncached(tokenizer)


def uncached(tokenizer: Callable[[str], str]) -> Callable[[str], str]:
    """The tokenizer without sacrebleu's cache, which keeps 65,536 whole texts in memory."""
    plain = getattr(type(tokenizer).__call__, "__wrapped__", None)
    call: Callable[[str], str] = tokenizer if plain is None else plain.__get__(tokenizer)
    return call
