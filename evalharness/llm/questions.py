"""What decision models are asked and answer: one representation over the wires of Decisions and System One.

A decision model reads a state once and gives a probability for every option of every question, and no text. A
criterion of a rubric is one question, a whole rubric one request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalharness.core.canonical import Json
from evalharness.llm.bodies import MalformedBody

TOLERANCE_PER_OPTION = 0.005
LARGEST_TOLERANCE = 0.025
"""How far probabilities may be from summing to 1: both wires round every one of them."""


class Kind(StrEnum):
    """How options relate: a yes/no statement, ordered levels, or unordered choices."""

    PREDICATE = "predicate"
    SCORE = "score"
    CHOICE = "choice"


LIMITS: Mapping[Kind, tuple[int, int]] = {Kind.PREDICATE: (2, 2), Kind.SCORE: (2, 10), Kind.CHOICE: (2, 255)}
"""The fewest and most options that both wires take."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: its label on our scale, and what it means."""

    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. Options stand in order, the lowest level first; a predicate's are (false, true)."""

    name: str
    kind: Kind
    instructions: str
    options: tuple[Option, ...]

    def to_json(self) -> Json:
        """The question as a JSON value, for hashes."""
        return [self.name, self.kind.value, self.instructions, [[o.label, o.text] for o in self.options]]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a dialogue as decision models take it natively.

    ``kind`` is a role (``user``, ``assistant``, ``system``), ``call`` (text: the arguments) or ``result`` of a tool;
    these two have a ``call_id``, a call also the tool's ``name``.
    """

    kind: str
    text: str
    name: str = ""
    call_id: str = ""

    def to_json(self) -> Json:
        """The part as a JSON value, for hashes and the cache."""
        return [self.kind, self.text, self.name, self.call_id]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question: a probability for each option's label (they sum to 1), or a refusal (None)."""

    name: str
    probabilities: Mapping[str, float] | None


def distribution(question: Question, given: Sequence[float]) -> Answered:
    """The probabilities of a question's options in order, renormalised; MalformedBody for what is no distribution.

    Wires round each probability, so a sum within 0.005 an option (at most 0.025) of 1 is taken for 1.
    """
    if len(given) != len(question.options):
        raise MalformedBody(
            f"{question.kind.value} has {len(given)} of {len(question.options)} probabilities"
        )
    total = sum(given)
    slack = min(LARGEST_TOLERANCE, TOLERANCE_PER_OPTION * len(given))
    if any(p < 0 for p in given) or abs(total - 1) > slack + 1e-9:
        raise MalformedBody(f"the probabilities of {question.kind.value} sum to {total:.3f}")
    labels = (option.label for option in question.options)
    return Answered(question.name, {label: p / total for label, p in zip(labels, given, strict=True)})


def confidence(question_kind: Kind, probabilities: Sequence[float]) -> float:
    """How sure a distribution is, 0 (uniform) to 1 (certain), by one formula whatever server gave it.

    Ordered levels: 1 - E|level - mode| / the same under a uniform distribution at its median, so that doubt between
    neighbours counts less than doubt between ends. Others: (p_max - 1/n) / (1 - 1/n). Servers use formulas of their
    own, which don't compare; the vector does.
    """
    n = len(probabilities)
    mode = max(range(n), key=lambda index: probabilities[index])
    if question_kind is Kind.SCORE:
        spread = sum(p * abs(index - mode) for index, p in enumerate(probabilities))
        uniform = sum(abs(index - (n - 1) / 2) for index in range(n)) / n
        return max(0.0, 1.0 - spread / uniform)
    return (probabilities[mode] - 1 / n) / (1 - 1 / n)
