"""Replies as JSON values and back: what the verdict cache stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalharness.core.canonical import Json, canonical_json
from evalharness.llm.client import Finish, Reply, Token, Usage
from evalharness.llm.questions import Answered


def to_json(reply: Reply) -> dict[str, Json]:
    """The reply as a JSON object."""
    usage = reply.usage
    return {
        "text": reply.text,
        "finish": reply.finish.value,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "model": reply.model,
        "request_id": reply.request_id,
        "label_probs": None if reply.label_probs is None else dict(reply.label_probs),
        "label_mass": reply.label_mass,
        "tokens": [[t.text, t.logprob, [list(pair) for pair in t.top]] for t in reply.tokens],
        **({"answers": [_answered(answer) for answer in reply.answers]} if reply.answers else {}),
    }


def from_json(row: Mapping[str, Any]) -> Reply:
    """The reply that :func:`to_json` wrote."""
    return Reply(
        text=row["text"],
        finish=Finish(row["finish"]),
        usage=Usage(**row["usage"]),
        model=row["model"],
        request_id=row["request_id"],
        label_probs=row["label_probs"],
        label_mass=row["label_mass"],
        tokens=tuple(
            Token(text, logprob, tuple((t, p) for t, p in top)) for text, logprob, top in row["tokens"]
        ),
        answers=tuple(
            Answered(name, None if given is None else dict(given)) for name, given in row.get("answers", ())
        ),
    )


def dump(reply: Reply) -> str:
    """The reply as JSON text."""
    return canonical_json(to_json(reply))


def parse(text: str) -> Reply:
    """The reply that :func:`dump` wrote."""
    return from_json(json.loads(text))


def _answered(answer: Answered) -> Json:
    return [answer.name, None if answer.probabilities is None else dict(answer.probabilities)]
