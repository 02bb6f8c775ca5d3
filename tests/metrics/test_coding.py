"""Coded texts have equal characters exactly where they have equal tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.scores import Cause, Failure, Score
from evalharness.metrics import coding
from evalharness.metrics.bleu import Bleu
from evalharness.metrics.coding import Codebook, CodebookFullError, codebook
from evalharness.metrics.tokenizers import AsciiWords, Spaces
from tests.metrics.replies import texts, turn, values


@given(st.lists(texts(), max_size=6))
def test_codes_are_equal_where_tokens_are(written: list[str]) -> None:
    tokenizer = AsciiWords(stem=True)
    coded = "".join(Codebook(tokenizer).encode(written))
    tokens = [
        token
        for text in map(tokenizer.prepare, written)
        for chunk in text.split()
        for token in tokenizer.split(chunk)
    ]
    assert len(coded) == len(tokens)
    assert len(set(zip(coded, tokens, strict=True))) == len(set(coded)) == len(set(tokens))


def test_no_code_is_a_surrogate_and_a_full_book_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Codebook(Spaces())
    (coded,) = book.encode([" ".join(map(str, range(0xD900)))])
    assert not any("\ud800" <= char <= "\udfff" for char in coded)
    assert "\x00" not in coded
    monkeypatch.setattr(coding, "_CODES", len(coded))
    with pytest.raises(CodebookFullError):
        book.encode(["new"])


def test_a_worn_book_is_replaced_and_long_chunks_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "_current", {})
    book = codebook(Spaces())
    book.encode(["x" * 1000])
    assert len(book) == 0
    assert codebook(Spaces()) is book
    monkeypatch.setattr(coding, "_MEMO_SIZE", 2)
    book.encode(["a b c d"])
    assert codebook(Spaces()) is not book


def test_threads_agree_on_codes() -> None:
    book = Codebook(Spaces())
    text = " ".join(map(str, range(3000)))
    with ThreadPoolExecutor(8) as pool:
        coded = set(pool.map(lambda _: book.encode([text])[0], range(16)))
    assert len(coded) == 1
    assert len(set(coded.pop())) == 3000


def test_a_reply_with_too_many_tokens_fails_and_the_next_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "_current", {})
    monkeypatch.setattr(coding, "_CODES", 100)
    monkeypatch.setattr(coding, "_MEMO_SIZE", 50)
    monkeypatch.setattr("evalharness.metrics.reference._BATCH_CHARACTERS", 1)
    many = " ".join(map(str, range(200)))
    rows = Bleu().score_many([turn("a b", "a b"), turn(many, many), turn("c d", "c d")])
    assert isinstance(rows[0][0], Score)
    assert isinstance(rows[1][0], Failure)
    assert rows[1][0].cause is Cause.TOO_LONG
    assert values(Bleu(), turn("c d", "c d")) == [(100.00000000000004,)]
    assert isinstance(rows[2][0], Score)
