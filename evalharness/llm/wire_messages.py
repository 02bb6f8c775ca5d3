"""The wire of Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.llm.asked import Asked
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    count_in,
    kind_of,
    load_object,
    object_in,
    text_in,
)
from evalharness.llm.client import Finish, Reply, Usage
from evalharness.llm.shared_blocks import Marks, marked_blocks

CACHED = {"type": "ephemeral"}
"""Kept for five minutes from its last use; the hour costs twice the price of input to write."""

_FINISHES = {
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "pause_turn": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
}


def body(asked: Asked, marks: Marks) -> dict[str, Any]:
    """The request body, without settings of the host (see the back-end)."""
    user = [_text(block, marked) for block, marked in marked_blocks(asked.shared, marks)]
    if asked.ask:
        user.append(_text(asked.ask, False))
    sent: dict[str, Any] = {
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "messages": [{"role": "user", "content": user}],
    }
    if asked.system:
        sent["system"] = [_text(asked.system, marks.rubric)]
    config: dict[str, Any] = {}
    if asked.effort is not None:
        config["effort"] = asked.effort
    if asked.schema is not None:
        config["format"] = {"type": "json_schema", "schema": dict(asked.schema)}
    if config:
        sent["output_config"] = config
    return sent


def read(raw: bytes) -> Reply:
    """The reply in a body of status 200; :class:`MalformedBody` for anything that the API does not describe."""
    answer = load_object(raw)
    if answer.get("error") or answer.get("type") == "error":
        raise MalformedBody("an error object came with status 200")
    content = answer.get("content")
    if not isinstance(content, list):
        raise MalformedBody(f"content is {kind_of(content)} instead of an array")
    blocks = [as_object(block, "content block") for block in content]
    reason = text_in(answer, "stop_reason")
    details = object_in(answer, "stop_details")
    return Reply(
        text="".join(text_in(block, "text") for block in blocks if block.get("type") == "text"),
        finish=_FINISHES.get(reason, Finish.STOP),
        usage=_usage(object_in(answer, "usage")),
        model=text_in(answer, "model"),
        request_id=text_in(answer, "id"),
        refusal=text_in(details, "category") if reason == "refusal" else "",
    )


def _text(text: str, marked: bool) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return {**block, "cache_control": CACHED} if marked else block


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Anthropic's ``input_tokens`` leave out what was read from or written to the cache; ours include it."""
    read_tokens = count_in(usage, "cache_read_input_tokens")
    written = count_in(usage, "cache_creation_input_tokens")
    return Usage(
        input_tokens=count_in(usage, "input_tokens") + read_tokens + written,
        output_tokens=count_in(usage, "output_tokens"),
        cached_tokens=read_tokens,
        cache_write_tokens=written,
        reasoning_tokens=count_in(object_in(usage, "output_tokens_details"), "thinking_tokens"),
    )
