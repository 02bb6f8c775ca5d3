"""What a well-behaved provider answers, on each of the wires that faultd speaks, with a deterministic fake judge.

A verdict depends on nothing but what is asked (long hexadecimal runs, such as secret fence markers, left out) and the
seed, so the same rows get the same levels in every run, on every wire, at any concurrency.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

WIRES = {
    "/responses": "responses",
    "/chat/completions": "chat",
    "/messages": "messages",
    "/decisions": "decisions",
}

_ROW = re.compile(r"\[row ([^\]\s]{1,200})\]")
_MARKER = re.compile(r"[0-9a-fA-F]{12,}")
_SHORTEST_MARKER = 12
_PIECES = re.compile(r"\d+|\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Said:
    """What the fake model says and how it ends; None leaves the choice to the fake judge."""

    text: str | None = None
    finish: str = "stop"  # stop | length | refusal | filtered
    model: str | None = None
    usage: bool = True


@dataclass
class Asked:
    """A request as the fake judge sees it."""

    wire: str
    body: Mapping[str, Any]
    system: str = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.system = "\n".join(_system_texts(self.wire, self.body))
        self.text = "\n".join(_user_texts(self.wire, self.body))

    @property
    def row(self) -> str:
        """The row's own mark ``[row NAME]``, else a digest of what is judged."""
        match = _ROW.search(self.text)
        return match.group(1) if match else self.digest[:16]

    @cached_property
    def digest(self) -> str:
        """A digest of what is asked, without hexadecimal runs and white space: they differ between runs and wires."""
        text = squeezed(self.system) + "\n" + squeezed(self.text)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer must follow, if one was sent."""
        if self.wire == "responses":
            found = self.body.get("text", {}).get("format", {}).get("schema")
        elif self.wire == "chat":
            found = self.body.get("response_format", {}).get("json_schema", {}).get("schema")
        else:
            found = self.body.get("output_config", {}).get("format", {}).get("schema")
        return found if isinstance(found, dict) else None


@lru_cache(maxsize=64)
def squeezed(text: str) -> str:
    """The text without white space and long hexadecimal runs."""
    return "".join(_MARKER.sub("", word) if len(word) >= _SHORTEST_MARKER else word for word in text.split())


def verdict(asked: Asked, seed: int) -> str:
    """The fake judge's answer: JSON after the schema, else a rating in words."""
    choose = Chooser(f"{seed}:{asked.digest}")
    if asked.schema is None:
        return f"Rating: {1 + choose(5, 'rating')}"
    return json.dumps(instance_of(asked.schema, choose, "$"), ensure_ascii=False)


class Chooser:
    """Picks numbers from a key: the same for the same key and place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, count: int, place: str) -> int:
        digest = hashlib.sha256(f"{self._key}|{place}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % count


def instance_of(schema: Mapping[str, Any], choose: Chooser, place: str) -> Any:
    """A value that follows the schema (the subset that structured output allows)."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][choose(len(schema["enum"]), place)]
    if "anyOf" in schema:
        return instance_of(schema["anyOf"][choose(len(schema["anyOf"]), place)], choose, f"{place}?")
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[choose(len(kind), f"{place}:type")]
    return _MAKERS[kind](schema, choose, place)


def _object(schema: Mapping[str, Any], choose: Chooser, place: str) -> dict[str, Any]:
    return {
        name: instance_of(part, choose, f"{place}.{name}")
        for name, part in schema.get("properties", {}).items()
    }


def _array(schema: Mapping[str, Any], choose: Chooser, place: str) -> list[Any]:
    count = max(int(schema.get("minItems", 0)), choose(2, f"{place}:n"))
    return [instance_of(schema["items"], choose, f"{place}[{at}]") for at in range(count)]


def _integer(schema: Mapping[str, Any], choose: Chooser, place: str) -> int:
    low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 9))
    return low + choose(high - low + 1, place)


_MAKERS: Mapping[str, Any] = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": lambda schema, choose, place: float(_integer(schema, choose, place)),
    "string": lambda _schema, choose, place: f"reason {choose(1000, place)}",
    "boolean": lambda _schema, choose, place: bool(choose(2, place)),
    "null": lambda *_: None,
}


def answer(asked: Asked, said: Said, seed: int, *, cached: bool = False) -> dict[str, Any]:
    """The JSON of a good answer on the request's wire; ``cached`` when its system text has been seen before."""
    if asked.wire == "decisions":
        return _decisions(asked, said, seed)
    text = verdict(asked, seed) if said.text is None else said.text
    model = said.model or str(asked.body.get("model", "fake"))
    counts = _counts(asked, text, cached)
    return {"responses": _responses, "chat": _chat, "messages": _messages}[asked.wire](
        asked, said, text, model, counts
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    input: int
    cached: int
    output: int


def _counts(asked: Asked, text: str, cached: bool) -> _Counts:
    system = len(asked.system) // 4
    return _Counts(system + len(asked.text) // 4 + 1, system if cached else 0, len(text) // 4 + 1)


def _responses(asked: Asked, said: Said, text: str, model: str, counts: _Counts) -> dict[str, Any]:
    incomplete = {"length": "max_output_tokens", "filtered": "content_filter"}.get(said.finish)
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if said.finish == "refusal":
        part = {"type": "refusal", "refusal": text}
    elif "top_logprobs" in asked.body:
        part["logprobs"] = logprobs(text)
    usage = {
        "input_tokens": counts.input,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counts.input + counts.output,
    }
    return {
        "id": f"resp_{asked.digest[:12]}",
        "object": "response",
        "status": "incomplete" if incomplete else "completed",
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "error": None,
        "model": model,
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "status": "completed", "content": [part]},
        ],
        **({"usage": usage} if said.usage else {}),
    }


