"""Exports of labelling tools: Label Studio tasks, Argilla records (nested or flattened), Langfuse scores.

None of them has a field for our dialogue id and turn: they are looked for where people put them (the task's ``data``,
the record's ``metadata``), or named with ``--field dialogue=…``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalharness.data.labels.raw import (
    SOMEBODY,
    LabelOptions,
    RawLabel,
    RawPair,
    probability_of,
    text_of,
    turn_of,
    value_of,
)
from evalharness.data.reading import Record, RecordError
from evalharness.data.words import json_kind, quoted

_DIALOGUE_KEYS = ("dialogue", "dialogue_id", "conversation_id", "session_id", "id")
_RESULT_VALUES = ("rating", "number", "choices", "text", "taxonomy")
_ANSWERED = ("submitted", None)
_RESPONSES = ".responses"
_MINIMAL = ("annotator", "annotation_id", "lead_time")


def is_label_studio(value: Mapping[str, Any]) -> bool:
    """A task with annotations, as Label Studio's JSON export has them."""
    return isinstance(value.get("annotations"), list) and isinstance(value.get("data"), dict)


def is_label_studio_minimal(value: Mapping[str, Any]) -> bool:
    """A row of Label Studio's JSON-MIN or CSV export: what was shown and what was said about it side by side, with
    nothing that tells the one from the other."""
    return "annotations" not in value and all(name in value for name in _MINIMAL)


def is_argilla(value: Mapping[str, Any]) -> bool:
    """A record with responses to questions, of Argilla 1 or 2, nested or flattened."""
    return ("responses" in value and isinstance(value.get("fields"), dict)) or bool(_flattened(value))


def is_langfuse(value: Mapping[str, Any]) -> bool:
    """A score of Langfuse's API or export."""
    return ("traceId" in value or "sessionId" in value) and "name" in value and "value" in value


def label_studio_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """One label for each result of each annotation that was not cancelled."""
    task = record.value
    data = task["data"]
    dialogue = _dialogue(data, options)
    for annotation in task["annotations"]:
        if not isinstance(annotation, dict):
            raise RecordError(f"an annotation can't be {json_kind(annotation)}")
        if annotation.get("was_cancelled"):
            yield "annotation cancelled"
            continue
        rater = _label_studio_rater(annotation)
        for result in annotation.get("result", []):
            rating = _label_studio_value(result)
            if rating is None:
                yield "no value"
                continue
            yield RawLabel(
                dialogue, turn_of(data, "turn", options), str(result["from_name"]), rater, rating,
                record.source, record.line, probability=probability_of(data, options),
            )  # fmt: skip


