"""Prompts around a chat template: where the texts stand, and that they can't be taken for control tokens."""

from __future__ import annotations

import pytest

from evalharness.llm.client import Request
from evalharness.llm.local_prompt import (
    SYSTEM_MARK,
    USER_MARK,
    Frame,
    Scaffold,
    UnusableTemplateError,
    prompt_tokens,
    scaffold,
)

REQUEST = Request(system="S", shared="D", ask="Q")


def letters(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def test_the_scaffold_is_what_the_template_wrote_around_the_texts() -> None:
    assert scaffold(f"<s>{SYSTEM_MARK}</s><u>{USER_MARK}</u><a>") == Scaffold("<s>", "</s><u>", "</u><a>")


def test_without_a_system_message_there_is_nothing_between() -> None:
    assert scaffold(f"<u>{USER_MARK}</u>") == Scaffold("<u>", None, "</u>")


@pytest.mark.parametrize(
    "rendered",
    ["", SYSTEM_MARK, USER_MARK * 2, f"{USER_MARK}{SYSTEM_MARK}", f"{SYSTEM_MARK}{SYSTEM_MARK}{USER_MARK}"],
)
def test_a_template_that_repeats_loses_or_reorders_messages_is_refused(rendered: str) -> None:
    with pytest.raises(UnusableTemplateError):
        scaffold(rendered)


def test_the_parts_follow_each_other_stable_first() -> None:
    frame = Frame((1,), (2,), (3,))
    assert prompt_tokens(REQUEST, frame, letters) == [1, ord("S"), 2, ord("D"), ord("Q"), 3]


def test_instructions_go_before_the_dialogue_where_there_is_no_system_message() -> None:
    frame = Frame((1,), None, (3,))
    assert prompt_tokens(REQUEST, frame, letters) == [1, *letters("S\n\nDQ"), 3]
    assert prompt_tokens(Request("", "D", "Q"), frame, letters) == [1, *letters("DQ"), 3]
