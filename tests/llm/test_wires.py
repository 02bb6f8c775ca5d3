from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from evalharness.core.scores import Cause
from evalharness.llm import wire_chat, wire_messages, wire_responses
from evalharness.llm.asked import Asked
from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import Finish, ProviderFault, Reply, Usage
from evalharness.llm.shared_blocks import Marks
from tests.faultd import MALFORMED
from tests.llm.doubles import SCHEMA
from tests.llm.test_bodies import json_values

READERS = {"responses": wire_responses.read, "chat": wire_chat.read, "messages": wire_messages.read}
ASKED = Asked("m", "the rubric", "the dialogue", "rate it", 100)
LONG = ("x" * 99 + "\n") * 300


def read(kind: str, body: Any) -> Reply:
    return READERS[kind](json.dumps(body).encode())


def responses(*parts: Any, **fields: Any) -> dict[str, Any]:
    return {"status": "completed", "output": [{"type": "message", "content": list(parts)}], **fields}


def chat(content: Any = "hi", finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def messages(*blocks: Any, stop_reason: Any = "end_turn", **fields: Any) -> dict[str, Any]:
    return {"content": list(blocks), "stop_reason": stop_reason, **fields}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_answers_are_refused(kind: str, name: str) -> None:
    with pytest.raises(MalformedBody):
        READERS[kind](MALFORMED[name])


@pytest.mark.parametrize("kind", READERS)
@given(body=json_values)
def test_any_json_is_a_reply_or_refused(kind: str, body: Any) -> None:
    for value in (
        body,
        {"choices": body, "content": body, "output": body},
        {"output": [body], "content": [body]},
    ):
        try:
            assert isinstance(read(kind, value), Reply)
        except (MalformedBody, ProviderFault) as error:
            assert str(error)


def mutations(value: Any) -> list[Any]:
    """Copies of a JSON value, each with one part of another type."""
    wrong: list[Any] = [None, True, 7, "x", [], {}, [1], {"x": 1}]
    found = list(wrong)
    if isinstance(value, dict):
        found += [{**value, key: changed} for key, part in value.items() for changed in mutations(part)]
        found += [{other: part for other, part in value.items() if other != key} for key in value]
    if isinstance(value, list):
        found += [
            [*value[:at], changed, *value[at + 1 :]]
            for at, part in enumerate(value)
            for changed in mutations(part)
        ]
    return found


GOOD = {
    "responses": responses(
        {
            "type": "output_text",
            "text": "hi",
            "logprobs": [{"token": "h", "logprob": -1, "top_logprobs": []}],
        },
        error=None,
        incomplete_details=None,
        model="m",
        usage={"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 2},
    ),
    "chat": {
        **chat(refusal=None),
        "model": "m",
        "id": "c",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    "messages": messages(
        {"type": "text", "text": "hi"},
        model="m",
        stop_details=None,
        usage={"input_tokens": 1, "output_tokens": 2},
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_every_part_of_the_wrong_type_is_noticed_or_harmless(kind: str) -> None:
    """No mutation crashes, and none makes up text that was not there."""
    for body in mutations(GOOD[kind]):
        try:
            reply = read(kind, body)
        except (MalformedBody, ProviderFault):
            continue
        assert reply.text in ("hi", "", "x")


@pytest.mark.parametrize("kind", READERS)
def test_good_answers_are_read(kind: str) -> None:
    reply = read(kind, GOOD[kind])
    assert (reply.text, reply.finish, reply.model) == ("hi", Finish.STOP, "m")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1, 2)


@pytest.mark.parametrize(
    ("kind", "body", "finish"),
    [
        ("responses", responses({"type": "refusal", "refusal": "no"}), Finish.REFUSAL),
        (
            "responses",
            responses(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Finish.LENGTH,
        ),
        (
            "responses",
            responses(status="incomplete", incomplete_details={"reason": "content_filter"}),
            Finish.FILTERED,
        ),
        ("responses", responses(status="incomplete"), Finish.LENGTH),
        ("chat", chat(None, refusal="no"), Finish.REFUSAL),
        ("chat", chat("{", "length"), Finish.LENGTH),
        ("chat", chat("", "content_filter"), Finish.FILTERED),
        ("chat", chat("x", None), Finish.STOP),
        ("chat", chat("x", "eos_token"), Finish.STOP),
        ("messages", messages(stop_reason="refusal", stop_details={"category": "bio"}), Finish.REFUSAL),
        ("messages", messages(stop_reason="max_tokens"), Finish.LENGTH),
        ("messages", messages(stop_reason="model_context_window_exceeded"), Finish.LENGTH),
        ("messages", messages(stop_reason="pause_turn"), Finish.LENGTH),
        ("messages", messages(stop_reason="stop_sequence"), Finish.STOP),
    ],
)
def test_finishes(kind: str, body: Any, finish: Finish) -> None:
    reply = read(kind, body)
    assert reply.finish is finish
    if finish is Finish.REFUSAL:
        assert reply.refusal in ("no", "bio")


def test_usage_of_each_wire() -> None:
    found = [
        read("responses", responses(usage={
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}})),
        read("chat", {**chat(), "usage": {
            "prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 5}}}),
        read("messages", messages(usage={
            "input_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10,
            "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5}})),
    ]  # fmt: skip
    assert [reply.usage for reply in found] == [Usage(100, 20, 60, 10, 5)] * 3
    assert read("chat", chat()).usage == Usage()


def test_text_is_joined_from_its_parts() -> None:
    parts = [
        {"type": "output_text", "text": "a"},
        {"type": "other", "text": "x"},
        {"type": "output_text", "text": "b"},
    ]
    assert read("responses", responses(*parts)).text == "ab"
    assert read("chat", chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).text == "ab"
    blocks = [
        {"type": "thinking", "thinking": "x"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert read("messages", messages(*blocks)).text == "ab"


@pytest.mark.parametrize(
    ("code", "cause", "retryable"),
    [
        ("server_error", Cause.SERVER_ERROR, True),
        ("rate_limit_exceeded", Cause.RATE_LIMITED, True),
        ("bio_policy", Cause.FILTERED, False),
        ("sk-secret-key-12345", Cause.SERVER_ERROR, True),
    ],
)
def test_responses_that_say_they_failed(code: str, cause: Cause, retryable: bool) -> None:
    with pytest.raises(ProviderFault) as found:
        read("responses", responses(status="failed", error={"code": code, "message": "the dialogue"}))
    assert (found.value.cause, found.value.retryable) == (cause, retryable)
    assert "secret" not in found.value.detail
    assert "dialogue" not in found.value.detail


@pytest.mark.parametrize("status", ["in_progress", "queued", "cancelled", "x"])
def test_unfinished_responses_are_malformed(status: str) -> None:
    with pytest.raises(MalformedBody, match="unfinished"):
        read("responses", responses(status=status))


def test_labels_get_a_distribution() -> None:
    entry = {
        "token": "4",
        "logprob": -0.5,
        "top_logprobs": [{"token": "4", "logprob": -0.5}, {"token": "5", "logprob": -1.0}],
    }
    body = chat("4")
    body["choices"][0]["logprobs"] = {"content": [entry]}
    reply = wire_chat.read(json.dumps(body).encode(), ("4", "5"))
    assert reply.label_probs is not None
    assert reply.label_mass is not None
    assert sum(reply.label_probs.values()) == pytest.approx(1.0)
    assert reply.label_probs["4"] > reply.label_probs["5"] > 0
    assert reply.label_mass == pytest.approx(0.974, abs=1e-3)
    part = {"type": "output_text", "text": "4", "logprobs": [entry]}
    assert (
        wire_responses.read(json.dumps(responses(part)).encode(), ("4", "5")).label_probs == reply.label_probs
    )


def test_request_bodies() -> None:
    asked = Asked("m", "S", "D", "A", 50, SCHEMA, (), 0.1, 0.2, 3, "low", 20)
    sent = wire_responses.body(asked, Marks())
    assert sent["input"] == [
        {"role": "developer", "content": [{"type": "input_text", "text": "S"}]},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "D"}, {"type": "input_text", "text": "A"}],
        },
    ]
    assert sent["text"]["format"] == {
        "type": "json_schema",
        "name": "verdict",
        "schema": SCHEMA,
        "strict": True,
    }
    assert (sent["store"], sent["max_output_tokens"], sent["reasoning"]) == (False, 50, {"effort": "low"})
    assert (sent["include"], sent["top_logprobs"]) == (["message.output_text.logprobs"], 20)
    assert (sent["temperature"], sent["top_p"]) == (0.1, 0.2)
    sent = wire_chat.body(asked, Marks())
    assert sent["messages"] == [{"role": "system", "content": "S"}, {"role": "user", "content": "D\n\nA"}]
    assert (sent["max_tokens"], sent["seed"], sent["reasoning_effort"], sent["logprobs"]) == (
        50,
        3,
        "low",
        True,
    )
    sent = wire_messages.body(asked, Marks())
    assert sent["system"] == [{"type": "text", "text": "S"}]
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "D"}, {"type": "text", "text": "A"}]}
    ]
    assert sent["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert not {"temperature", "top_p", "seed"} & sent.keys()


def test_empty_texts_are_left_out() -> None:
    asked = Asked("m", "", "", "A", 5)
    assert wire_responses.body(asked, Marks(True, True, True))["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "A"}]}
    ]
    assert wire_chat.body(asked, Marks())["messages"] == [{"role": "user", "content": "A"}]
    assert "system" not in wire_messages.body(asked, Marks())
    assert wire_responses.body(asked, Marks())["max_output_tokens"] == wire_responses.SMALLEST_LIMIT


def marked(parts: list[dict[str, Any]], name: str) -> list[bool]:
    return [name in part for part in parts]


def test_cache_marks_never_stand_on_what_differs_in_every_request() -> None:
    asked = Asked("m", "S", LONG, "A", 5)
    marks = Marks(rubric=True, dialogue=True)
    sent = wire_responses.body(asked, marks)["input"]
    assert marked(sent[0]["content"], "prompt_cache_breakpoint") == [True]
    assert marked(sent[1]["content"], "prompt_cache_breakpoint") == [False, True, True, False, False]
    sent = wire_chat.body(asked, marks, parts=True)["messages"]
    assert marked(sent[1]["content"], "prompt_cache_breakpoint") == [False, True, True, False, False]
    body = wire_messages.body(asked, marks)
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert marked(body["messages"][0]["content"], "cache_control") == [False, True, True, False, False]


@pytest.mark.parametrize("marks", [Marks(), Marks(rubric=True), Marks(True, True), Marks(True, True, True)])
def test_marks_change_no_text_and_are_four_at_most(marks: Marks) -> None:
    asked = Asked("m", "S", LONG, "A", 5)
    body = wire_messages.body(asked, marks)
    parts = [*body["system"], *body["messages"][0]["content"]]
    assert "".join(part["text"] for part in parts) == "S" + LONG + "A"
    assert sum(marked(parts, "cache_control")) <= 4
