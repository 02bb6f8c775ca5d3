"""The wire of System One (POST /v1/systemone): a state and named questions ``noul``, ``choice`` and ``score``.

Spoken by TypeSafe's Jev, llama.cpp's server, vLLM and many hosts of open decision models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.llm.asked import Asked
from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    count_in,
    load_object,
    object_in,
    probability_in,
    text_in,
)
from evalharness.llm.client import Finish, Reply, Usage
from evalharness.llm.questions import Answered, Kind, Part, Question, distribution

_TYPES = {Kind.PREDICATE: "noul", Kind.CHOICE: "choice", Kind.SCORE: "score"}


def body(asked: Asked, *, native: bool) -> dict[str, Any]:
    """The request body. ``native`` sends the dialogue as a list of messages; else the state is one fenced text."""
    state: Any = [_part(part) for part in asked.parts] if native and asked.parts else asked.shared
    return {
        "model": asked.model,
        "state": state,
        "questions": {q.name: _question(q) for q in asked.questions},
    }


def read(raw: bytes, questions: Sequence[Question]) -> Reply:
    """The reply in a body of status 200; :class:`MalformedBody` for anything that the API does not describe."""
    answer = load_object(raw)
    if answer.get("error"):
        raise MalformedBody("an error object came with status 200")
    answers = object_in(answer, "answers")
    if set(answers) != {question.name for question in questions}:
        raise MalformedBody("the answers are not those to the questions")
    usage = object_in(answer, "usage")
    return Reply(
        text="",
        finish=Finish.STOP,
        usage=Usage(count_in(usage, "input_tokens"), count_in(usage, "output_tokens")),
        model=text_in(answer, "model"),
        request_id=text_in(answer, "id"),
        answers=tuple(_answer(as_object(answers[q.name], "answer"), q) for q in questions),
    )


def _part(part: Part) -> dict[str, Any]:
    if part.kind == "call":
        return {"role": "assistant", "tool_call": part.name, "id": part.call_id, "arguments": part.text}
    if part.kind == "result":
        return {"role": "tool", "id": part.call_id, "content": part.text}
    return {"role": part.kind, "content": part.text}


def _question(question: Question) -> dict[str, Any]:
    sent: dict[str, Any] = {"type": _TYPES[question.kind], "instructions": question.instructions}
    match question.kind:
        case Kind.PREDICATE:
            no, yes = question.options
            meant = {"true": yes.text, "false": no.text}
            return {**sent, **({"criteria": meant} if yes.text and no.text else {})}
        case Kind.SCORE:
            texts = [f"{o.label}: {o.text}" if o.text else o.label for o in question.options]
            return {**sent, "criteria": texts}
        case Kind.CHOICE:
            return {**sent, "criteria": {o.label: o.text or None for o in question.options}}


def _answer(row: Mapping[str, Any], question: Question) -> Answered:
    if text_in(row, "type") != _TYPES[question.kind]:
        raise MalformedBody(f"the answer to a {question.kind.value} is of another type")
    match question.kind:
        case Kind.PREDICATE:
            yes = probability_in(row, "noul")
            return distribution(question, [1 - yes, yes])
        case Kind.SCORE:
            keys = [str(index) for index in range(len(question.options))]
        case Kind.CHOICE:
            keys = [option.label for option in question.options]
    given = object_in(row, "probabilities")
    if set(given) != set(keys):
        raise MalformedBody("the probabilities are not those of the options")
    return distribution(question, [probability_in(given, key) for key in keys])