def _label_studio_rater(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    return SOMEBODY if by is None else str(by)


def _label_studio_value(result: Any) -> float | str | None:
    if not isinstance(result, dict) or not isinstance(result.get("value"), dict) or "from_name" not in result:
        raise RecordError("a result has no from_name or no value", "Export the project as JSON.")
    for kind in _RESULT_VALUES:
        if kind in result["value"]:
            found = result["value"][kind]
            if isinstance(found, list):
                if len(found) > 1:
                    raise RecordError(
                        f"{quoted(str(result['from_name']))} has several choices; a label has one"
                    )
                found = found[0] if found else None
            return value_of(found, kind)
    return None


def argilla_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """One label for each submitted response; drafts and discarded ones are left out."""
    value = record.value
    flat = _flattened(value)
    place = value if flat else {**value.get("fields", {}), **(value.get("metadata") or {})}
    dialogue = _dialogue(place, options, fallback=value.get("id"))
    responses = _flat_responses(value, flat) if flat else _argilla_responses(value["responses"])
    for question, user, rating, status in responses:
        if status not in _ANSWERED:
            yield f"response {status}"
            continue
        found = value_of(rating, question)
        if found is None:
            yield "no value"
            continue
        yield RawLabel(
            dialogue, turn_of(place, "turn", options), question, user, found, record.source, record.line,
            probability=probability_of(place, options),
        )  # fmt: skip


def _argilla_responses(responses: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """(question, user, value, status) of either form: by question (version 2) or by user (version 1)."""
    if isinstance(responses, dict):
        for question, answers in responses.items():
            for answer in answers if isinstance(answers, list) else [answers]:
                user = str(answer.get("user_id") or SOMEBODY)
                yield question, user, answer.get("value"), answer.get("status")
    elif isinstance(responses, list):
        for response in responses:
            user = str(response.get("user_id") or SOMEBODY)
            for question, answer in (response.get("values") or {}).items():
                yield question, user, answer.get("value"), response.get("status")
    else:
        raise RecordError(f"responses can't be {json_kind(responses)}")


def _flattened(value: Mapping[str, Any]) -> tuple[str, ...]:
    """The questions of a flattened record: each has its answers under ``QUESTION.responses``, who gave them under
    ``….users`` and what became of them under ``….status``, in the same order."""
    names = (str(key).removesuffix(_RESPONSES) for key in value if str(key).endswith(_RESPONSES))
    return tuple(name for name in names if name and f"{name}{_RESPONSES}.users" in value)


def _flat_responses(
    value: Mapping[str, Any], questions: Iterable[str]
) -> Iterator[tuple[str, str, Any, Any]]:
    """(question, user, value, status) of a flattened record. None stands where a question has no answer."""
    for question in questions:
        key = f"{question}{_RESPONSES}"
        answers, users, states = (value.get(name) or [] for name in (key, f"{key}.users", f"{key}.status"))
        if isinstance(value.get("id"), list) or not all(
            isinstance(part, list) for part in (answers, users, states)
        ):
            raise RecordError(
                f"{quoted(key)} is no list of the answers to one record",
                "Export Argilla's records as JSON, an object for each: records.to_list(flatten=True).",
            )
        if len(users) != len(answers) or len(states) not in (0, len(answers)):
            raise RecordError(f"{quoted(key)} has {len(answers)} answers of {len(users)} users")
        for place, answer in enumerate(answers):
            yield question, str(users[place] or SOMEBODY), answer, states[place] if states else None


def langfuse_labels(record: Record, options: LabelOptions) -> Iterator[RawLabel | RawPair | str]:
    """The score of an annotation; scores by evaluators and by the API are no human labels and are left out."""
    value = record.value
    origin = value.get("source")
    if origin not in ("ANNOTATION", None):
        yield f"score by {str(origin).lower()}"
        return
    categorical = value.get("dataType") in ("CATEGORICAL", "BOOLEAN")
    rating = value_of(
        value.get("stringValue") if categorical and value.get("stringValue") else value.get("value")
    )
    if rating is None:
        yield "no value"
        return
    name = options.fields.get("dialogue") or ("sessionId" if value.get("sessionId") else "traceId")
    yield RawLabel(
        dialogue=text_of(value, name, LabelOptions()),
        turn=_observed(value, options),
        criterion=text_of(value, "name", LabelOptions()),
        rater=text_of(value, "authorUserId", LabelOptions(), default=SOMEBODY),
        value=rating,
        source=record.source,
        line=record.line,
        comment=text_of(value, "comment", options, default=""),
    )


def _observed(value: Mapping[str, Any], options: LabelOptions) -> int | str | None:
    """The turn of a score: what a field names, else the observation that it is about, which is a message's id."""
    named = turn_of(value, "turn", options)
    observation = value.get("observationId")
    return named if named is not None or observation in (None, "") else str(observation)


def _dialogue(place: Mapping[str, Any], options: LabelOptions, fallback: Any = None) -> str:
    keys = (options.fields["dialogue"],) if "dialogue" in options.fields else _DIALOGUE_KEYS
    for key in keys:
        if place.get(key) not in (None, ""):
            return str(place[key])
    if fallback not in (None, ""):
        return str(fallback)
    raise RecordError(
        f"the label names no dialogue (looked for {', '.join(keys)})",
        "Name the field with --field dialogue=NAME.",
    )
