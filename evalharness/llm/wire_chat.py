"""The wire of chat completions, which OpenAI and nearly every other server speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.llm.asked import Asked
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    count_in,
    kind_of,
    list_in,
    load_object,
    object_in,
    text_in,
)
from evalharness.llm.client import Finish, Reply, Usage
from evalharness.llm.shared_blocks import Marks, marked_blocks
from evalharness.llm.tokens import label_distribution, read_tokens
from evalharness.llm.wire_responses import BREAKPOINT

_FINISHES = {"length": Finish.LENGTH, "max_tokens": Finish.LENGTH, "content_filter": Finish.FILTERED}


def body(
    asked: Asked, marks: Marks, *, limit_field: str = "max_tokens", parts: bool = False
) -> dict[str, Any]:
    """The request body, without caching options and settings of the host (see the back-end).

    ``limit_field`` is ``max_completion_tokens`` for OpenAI; ``parts`` sends text in content parts, which marks need and
    some servers' chat templates don't know.
    """
    sent: dict[str, Any] = {
        "model": asked.model,
        "messages": _messages(asked, marks, parts),
        limit_field: asked.max_tokens,
    }
    if asked.schema is not None:
        schema = {"name": "verdict", "schema": dict(asked.schema), "strict": True}
        sent["response_format"] = {"type": "json_schema", "json_schema": schema}
    if asked.top_logprobs:
        sent.update(logprobs=True, top_logprobs=asked.top_logprobs)
    optional = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "seed": asked.seed,
        "reasoning_effort": asked.effort,
    }
    sent.update({name: value for name, value in optional.items() if value is not None})
    return sent


def read(raw: bytes, labels: tuple[str, ...] = ()) -> Reply:
    """The reply in a body of status 200; :class:`MalformedBody` for anything that the API does not describe."""
    answer = load_object(raw)
    if answer.get("error"):
        raise MalformedBody("an error object came with status 200")
    choice = _first_choice(answer)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise MalformedBody(f"message is {kind_of(message)} instead of an object")
    refusal = text_in(message, "refusal")
    tokens = read_tokens(list_in(object_in(choice, "logprobs"), "content"))
    distribution = label_distribution(tokens, labels) if labels else None
    return Reply(
        text=_content(message),
        finish=Finish.REFUSAL if refusal else _FINISHES.get(text_in(choice, "finish_reason"), Finish.STOP),
        usage=_usage(object_in(answer, "usage")),
        model=text_in(answer, "model"),
        request_id=text_in(answer, "id"),
        label_probs=distribution[0] if distribution else None,
        label_mass=distribution[1] if distribution else None,
        tokens=tokens,
        refusal=refusal,
    )


def _messages(asked: Asked, marks: Marks, parts: bool) -> list[dict[str, Any]]:
    blocks = marked_blocks(asked.shared, marks)
    if asked.ask:
        blocks.append((asked.ask, False))
    user = [_text(block, marked) for block, marked in blocks] if parts else _joined(asked)
    messages: list[dict[str, Any]] = [{"role": "user", "content": user}]
    if asked.system:
        system = [_text(asked.system, marks.rubric)] if parts else asked.system
        messages.insert(0, {"role": "system", "content": system})
    return messages


def _joined(asked: Asked) -> str:
    return "\n\n".join(text for text in (asked.shared, asked.ask) if text)


def _text(text: str, marked: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "text", "text": text}
    return {**part, "prompt_cache_breakpoint": BREAKPOINT} if marked else part


def _first_choice(answer: Mapping[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedBody(
            "choices is empty" if choices == [] else f"choices is {kind_of(choices)}, not an array"
        )
    return as_object(choices[0], "choice")


def _content(message: Mapping[str, Any]) -> str:
    """The text; some servers answer in parts as the request may."""
    content = message.get("content")
    if not isinstance(content, list):
        return text_in(message, "content")
    return "".join(text_in(as_object(part, "content part"), "text") for part in content)


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = object_in(usage, "prompt_tokens_details")
    return Usage(
        input_tokens=count_in(usage, "prompt_tokens"),
        output_tokens=count_in(usage, "completion_tokens"),
        cached_tokens=count_in(details, "cached_tokens"),
        cache_write_tokens=count_in(details, "cache_write_tokens"),
        reasoning_tokens=count_in(object_in(usage, "completion_tokens_details"), "reasoning_tokens"),
    )
