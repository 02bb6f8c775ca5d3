"""How a judge is asked: the options that all back-ends share."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalharness.errors import Problem, UsageError
from evalharness.llm.client import Sampling

MOST_SAMPLES = 1000
_LEAST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a rubric is put to a model.

    ``samples``: how many times each question is asked. ``per_criterion``: one request per criterion instead of one for
    all. ``repair``: ask once more when an answer can't be read. ``max_tokens``: limit of the answer, hidden reasoning
    included; None chooses by the number of criteria and the model's window. ``expectation``: use token probabilities
    where the back-end gives them. ``questions_last``: the questions hold text of participants, so they stand behind the
    dialogue and never in the instructions.
    """

    samples: int = 1
    per_criterion: bool = False
    repair: bool = True
    max_tokens: int | None = None
    expectation: bool = True
    sampling: Sampling = field(default_factory=Sampling)
    questions_last: bool = False

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
