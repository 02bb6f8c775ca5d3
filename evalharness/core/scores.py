"""The three outcomes of a scorer on an item: a score, a failure with its cause, a skip with its reason.

There are no sentinels: what could not be scored is a :class:`Failure`, what need not be scored a :class:`Skip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Unit

Value: TypeAlias = float | str
"""A number, or the name of a level of a nominal criterion."""

OVERALL = "_overall"
"""The reserved criterion under which a rubric's computed overall stands."""


def criterion_title(criterion: str) -> str:
    """A criterion as people call it."""
    return "overall" if criterion == OVERALL else criterion


class Cause(StrEnum):
    """Why there is no score although there should be one. Each has an entry in docs/errors.md."""

    # what the judge wrote
    NO_VERDICT = "no_verdict"
    TWO_VERDICTS = "two_verdicts"
    OUT_OF_RANGE = "out_of_range"
    REFUSAL = "refusal"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    FILTERED = "filtered"
    # what the provider did
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    PROTOCOL = "protocol"
    BAD_REQUEST = "bad_request"
    TOO_LONG = "too_long"
    AUTH = "auth"
    QUOTA = "quota"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_MOVED = "model_moved"
    # what the scorer did
    NOT_RECORDED = "not_recorded"
    SCORER_ERROR = "scorer_error"
    INCOMPLETE = "incomplete"


class SkipReason(StrEnum):
    """Why an item need not be scored by a scorer."""

    NO_REFERENCE = "no_reference"
    NO_CONTEXT = "no_context"
    NO_TOOLS = "no_tools"
    NO_HISTORY = "no_history"
    NO_EARLIER_REPLY = "no_earlier_reply"
    NO_USER_TURN = "no_user_turn"
    CANNOT_ASSESS = "cannot_assess"
    NOTHING_TO_JUDGE = "nothing_to_judge"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quotation that a judge gave for its verdict.

    ``message`` is the index of the cited message (``[M3]`` is 3), ``document`` the number of the cited document as the
    judge was shown it (``[D2]`` is 2), ``quote`` the cited words; ``found`` tells whether the part exists and, where
    words are quoted, contains them.
    """

    message: int | None
    quote: str
    found: bool
    document: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A value on an item.

    ``probabilities`` is the distribution over level names where it is known; ``samples`` holds every single verdict
    (a value, or the cause of an unusable one) when more than one was asked; ``stats`` are sufficient statistics that
    add up over items (used for corpus scores); ``extra`` holds protocol facts worth keeping.
    """

    value: Value
    probabilities: Mapping[str, float] | None = None
    samples: tuple[Value | Cause, ...] = ()
    rationale: str | None = None
    evidence: tuple[Evidence, ...] = ()
    stats: tuple[float, ...] = ()
    extra: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A scorer tried and has no value; ``detail`` explains (never a secret), ``raw`` keeps the start of the reply.

    ``samples`` and ``extra`` are as in :class:`Score`: what was said although it did not add up to a value.
    """

    cause: Cause
    detail: str = ""
    raw: str | None = None
    samples: tuple[Value | Cause, ...] = ()
    extra: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """A scorer has nothing to score on this item."""

    reason: SkipReason
    detail: str = ""


Result: TypeAlias = Score | Failure | Skip


@dataclass(frozen=True, slots=True)
class Column:
    """What one scorer says about each item: one column of the score table.

    ``scorer`` is the metric's or judge's name; ``rubric`` is empty for metrics; ``criterion`` equals the name for
    metrics. ``low`` and ``high`` bound the scale where it has bounds. ``passes`` is a pass rule like ``>=4`` (see
    :class:`evalharness.core.rubric.PassRule`). ``higher_is_better`` is None where neither direction is good.
    """

    scorer: str
    criterion: str
    unit: Unit
    signature: str
    rubric: str = ""
    low: float | None = None
    high: float | None = None
    passes: str | None = None
    higher_is_better: bool | None = None
    must: bool = False
    nominal: bool = False
    levels: tuple[str, ...] = ()
    judged: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One result in its column."""

    column: Column
    result: Result


def status_of(result: Result) -> str:
    """``scored``, ``failed`` or ``skipped``."""
    match result:
        case Score():
            return "scored"
        case Failure():
            return "failed"
        case Skip():
            return "skipped"
