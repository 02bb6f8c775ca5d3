"""The wire of Decisions (POST /v1/decisions): typed questions in a list, answers in the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    probability_in,
    text_in,
)
from evalharness.llm.client import Finish, Reply, Usage
from evalharness.llm.questions import Answered, Kind, Option, Part, Question, distribution

MOST_QUESTIONS = 200
"""Questions in one request. OpenAI takes 400, other servers of this wire 200."""


def body(asked: Asked, *, native: bool) -> dict[str, Any]:
    """The request body. ``native`` sends the dialogue as messages, calls and outputs; else it is one fenced text in a
    user message, which is all that some servers take."""
    state = [_part(part) for part in asked.parts] if native and asked.parts else [_user(asked.shared)]
    return {"model": asked.model, "input": state, "questions": [_question(q) for q in asked.questions]}


def read(raw: bytes, questions: Sequence[Question]) -> Reply:
    """The reply in a body of status 200; :class:`MalformedBody` for anything that the API does not describe."""
    answer = load_object(raw)
    if answer.get("error"):
        raise MalformedBody("an error object came with status 200")
    rows = list_in(answer, "answers")
    if len(rows) != len(questions):
        raise MalformedBody(f"{len(rows)} answers came to {len(questions)} questions")
    answers = tuple(_answer(as_object(row, "answer"), q) for row, q in zip(rows, questions, strict=True))
    return Reply(
        text="",
        finish=Finish.STOP,
        usage=_usage(object_in(answer, "usage")),
        model=text_in(answer, "model"),
        request_id=text_in(answer, "id"),
        answers=answers,
    )


def statement(question: Question) -> str:
    """A predicate's instructions with what yes and no mean, since a predicate has no options on this wire."""
    return "\n".join([question.instructions, *(f"{o.label}: {o.text}" for o in question.options if o.text)])


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _part(part: Part) -> dict[str, Any]:
    if part.kind == "call":
        return {
            "type": "function_call",
            "call_id": part.call_id,
            "name": part.name,
            "arguments": part.text,
        }
    if part.kind == "result":
        return {"type": "function_call_output", "call_id": part.call_id, "output": part.text}
    return {"role": part.kind, "content": part.text}


def _question(question: Question) -> dict[str, Any]:
    sent: dict[str, Any] = {"type": question.kind.value, "name": question.name}
    match question.kind:
        case Kind.PREDICATE:
            return {**sent, "instructions": statement(question)}
        case Kind.SCORE:
            levels = [_described("label", option) for option in question.options]
            return {**sent, "instructions": question.instructions, "levels": levels}
        case Kind.CHOICE:
            choices = [_described("value", option) for option in question.options]
            return {**sent, "instructions": question.instructions, "choices": choices}


def _described(key: str, option: Option) -> dict[str, str]:
    return {key: option.label, **({"description": option.text} if option.text else {})}


def _answer(row: Mapping[str, Any], question: Question) -> Answered:
    name = text_in(row, "name")
    if name and name != question.name:
        raise MalformedBody("answers are not in the order of the questions")
    kind = text_in(row, "type")
    if kind == "refusal":
        return Answered(question.name, None)
    if kind != question.kind.value:
        raise MalformedBody(f"the answer to a {question.kind.value} is of another type")
    match question.kind:
        case Kind.PREDICATE:
            yes = probability_in(row, "probability")
            return distribution(question, [1 - yes, yes])
        case Kind.SCORE:
            return distribution(question, _by_index(row, len(question.options)))
        case Kind.CHOICE:
            return distribution(question, _by_value(row, [option.label for option in question.options]))


def _by_index(row: Mapping[str, Any], options: int) -> list[float]:
    given: dict[int, float] = {}
    for entry in list_in(row, "probabilities"):
        pair = as_object(entry, "probability")
        index = count_in(pair, "value")
        if pair.get("value") is None or index >= options or index in given:
            raise MalformedBody("a level's index is missing, unknown or given twice")
        given[index] = probability_in(pair, "probability")
    return [given[index] for index in sorted(given)]


def _by_value(row: Mapping[str, Any], labels: Sequence[str]) -> list[float]:
    given: dict[str, float] = {}
    for entry in list_in(row, "probabilities"):
        pair = as_object(entry, "probability")
        value = pair.get("value")
        if not isinstance(value, str) or value not in labels or value in given:
            raise MalformedBody(f"a choice is {kind_of(value)} that is unknown or given twice")
        given[value] = probability_in(pair, "probability")
    return [given[label] for label in labels if label in given]


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = object_in(usage, "input_tokens_details")
    return Usage(
        input_tokens=count_in(usage, "input_tokens"),
        output_tokens=count_in(usage, "output_tokens"),
        cached_tokens=count_in(details, "cached_tokens"),
        cache_write_tokens=count_in(details, "cache_write_tokens"),
    )
