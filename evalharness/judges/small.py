"""Short prompts for models that are too small to follow a rubric in JSON: one question, one bare label."""

from __future__ import annotations

from evalharness.core.dialogue import Item, Message
from evalharness.core.rubric import Criterion, Scale
from evalharness.judges.schema import range_text
from evalharness.judges.templating import fill, template
from evalharness.judges.transcript import Span, shown_text, whole
from evalharness.llm.client import Request, Sampling

_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
_MOST_LABELS = 21


def small_labels(criterion: Criterion) -> tuple[str, ...]:
    """The labels that a small model chooses from; a short range of whole numbers counts as labels.

    Empty for a numeric criterion without such a range: the model answers in text.
    """
    if criterion.scale is not Scale.NUMERIC:
        return criterion.labels
    low, high = criterion.minimum, criterion.maximum
    if low is None or high is None or not (low.is_integer() and high.is_integer()):
        return ()
    numbers = range(int(low), int(high) + 1)
    return tuple(str(number) for number in numbers) if len(numbers) <= _MOST_LABELS else ()


def small_request(
    item: Item, criterion: Criterion, marker: str, span: Span, max_tokens: int, sampling: Sampling
) -> Request:
    """The request for one criterion; the dialogue comes before the question so that its prefix is shared."""
    labels = small_labels(criterion)
    name = "small_ask_dialogue" if item.turn is None else "small_ask_turn"
    answers = ", ".join(labels) if labels else range_text(criterion)
    return Request(
        system=template("small_system").strip(),
        shared=_small_transcript(item, span),
        ask=fill(name, {"question": _question(criterion), "labels": answers}),
        fence=marker,
        labels=labels,
        max_tokens=max_tokens,
        sampling=sampling,
    )


def small_message_texts(item: Item) -> list[str]:
    """Each message of the item as a small model sees it."""
    return [f"{_message_line(message)}\n" for message in item.dialogue.messages[: whole(item).stop]]


def _question(criterion: Criterion) -> str:
    levels = [f"{level.label}: {level.text}" for level in criterion.levels if level.text]
    return "\n".join([criterion.question, *levels])


def _small_transcript(item: Item, span: Span) -> str:
    """The dialogue without a fence: its marker made the smallest models' answers useless (see docs/judges.md), and no
    verdict is read from text where the probabilities of labels are asked."""
    lines = [f"Document: {shown_text(document.text)}" for document in dict.fromkeys(item.context)]
    if span.start > 0:
        lines.append(f"({span.start} earlier messages are not shown)")
    lines.extend(_message_line(message) for message in item.dialogue.messages[span.start : span.stop])
    return "\n".join(lines) + "\n"


def _message_line(message: Message) -> str:
    calls = "".join(f"\n(calls {call.name} {call.arguments})" for call in message.tool_calls)
    return f"{_SPEAKERS[message.role]}: {shown_text(message.content + calls)}"