def _chat(asked: Asked, said: Said, text: str, model: str, counts: _Counts) -> dict[str, Any]:
    refused = said.finish == "refusal"
    reason = {"length": "length", "filtered": "content_filter"}.get(said.finish, "stop")
    usage = {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }
    choice: dict[str, Any] = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": None if refused else text,
            "refusal": text if refused else None,
        },
        "finish_reason": reason,
        "logprobs": {"content": logprobs(text)} if asked.body.get("logprobs") else None,
    }
    return {
        "id": f"chatcmpl-{asked.digest[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        **({"usage": usage} if said.usage else {}),
    }


def _messages(asked: Asked, said: Said, text: str, model: str, counts: _Counts) -> dict[str, Any]:
    reason = {"length": "max_tokens", "refusal": "refusal", "filtered": "refusal"}.get(
        said.finish, "end_turn"
    )
    usage = {
        "input_tokens": counts.input - counts.cached,
        "cache_read_input_tokens": counts.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": counts.output,
    }
    return {
        "id": f"msg_{asked.digest[:12]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [] if reason == "refusal" else [{"type": "text", "text": text}],
        "stop_reason": reason,
        "stop_sequence": None,
        **({"usage": usage} if said.usage else {}),
    }


def _decisions(asked: Asked, said: Said, seed: int) -> dict[str, Any]:
    """Probabilities by question, rounded to three places as real servers do; ``refusal`` declines the first one."""
    choose = Chooser(f"{seed}:{asked.digest}")
    questions = asked.body.get("questions", [])
    answers = [_decided(question, choose) for question in questions]
    if said.finish == "refusal":
        answers[0] = {"type": "refusal", "name": questions[0]["name"]}
    tokens = len(asked.text) // 4 + 1
    usage = {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens,
    }
    model = said.model or str(asked.body.get("model", "fake"))
    return {"model": model, "answers": answers, **({"usage": usage} if said.usage else {})}


def _decided(question: Mapping[str, Any], choose: Chooser) -> dict[str, Any]:
    named = {"type": question["type"], "name": question["name"]}
    if question["type"] == "predicate":
        return {**named, "probability": choose(1001, question["name"]) / 1000}
    options = question["levels" if question["type"] == "score" else "choices"]
    weights = [1 + choose(100, f"{question['name']}.{at}") for at in range(len(options))]
    shares = [round(weight / sum(weights), 3) for weight in weights]
    if question["type"] == "choice":
        rows = [{"value": o["value"], "probability": p} for o, p in zip(options, shares, strict=True)]
        return {**named, "choice": options[0]["value"], "confidence": 0.5, "probabilities": rows}
    rows = [
        {"value": at, "label": option["label"], "probability": share}
        for at, (option, share) in enumerate(zip(options, shares, strict=True))
    ]
    score = sum(at * share for at, share in enumerate(shares))
    return {**named, "score": score, "confidence": 0.5, "probabilities": rows}


def logprobs(text: str) -> list[dict[str, Any]]:
    """Token log-probabilities: numbers share their mass with the neighbouring number, other tokens are certain."""
    return [_token(piece) for piece in _PIECES.findall(text)]


def _token(piece: str) -> dict[str, Any]:
    top = [(piece, 1.0)]
    if piece.isdigit() and len(piece) < 4:
        top = [(piece, 0.7), (str(int(piece) + 1), 0.2)]
    entries = [
        {"token": token, "logprob": math.log(share), "bytes": list(token.encode())} for token, share in top
    ]
    return {**entries[0], "top_logprobs": entries}


def _system_texts(wire: str, body: Mapping[str, Any]) -> Iterator[str]:
    if wire == "messages":
        yield from _texts(body.get("system"))
    for message in body.get("input" if wire == "responses" else "messages", []):
        if isinstance(message, dict) and message.get("role") in ("system", "developer"):
            yield from _texts(message.get("content"))


def _user_texts(wire: str, body: Mapping[str, Any]) -> Iterator[str]:
    messages = body.get("input" if wire in ("responses", "decisions") else "messages", [])
    if isinstance(messages, str):
        yield messages
        return
    for message in messages:
        if isinstance(message, dict) and message.get("role") not in ("system", "developer"):
            yield from _texts(message.get("content"))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (part["text"] for part in content if isinstance(part, dict) and "text" in part)
