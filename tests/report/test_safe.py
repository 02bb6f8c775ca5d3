"""Text that no spreadsheet runs and no Markdown acts on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.report.safe import csv_cell, markdown_text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "＝1", "\u200b=1", " =1", "|calc", "\r=1", "%0a=1"]
)
def test_formulas_are_defused(text: str):
    assert csv_cell(text)[0] == "'" or not csv_cell(text).lstrip().startswith(("=", "+", "-", "@"))


def test_numbers_stay_numbers():
    assert csv_cell(-2.5) == "-2.5"
    assert csv_cell(None) == ""
    assert csv_cell("plain") == "plain"


@given(st.text())
def test_no_cell_starts_a_formula(text: str):
    cell = csv_cell(text)
    assert not cell.strip(" \u00a0\u200b\u200c\u200d\ufeff").startswith(
        ("=", "+", "-", "@", "\t", "\r", "|", "%")
    )


def test_markdown_is_shown_literally():
    text = markdown_text("[x](http://y) <b> | `c`\n# h @me")
    assert "\n" not in text
    for char in "[]()<>|`#@":
        assert f"\\{char}" in text or char not in text
