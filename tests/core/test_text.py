"""Untrusted text made safe to show."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.text import has_invisible, log_safe, one_line, plain_width, visible


def test_escape_sequences_become_text():
    assert visible("\x1b[31mred\x07") == "\\x1b[31mred\\x07"


def test_direction_and_tag_characters_are_shown():
    assert visible("a\u202eb\U000e0041") == "a<U+202E>b<U+E0041>"


def test_joiners_in_emoji_stay():
    family = "👩\u200d👧"
    assert visible(family) == family
    assert not has_invisible(family)


def test_lone_surrogates_are_shown():
    assert visible("x\ud800y") == "x<U+D800>y"


@given(st.text())
def test_visible_text_has_no_control_character_but_tab_and_newline(text: str):
    shown = visible(text)
    assert all(char in "\t\n" or (ord(char) >= 0x20 and not 0x7F <= ord(char) <= 0x9F) for char in shown)
    assert visible(shown) == shown


@given(st.text())
def test_no_line_can_be_a_workflow_command(text: str):
    for line in log_safe(f"::error::{text}\n  ::set-env name=x::{text}\nfoo ##[group]{text}").split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_one_line_is_cut_and_marked():
    assert one_line("a\nb" + "c" * 300, 10) == "a ⏎ bcccc…"


def test_width_counts_wide_and_combining_characters():
    assert plain_width("日本") == 4
    assert plain_width("e\u0301") == 1
