"""USR (Mehri and Eskenazi 2020): one context, a fact, and the rated replies of several systems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evalharness.core.dialogue import Document, Message
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.parts import Draft, finished
from evalharness.data.readers.ratings import raw_labels
from evalharness.data.reading import Read, Record, RecordError

GROUND_TRUTH = "Original Ground Truth"
"""The system whose reply is the reference of all others; it has none itself."""


class USRReader(RecordReader):
    """A dialogue for each reply: the history given, only the reply scored, the fact as context.

    Ids are ``usr-<context>-<system>`` with contexts counted from 0 in the file; the group is the context.
    """

    name = "usr"
    looks_for = "'context', 'fact' and a list 'responses' of objects with 'response' and 'model'"

    def recognises(self, value: dict[str, Any]) -> bool:
        """The fields of a USR context."""
        responses = value.get("responses")
        return "context" in value and isinstance(responses, list) and all(map(_is_response, responses))

    def dialogues(self, record: Record) -> Sequence[Read]:
        """One dialogue for each system that replied."""
        value = record.value
        history = _history(value.get("context"))
        responses = value.get("responses")
        if not isinstance(responses, list) or not all(map(_is_response, responses)):
            raise RecordError("'responses' must be a list of objects with 'response' and 'model'")
        truth = [r["response"].strip() for r in responses if r["model"] == GROUND_TRUTH]
        return [
            _dialogue(record, history, response, () if response["model"] == GROUND_TRUTH else tuple(truth))
            for response in responses
        ]


def _is_response(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("response"), str)
        and isinstance(item.get("model"), str)
    )


def _history(context: Any) -> list[Message]:
    """The utterances of the context as alternating turns, the last one the user's."""
    if not isinstance(context, str):
        raise RecordError("'context' must be text with one utterance a line")
    lines = [line.strip() for line in context.strip().split("\n")]
    return [
        Message("user", line) if (len(lines) - index) % 2 else Message("assistant", line, given=True)
        for index, line in enumerate(lines)
    ]


def _dialogue(
    record: Record, history: list[Message], response: dict[str, Any], references: tuple[str, ...]
) -> Read:
    group = f"usr-{record.line - 1}"
    name = f"{group}-{slug(response['model'])}"
    fact = record.value.get("fact")
    ratings = {key: item for key, item in response.items() if key not in ("response", "model")}
    metadata: dict[str, Any] = {"system": response["model"]}
    if record.value.get("annotators"):
        metadata["annotators"] = record.value["annotators"]
    reply = Message("assistant", response["response"].strip(), references=references)
    notes: list[str] = []
    draft = Draft(
        [*history, reply],
        id=name,
        group=group,
        context=(Document(fact.strip(), "fact"),) if isinstance(fact, str) and fact.strip() else (),
        metadata=metadata,
        labels=raw_labels(ratings, name, len(history), record, notes),
        notes=notes,
    )
    return finished(draft, record)


def slug(text: str) -> str:
    """The text in lower case, everything but letters and digits as single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
