"""How a pair is put to a judge and how its answer is read: one place for live and recorded preferences.

A judge speaks of the first and the second reply it is shown (``a`` and ``b``); verdicts are turned round where the pair
was shown in the other order, so that ``a`` always means the same system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.pairs import Order, Pair
from evalharness.core.rubric import Criterion, Need, Rubric
from evalharness.core.scores import Result, Score, Skip
from evalharness.errors import UsageError
from evalharness.judges.aggregate import RAW_LIMIT, Reading
from evalharness.judges.answers import Answer, Verdict
from evalharness.judges.needs import nothing_to_judge, unmet_need
from evalharness.judges.prompt import listed, questions_text
from evalharness.judges.schema import answer_keys, preference_schema
from evalharness.judges.templating import fill, template, templates_hash
from evalharness.judges.transcript import MARKER_DIGITS, fence, shared_text, whole
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Finish, Reply, Request, Sampling

A, B, TIE = "a", "b", "tie"
_TURNED = {A: B, B: A, TIE: TIE}


def check_pair_rubric(rubric: Rubric, judge: str) -> None:
    """A rubric that does not compare pairs is a :class:`UsageError`."""
    if rubric.unit is not Unit.PAIR:
        raise UsageError(
            f"{rubric.name} judges one {rubric.unit.value} at a time; {judge} is to compare two",
            fix="Use a rubric with unit: pair, e.g. --rubric mt-bench-pair.",
        )


def pair_skip(pair: Pair, criterion: Criterion) -> Skip | None:
    """Why there is nothing to compare, if so: both sides must meet what the criterion needs."""
    for item in (pair.a, pair.b):
        skip = nothing_to_judge(item) or unmet_need(item, criterion)
        if skip is not None:
            return skip
    return None


def pair_request(
    rubric: Rubric,
    criteria: Sequence[Criterion],
    pair: Pair,
    secret: bytes,
    *,
    max_tokens: int,
    sampling: Sampling,
    logprobs: bool = False,
) -> Request:
    """The request that puts criteria about a pair, in the order in which it is shown."""
    marker = pair_fence(pair, secret)
    first, second = pair.shown
    return Request(
        system=_system(rubric, criteria, first),
        shared=pair_transcript(pair, marker, criteria),
        ask=fill(
            "pair_ask",
            {
                "what": _what(first),
                "other": _what(second),
                "fence": marker,
                "ids": listed([f'"{key}"' for key in answer_keys(criteria).values()], "and"),
            },
        ),
        fence=marker,
        schema=preference_schema(criteria),
        max_tokens=max_tokens,
        logprobs=logprobs,
        sampling=sampling,
    )


def pair_fence(pair: Pair, secret: bytes) -> str:
    """The marker of a pair: of both dialogues together, the same in either order."""
    return fence(secret, f"{pair.a.dialogue.id}\0{pair.b.dialogue.id}")


def pair_transcript(pair: Pair, marker: str, criteria: Sequence[Criterion]) -> str:
    """Both dialogues, fenced, the first one shown first."""
    references = any(Need.REFERENCES in criterion.needs for criterion in criteria)
    return "".join(
        f"{name} assistant #{marker}\n{shared_text(item, marker, whole(item), references=references)}"
        for name, item in zip(("first", "second"), pair.shown, strict=True)
    )


def read_preferences(reply: Reply, request: Request, criteria: Sequence[Criterion]) -> dict[str, Reading]:
    """The reading of each criterion, as the judge put it: ``a`` is what it was shown first."""
    finish = Finish.REFUSAL if reply.refusal and not reply.text.strip() else reply.finish
    answers = read_answers(reply.text, criteria, finish=finish, shown=Shown(request.shared), structured=True)
    raw = reply.text[:RAW_LIMIT] or reply.refusal[:RAW_LIMIT]
    return {c.id: Reading(answers[c.id], raw=raw) for c in criteria}


def turned(reading: Reading, order: Order) -> Reading:
    """The reading in the run's own order of systems."""
    if order is Order.AB:
        return reading
    probabilities = reading.probabilities
    return replace(
        reading,
        answer=_turned_answer(reading.answer),
        probabilities=None
        if probabilities is None
        else {_TURNED.get(label, label): share for label, share in probabilities.items()},
    )


def with_order(result: Result, order: Order) -> Result:
    """The result with the order in which the pair was shown."""
    if not isinstance(result, Score):
        return result
    extra: Mapping[str, Json] = {**(result.extra or {}), "order": order.value}
    return replace(result, extra=extra)


@cache
def pair_prompt_hash() -> str:
    """Hash of the wording of pair prompts."""
    return content_hash(templates_hash("pair_"), 16)


def _turned_answer(answer: Answer) -> Answer:
    if isinstance(answer, Verdict) and isinstance(answer.value, str):
        return replace(answer, value=_TURNED.get(answer.value, answer.value))
    return answer


def _system(rubric: Rubric, criteria: Sequence[Criterion], item: Item) -> str:
    return fill(
        "pair_system",
        {
            "unit": "whole dialogue" if item.turn is None else "reply",
            "digits": str(MARKER_DIGITS),
            "about": rubric.about,
            "questions": questions_text(criteria),
        },
    )


def _what(item: Item) -> str:
    return "the whole dialogue" if item.turn is None else f"the reply [M{item.turn}]"


def small_pair_text(rubric: Rubric, criterion: Criterion, pair: Pair) -> tuple[str, str]:
    """Both replies and the question in the few words that the smallest models can follow."""
    first, second = pair.shown
    shown = "".join(
        f"{name} reply: {_small(item)}\n"
        for name, item in zip(("First", "Second"), (first, second), strict=True)
    )
    user = first.last_user_text or ""
    question = f"{criterion.question}\nAnswer with one of: {', '.join(criterion.labels)}."
    return f"{rubric.about}\nUser: {user}\n{shown}", question


def _small(item: Item) -> str:
    if item.turn is not None:
        return item.message.content
    return " / ".join(m.content for m in item.dialogue.messages if m.role == "assistant")


SMALL_SYSTEM = template("small_system").strip()
