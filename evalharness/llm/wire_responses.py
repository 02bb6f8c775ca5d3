"""The wire of OpenAI's Responses: what is sent, and how an answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness.core.scores import Cause
from evalharness.llm.asked import Asked
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    clean_text,
    count_in,
    kind_of,
    list_in,
    load_object,
    object_in,
    text_in,
)
from evalharness.llm.client import Finish, ProviderFault, Reply, Token, Usage
from evalharness.llm.shared_blocks import Marks, marked_blocks
from evalharness.llm.tokens import label_distribution, read_tokens

SMALLEST_LIMIT = 16
"""The API refuses a smaller ``max_output_tokens``."""

BREAKPOINT = {"mode": "explicit"}

_FILTERED = frozenset({"content_filter"})
_POLICY = frozenset(
    {"invalid_prompt", "bio_policy", "misalignment_policy_violation", "content_policy_violation"}
)


def body(asked: Asked, marks: Marks) -> dict[str, Any]:
    """The request body, without caching options and settings of the host (see the back-end)."""
    sent: dict[str, Any] = {
        "model": asked.model,
        "input": _input(asked, marks),
        "max_output_tokens": max(SMALLEST_LIMIT, asked.max_tokens),
        "store": False,
    }
    if asked.schema is not None:
        schema = {"type": "json_schema", "name": "verdict", "schema": dict(asked.schema), "strict": True}
        sent["text"] = {"format": schema}
    if asked.effort is not None:
        sent["reasoning"] = {"effort": asked.effort}
    if asked.top_logprobs:
        sent["include"] = ["message.output_text.logprobs"]
        sent["top_logprobs"] = asked.top_logprobs
    sampling = {"temperature": asked.temperature, "top_p": asked.top_p}
    sent.update({name: value for name, value in sampling.items() if value is not None})
    return sent


def read(raw: bytes, labels: tuple[str, ...] = ()) -> Reply:
    """The reply in a body of status 200.

    Raises :class:`MalformedBody` for anything that the API does not describe, :class:`ProviderFault` for an answer
    that says it failed.
    """
    answer = load_object(raw)
    _raise_if_failed(answer)
    if not isinstance(answer.get("output"), list):
        raise MalformedBody(f"output is {kind_of(answer.get('output'))} instead of an array")
    parts = [part for item in answer["output"] for part in _parts(as_object(item, "output item"))]
    text = "".join(text_in(part, "text") for part in parts if part.get("type") == "output_text")
    refusal = "".join(text_in(part, "refusal") for part in parts if part.get("type") == "refusal")
    tokens = _tokens(parts)
    distribution = label_distribution(tokens, labels) if labels else None
    return Reply(
        text=text,
        finish=_finish(answer, refusal),
        usage=_usage(object_in(answer, "usage")),
        model=text_in(answer, "model"),
        request_id=text_in(answer, "id"),
        label_probs=distribution[0] if distribution else None,
        label_mass=distribution[1] if distribution else None,
        tokens=tokens,
        refusal=refusal,
    )


def _input(asked: Asked, marks: Marks) -> list[dict[str, Any]]:
    system = [_text(asked.system, marks.rubric)] if asked.system else []
    user = [_text(block, marked) for block, marked in marked_blocks(asked.shared, marks)]
    if asked.ask:
        user.append(_text(asked.ask, False))
    developer = {"role": "developer", "content": system}
    return [*([developer] if system else []), {"role": "user", "content": user}]


def _text(text: str, marked: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "input_text", "text": text}
    return {**part, "prompt_cache_breakpoint": BREAKPOINT} if marked else part


def _raise_if_failed(answer: Mapping[str, Any]) -> None:
    status = text_in(answer, "status")
    error = answer.get("error")
    if status in ("", "completed", "incomplete") and error is None:
        return
    if status == "failed":
        raise failure(clean_text(str(as_object(error, "error").get("code"))))
    raise MalformedBody(
        "an error object came with status 200" if error is not None else "the answer is unfinished"
    )


def failure(code: str) -> ProviderFault:
    """The fault of a response whose own status says that it failed."""
    if code in _POLICY:
        return ProviderFault(
            Cause.FILTERED, f"the provider's policy stopped the response ({code})", status=200
        )
    if code == "rate_limit_exceeded":
        return ProviderFault(
            Cause.RATE_LIMITED,
            "the response failed: rate limit",
            retryable=True,
            rate_limited=True,
            status=200,
        )
    return ProviderFault(
        Cause.SERVER_ERROR,
        "the provider failed to make a response",
        retryable=True,
        unknown_outcome=True,
        status=200,
    )


def _parts(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    if item.get("type") != "message":
        return []
    return [as_object(part, "content part") for part in list_in(item, "content")]


def _tokens(parts: list[dict[str, Any]]) -> tuple[Token, ...]:
    return read_tokens([entry for part in parts for entry in list_in(part, "logprobs")])


def _finish(answer: Mapping[str, Any], refusal: str) -> Finish:
    if refusal:
        return Finish.REFUSAL
    if text_in(answer, "status") != "incomplete":
        return Finish.STOP
    reason = text_in(object_in(answer, "incomplete_details"), "reason")
    return Finish.FILTERED if reason in _FILTERED else Finish.LENGTH


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = object_in(usage, "input_tokens_details")
    return Usage(
        input_tokens=count_in(usage, "input_tokens"),
        output_tokens=count_in(usage, "output_tokens"),
        cached_tokens=count_in(details, "cached_tokens"),
        cache_write_tokens=count_in(details, "cache_write_tokens"),
        reasoning_tokens=count_in(object_in(usage, "output_tokens_details"), "reasoning_tokens"),
    )
