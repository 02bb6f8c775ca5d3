"""Dialogues with placeholders: every text field, consistent names, JSON that stays JSON, nothing else changed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evalharness.core import native
from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall
from evalharness.core.redaction.detect import parse_pattern
from evalharness.core.redaction.redactor import Redactor
from evalharness.core.scores import Cause, Evidence, Failure, Score, Skip, SkipReason

MAIL, PHONE, CARD = "ada@example.org", "+90 532 123 45 67", "4111 1111 1111 1111"
FULL = Dialogue(
    id="d1",
    group="g1",
    goal=f"reach {MAIL}",
    tools=(Tool("mail", f"writes to {MAIL}", {"to": {"type": "string", "default": MAIL}}),),
    context=(Document(f"contact: {MAIL}", MAIL),),
    metadata={"system": "v2", "owner": MAIL, "nested": {"phones": [PHONE]}, "card": 4111111111111111, "n": 7},
    messages=(
        Message("system", f"Never tell {CARD}."),
        Message("user", f"I am {MAIL}, {PHONE}.", name=MAIL),
        Message(
            "assistant",
            "One moment.",
            id="m2",
            tool_calls=(
                ToolCall("mail", json.dumps({"to": "ada\u0040example.org", "card": 4111111111111111}), "c1"),
            ),
            references=(f"Write to {MAIL}.",),
            context=(Document(f"{PHONE} is hers"),),
            metadata={"seen_by": MAIL},
        ),
        Message(
            "tool",
            '{"to": "ada\\u0040example.org", "raw": "{\\"to\\": \\"ada@example.org\\"}"}',
            tool_call_id="c1",
        ),
    ),
)


def test_no_text_field_keeps_what_was_planted() -> None:
    scope = Redactor().scope(FULL)
    text = json.dumps(native.to_json(scope.dialogue))
    for planted in (MAIL, "ada\\\\u0040", PHONE, CARD, "4111111111111111"):
        assert planted not in text
    assert scope.dialogue.messages[1].content == "I am [EMAIL-1], [PHONE-1]."
    assert scope.dialogue.goal == "reach [EMAIL-1]"
    assert scope.dialogue.metadata["card"] == "[CARD-2]"
    assert scope.counts["EMAIL"] == 13


def test_ids_names_and_everything_harmless_stay() -> None:
    masked = Redactor().scope(FULL).dialogue
    assert (masked.id, masked.group, masked.system) == ("d1", "g1", "v2")
    assert masked.tools[0].name == "mail"
    assert masked.metadata["n"] == 7
    assert (masked.messages[2].id, masked.messages[2].tool_calls[0].id, masked.messages[3].tool_call_id) == (
        "m2",
        "c1",
        "c1",
    )
    plain = replace(
        FULL, goal=None, tools=(), context=(), metadata={"lang": "tr"}, messages=FULL.messages[:1]
    )
    harmless = replace(plain, messages=(Message("user", '{"order": "4471-2290",  "n": 1.50}'),))
    assert Redactor().scope(harmless).dialogue == harmless


def test_json_stays_json_and_escapes_hide_nothing() -> None:
    message = Redactor().scope(FULL).dialogue.messages[3].content
    opened = json.loads(message)
    assert opened["to"] == "[EMAIL-1]"
    assert json.loads(opened["raw"]) == {"to": "[EMAIL-1]"}
    arguments = json.loads(Redactor().scope(FULL).dialogue.messages[2].tool_calls[0].arguments)
    assert arguments == {"to": "[EMAIL-1]", "card": "[CARD-2]"}


def test_the_same_string_has_the_same_placeholder_and_another_another() -> None:
    dialogue = Dialogue("d", (Message("user", "a@x.org, b@x.org, a@x.org"), Message("assistant", "b@x.org?")))
    masked = Redactor().scope(dialogue).dialogue
    assert [message.content for message in masked.messages] == [
        "[EMAIL-1], [EMAIL-2], [EMAIL-1]",
        "[EMAIL-2]?",
    ]


def test_masking_again_changes_nothing_and_counts_on() -> None:
    once = Redactor().scope(FULL)
    assert Redactor().scope(once.dialogue).dialogue == once.dialogue
    mixed = Dialogue("d", (Message("user", "[EMAIL-1] and [EMAIL-4] and c@x.org"),))
    assert Redactor().scope(mixed).dialogue.messages[0].content == "[EMAIL-1] and [EMAIL-4] and [EMAIL-5]"


def test_placeholders_lead_back_to_the_text() -> None:
    scope = Redactor().scope(FULL)
    content = scope.dialogue.messages[1].content
    for text, placeholder in scope.placeholders.items():
        content = content.replace(placeholder, text)
    assert content == FULL.messages[1].content


def test_outcomes_are_masked_under_the_same_names() -> None:
    scope = Redactor().scope(FULL)
    score = Score(
        3.0,
        samples=(3.0, Cause.REFUSAL),
        rationale=f"tells {MAIL}",
        evidence=(Evidence(1, f"I am {MAIL}", found=True),),
        extra={"warning": f"{PHONE} again"},
    )
    masked = scope.result(score)
    assert masked == replace(
        score,
        rationale="tells [EMAIL-1]",
        evidence=(Evidence(1, "I am [EMAIL-1]", found=True),),
        extra={"warning": "[PHONE-1] again"},
    )
    failed = scope.result(Failure(Cause.NO_VERDICT, f"said {CARD}", f"{CARD}!"))
    assert failed == Failure(Cause.NO_VERDICT, "said [CARD-2]", "[CARD-2]!") or "4111" not in repr(failed)
    assert scope.result(Skip(SkipReason.CANNOT_ASSESS, MAIL)) == Skip(SkipReason.CANNOT_ASSESS, "[EMAIL-1]")


@pytest.mark.parametrize("value", ["4111111111111111", "no"])
def test_a_nominal_value_stays(value: str) -> None:
    scope = Redactor((parse_pattern("WORD=no"),)).scope(FULL)
    assert scope.result(Score(value)) == Score(value)
