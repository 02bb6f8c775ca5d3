"""The stemmer gives NLTK's stems."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from evalharness.metrics import porter
from evalharness.metrics.porter import stem

NLTK = PorterStemmer()
SUFFIXES = (
    *porter._STEP2, *porter._STEP3, *porter._STEP4, "alli", "logi", "s", "ies", "sses", "ss", "ed", "ing", "eed", "ied",
    "e", "ll", "y", "at", "bl", "iz", "tt", "",
)  # fmt: skip
BEGINNINGS = (
    "",
    "b",
    "by",
    "tr",
    "ab",
    "cyc",
    "relat",
    "happ",
    "yy",
    "syzyg",
    "oa",
    "controll",
    "5x",
    "geo",
    "hiss",
)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", max_size=14))
def test_any_word(word: str) -> None:
    assert stem(word) == (NLTK.stem(word) if word else "")


@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(SUFFIXES), max_size=3).map("".join))
def test_words_with_several_suffixes(beginning: str, suffixes: str) -> None:
    word = beginning + suffixes
    assert stem(word) == (NLTK.stem(word) if word else "")


def test_every_suffix_after_every_beginning() -> None:
    words = ["".join(parts) for parts in product(BEGINNINGS, SUFFIXES, SUFFIXES) if any(parts)]
    assert [stem(word) for word in words] == [NLTK.stem(word) for word in words]


@pytest.mark.parametrize("word", porter._IRREGULAR)
def test_irregular_words(word: str) -> None:
    assert stem(word) == NLTK.stem(word) == porter._IRREGULAR[word]


def test_a_long_run_of_y_takes_no_recursion() -> None:
    assert stem("y" * 20_000 + "ing") == NLTK.stem("y" * 20_000 + "ing")
