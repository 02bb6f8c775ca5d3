"""What a judge's reply says about one criterion, and which of its words fit the criterion's scale."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from evalharness.core.rubric import Criterion, Scale
from evalharness.core.scores import Cause, Value
from evalharness.judges.schema import CANNOT_ASSESS


@dataclass(frozen=True, slots=True)
class Citation:
    """Words that a judge gives as evidence: the part it names (``M3``, as it wrote it) and its quotation."""

    part: str
    quote: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A value on the criterion's scale. ``start`` is where it stands in the reply's text, where that is known."""

    value: Value
    rationale: str = ""
    citations: tuple[Citation, ...] = ()
    start: int | None = None


@dataclass(frozen=True, slots=True)
class CannotAssess:
    """The judge says that it can't tell, as the criterion allows."""

    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is no verdict that could be taken from the reply; ``detail`` says why in our words."""

    cause: Cause
    detail: str


Answer: TypeAlias = Verdict | CannotAssess | Unreadable


class TooManyError(Exception):
    """More of what looks like verdicts than a reply with one verdict can have."""


class Odd(Enum):
    """A token where a value was expected that is not a value of the scale."""

    CANNOT_ASSESS = "cannot assess"
    OUT_OF_RANGE = "out of range"
    SEVERAL = "several"


Fit: TypeAlias = Value | Odd

_BINARY_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_SURROGATES = re.compile("[\ud800-\udfff]")
_CANNOT_WORDS = (CANNOT_ASSESS, "cannot assess", "can't assess", "not applicable", "n/a")


def fit_number(criterion: Criterion, number: float) -> Fit:
    """The value that a written number stands for; never clamped, never rounded."""
    if not math.isfinite(number):
        return Odd.OUT_OF_RANGE
    if criterion.scale is Scale.NOMINAL:
        named = [label for label in criterion.labels if _as_number(label) == number]
        return named[0] if len(named) == 1 else Odd.OUT_OF_RANGE
    return float(number) if criterion.accepts(float(number)) else Odd.OUT_OF_RANGE


def fit_words(criterion: Criterion) -> dict[str, Fit]:
    """Every word or phrase, in folded case, that answers the criterion; numbers are not among them.

    Labels that are equal in folded case stand for nothing.
    """
    words: dict[str, Fit] = dict.fromkeys(_CANNOT_WORDS, Odd.CANNOT_ASSESS)
    if criterion.scale is Scale.BINARY:
        words.update(_BINARY_WORDS)
    folded = [level.label.casefold() for level in criterion.levels]
    for level, word in zip(criterion.levels, folded, strict=True):
        if folded.count(word) == 1 and word and _as_number(word) is None:
            words[word] = (
                level.label if criterion.scale is Scale.NOMINAL or level.value is None else level.value
            )
    return words


def answer_of(criterion: Criterion, fit: Fit, said: str) -> Answer:
    """The answer without its rationale; ``said`` is the token, for the explanation."""
    match fit:
        case Odd.CANNOT_ASSESS if criterion.cannot_assess:
            return CannotAssess()
        case Odd.CANNOT_ASSESS:
            return Unreadable(
                Cause.NO_VERDICT, "the judge says that it can't assess, which the rubric does not allow"
            )
        case Odd.OUT_OF_RANGE:
            return Unreadable(
                Cause.OUT_OF_RANGE, f"{said[:40]!r} is not on the scale ({scale_words(criterion)})"
            )
        case Odd.SEVERAL:
            return Unreadable(Cause.TWO_VERDICTS, f"the reply gives more than one verdict ({said[:80]})")
        case _:
            return Verdict(fit)


def scale_words(criterion: Criterion) -> str:
    """The scale in a few words, for messages."""
    if criterion.scale is Scale.NUMERIC:
        return f"{_bound(criterion.minimum)} to {_bound(criterion.maximum)}"
    return ", ".join(criterion.labels)


def clean(text: str) -> str:
    """Text of a judge that can be stored: lone surrogates become U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def squeezed(text: str) -> str:
    """The text without whitespace, backslashes and case, in one form of each character: for comparing copies."""
    return "".join(unicodedata.normalize("NFKC", text).replace("\\", "").split()).casefold()


def _bound(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"


def _as_number(label: str) -> float | None:
    text = label.removeprefix("-")
    if not (text.isascii() and text.replace(".", "", 1).isdigit()):
        return None
    return float(label)
