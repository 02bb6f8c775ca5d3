"""Tokenizers against the libraries they stand for, and what the tokenizers of our own do."""

from __future__ import annotations

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from evalharness.errors import UsageError
from evalharness.metrics.coding import Tokenizer
from evalharness.metrics.tokenizers import (
    AsciiWords,
    Characters,
    Mteval13a,
    Spaces,
    UnicodeWords,
    bleu_tokenizer,
    has_unspaced,
    word_tokenizer,
)
from tests.metrics.replies import texts

printable = st.text(
    alphabet=[chr(code) for code in range(32, 127)] + list("\n\t\u00a0\u2003éß中１²"), max_size=30
)


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return [token for chunk in tokenizer.prepare(text).split() for token in tokenizer.split(chunk)]


@given(st.one_of(printable, texts(), st.text()), st.booleans())
def test_13a_equals_sacrebleu(text: str, lowercase: bool) -> None:
    theirs = sacrebleu.BLEU(tokenize="13a", lowercase=lowercase)
    assert tokens(Mteval13a(lowercase), text) == theirs._preprocess_segment(text).split()


@pytest.mark.parametrize("name", ["intl", "zh", "char", "none"])
@given(text=st.one_of(printable, texts()), lowercase=st.booleans())
def test_the_other_tokenizers_equal_sacrebleu(name: str, text: str, lowercase: bool) -> None:
    theirs = sacrebleu.BLEU(tokenize=name, lowercase=lowercase)
    assert tokens(bleu_tokenizer(name, lowercase), text) == theirs._preprocess_segment(text).split()


def test_no_text_is_kept_by_the_caches_of_sacrebleu() -> None:
    before = [cache.cache_info().currsize for cache in _caches()]
    for number in range(50):
        for name in ("intl", "zh", "char"):
            bleu_tokenizer(name).prepare(f"a text of its own {number}")
    assert [cache.cache_info().currsize for cache in _caches()] == before


def _caches() -> list[object]:
    found = []
    for name in ("intl", "zh", "char"):
        tokenizer = sacrebleu.BLEU(tokenize=name).tokenizer
        found += [
            type(part).__call__ for part in (tokenizer, getattr(tokenizer, "_post_tokenizer", tokenizer))
        ]
    return found


@given(st.one_of(printable, texts(), st.text()), st.booleans())
def test_ascii_equals_rouge_score(text: str, stem: bool) -> None:
    assert tokens(AsciiWords(stem), text) == DefaultTokenizer(stem).tokenize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t STOP, it's 5,000!", ["don't", "stop", "it's", "5", "000"]),
        ("你好，世界", ["你", "好", "世", "界"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("안녕하세요 세계", ["안녕하세요", "세계"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("👩‍👩‍👧👍🏽 🇫🇷🇩🇪", ["👩‍👩‍👧", "👍🏽", "🇫🇷", "🇩🇪"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("…—?! $ + _", []),
    ],
)
def test_unicode_words(text: str, expected: list[str]) -> None:
    assert tokens(UnicodeWords(), text) == expected


def test_unicode_words_stem_english_alone() -> None:
    assert tokens(UnicodeWords(stem=True), "running naïvely") == ["run", "naïvely"]


def test_characters_and_spaces() -> None:
    assert tokens(Characters(), "Ab 中\n!") == ["a", "b", "中", "!"]
    assert tokens(Spaces(), "Ab, c\nd") == ["Ab,", "c", "d"]


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(UsageError, match="Did you mean unicode"):
        word_tokenizer("unicod")
    with pytest.raises(UsageError, match="no words to stem"):
        word_tokenizer("space", stem=True)
    with pytest.raises(UsageError, match="Known: 13a"):
        bleu_tokenizer("flores200")


@pytest.mark.parametrize(
    ("text", "unspaced"),
    [("abc", False), ("naïve", False), ("好", False), ("你好", True), ("สวัสดี", True), ("안녕하세요", False)],
)
def test_scripts_without_spaces_are_noticed(text: str, unspaced: bool) -> None:
    assert has_unspaced(text) is unspaced
