"""Dialogues longer than the judge's context window: what is shown, in how many parts, or why not at all.

A whole dialogue is judged in consecutive parts, cut before messages of the user where possible. For a turn the oldest
history is left out, and the judge is told so. Both are stated in the score; nothing is cut in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalharness.core.canonical import Json, canonical_json
from evalharness.core.dialogue import Item
from evalharness.core.rubric import Criterion
from evalharness.core.scores import Cause, Failure
from evalharness.judges.prompt import Prompt, Window
from evalharness.judges.transcript import Span, whole
from evalharness.llm.client import Client, Request

_RESERVE = 96  # chat template, headings of parts that are not shown, a repair request


def plan_windows(
    prompt: Prompt, item: Item, criteria: Sequence[Criterion], secret: bytes, client: Client
) -> tuple[Window, ...] | Failure:
    """The parts in which the item is judged: usually one. A failure when even the least does not fit."""
    everything = Window(whole(item))
    limit = client.capabilities.context_tokens
    if limit is None:
        return (everything,)
    room = limit - prompt.max_tokens - _RESERVE
    if _tokens(client, prompt.request(item, criteria, secret)) <= room:
        return (everything,)
    bare = prompt.request(item, criteria, secret, Window(Span(0, 0)))
    room -= _tokens(client, bare)
    costs = [client.count_tokens(text) for text in prompt.message_texts(item, secret)]
    if item.turn is not None:
        return _latest(costs, room, limit)
    return _parts(item, costs, room, limit)


def window_facts(item: Item, windows: Sequence[Window], aggregate: str) -> dict[str, Json]:
    """What a score states about its parts; empty when the whole item was shown at once."""
    if item.turn is None:
        return {"windows": len(windows), "aggregate": aggregate} if len(windows) > 1 else {}
    start = windows[0].span.start
    return {"windows": 1, "aggregate": "latest", "messages_not_shown": start} if start else {}


def _tokens(client: Client, request: Request) -> int:
    schema = "" if request.schema is None else canonical_json(dict(request.schema))
    return sum(
        client.count_tokens(text) for text in (request.system, request.shared, request.ask, schema) if text
    )


def _latest(costs: Sequence[int], room: int, limit: int) -> tuple[Window, ...] | Failure:
    """As many of the latest messages as fit."""
    start = len(costs)
    while start > 0 and costs[start - 1] <= room:
        start -= 1
        room -= costs[start]
    if start == len(costs):
        return Failure(Cause.TOO_LONG, f"the reply alone does not fit into the window of {limit} tokens")
    return (Window(Span(start, len(costs))),)


def _parts(item: Item, costs: Sequence[int], room: int, limit: int) -> tuple[Window, ...] | Failure:
    """Consecutive parts, as few as possible and of about equal length."""
    largest = max(costs)
    if largest > room:
        detail = f"message {costs.index(largest)} alone does not fit into the window of {limit} tokens"
        return Failure(Cause.TOO_LONG, detail)
    spans = _packed(item, costs, room)
    too_small, enough = largest - 1, room
    while enough - too_small > 1:  # the least room that needs no more parts makes them about equal
        tried = (too_small + enough) // 2
        packed = _packed(item, costs, tried)
        if len(packed) <= len(spans):
            spans, enough = packed, tried
        else:
            too_small = tried
    return tuple(Window(span, number, len(spans)) for number, span in enumerate(spans, 1))


def _packed(item: Item, costs: Sequence[int], room: int) -> list[Span]:
    spans: list[Span] = []
    start = 0
    while start < len(costs):
        stop, left = start, room
        while stop < len(costs) and costs[stop] <= left:
            left -= costs[stop]
            stop += 1
        if stop < len(costs):
            stop = _before_user(item, start, stop)
        spans.append(Span(start, stop))
        start = stop
    return spans


def _before_user(item: Item, start: int, stop: int) -> int:
    """The cut moved back to before a user's message, so that no reply is parted from its question."""
    for cut in range(stop, start, -1):
        if item.dialogue.messages[cut].role == "user":
            return cut
    return stop
