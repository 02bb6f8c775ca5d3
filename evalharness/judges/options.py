"""How a judge is asked: the options that all back-ends share."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from evalharness.errors import Problem, UsageError
from evalharness.llm.client import Sampling

MOST_SAMPLES = 1000
_LEAST_TOKENS = 16


class Variant(StrEnum):
    """A prompt changed on purpose, so that an audit can measure what the change does; never how a judge is used.

    ``LEVELS_REVERSED`` lists the levels of every question from high to low. ``UNDEFENDED`` leaves out the fence and
    every word that tells the judge not to follow what it reads.
    """

    NONE = ""
    LEVELS_REVERSED = "levels-reversed"
    UNDEFENDED = "undefended"


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a rubric is put to a model.

    ``samples``: how many times each question is asked. ``per_criterion``: one request per criterion instead of one for
    all. ``repair``: ask once more when an answer can't be read. ``max_tokens``: limit of the answer, hidden reasoning
    included; None chooses by the number of criteria and the model's window. ``expectation``: use token probabilities
    where the back-end gives them. ``questions_last``: the questions hold text of participants, so they stand behind the
    dialogue and never in the instructions. ``variant`` is for audits alone.
    """

    samples: int = 1
    per_criterion: bool = False
    repair: bool = True
    max_tokens: int | None = None
    expectation: bool = True
    sampling: Sampling = field(default_factory=Sampling)
    questions_last: bool = False
    variant: Variant = Variant.NONE

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.samples <= MOST_SAMPLES:
            problems.append(
                Problem(f"samples is {self.samples}", fix=f"Ask for 1 to {MOST_SAMPLES} samples.")
            )
        if self.max_tokens is not None and self.max_tokens < _LEAST_TOKENS:
            problems.append(
                Problem(f"max_tokens is {self.max_tokens}", fix=f"Allow at least {_LEAST_TOKENS}.")
            )
        if problems:
            raise UsageError(problems)
