"""Counting by sorting gives what counting one by one gives, for narrow and wide alphabets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics import ngrams
from evalharness.metrics.ngrams import clipped_matches, ngram_totals

narrow = st.text(alphabet="abc\x00", max_size=12)
wide = st.text(max_size=8)
Block = list[tuple[str, list[str]]]


def blocks(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[Block]:
    return st.lists(st.tuples(alphabet, st.lists(alphabet, max_size=3)), max_size=6)


def plain(hypothesis: str, references: list[str], order: int) -> list[int]:
    counts = []
    for n in range(1, order + 1):
        own = Counter(hypothesis[i : i + n] for i in range(len(hypothesis) - n + 1))
        most: Counter[str] = Counter()
        for reference in references:
            most |= Counter(reference[i : i + n] for i in range(len(reference) - n + 1))
        counts.append((own & most).total())
    return counts


def check(block: Block, order: int) -> None:
    counts = clipped_matches([own for own, _ in block], [others for _, others in block], order)
    assert counts.tolist() == [plain(own, others, order) for own, others in block]


@given(st.one_of(blocks(narrow), blocks(wide)), st.integers(1, 6))
def test_matches_equal_counters(block: Block, order: int) -> None:
    check(block, order)


@given(st.one_of(blocks(narrow), blocks(wide)), st.integers(1, 6))
def test_matches_over_wide_alphabets_equal_counters(block: Block, order: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_KEY_BITS", 0)
        check(block, order)


def test_an_alphabet_too_wide_for_one_key() -> None:
    """5,000 different symbols take 13 bits each: six of them and the item don't fit into one number."""
    symbols = "".join(chr(0x4E00 + code) for code in range(5000))
    check([(symbols, [symbols[1:] + "x"]), (symbols[::-1], [symbols])], 6)


def test_blocks_are_cut_between_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "_BLOCK_SYMBOLS", 10)
    check([("abcab", ["abcabc"]), ("", []), ("aaaaaaaaaaaaaaaaaaaa", ["aaa"]), ("ab", ["ba", "ab"])] * 3, 4)


def test_totals() -> None:
    assert ngram_totals(["abc", "", "a"], 4).tolist() == [[3, 2, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_nothing_gives_nothing() -> None:
    assert clipped_matches([], [], 4).tolist() == []
    assert clipped_matches([""], [[]], 2).tolist() == [[0, 0]]
