"""From single readings to one result: parts of a long dialogue to a sample, samples to a score.

Means for numbers, majorities for labels. Nothing is averaged over survivors in silence: a part that failed fails its
sample, and causes of unusable samples stand among the samples of the score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalharness.core.canonical import Json
from evalharness.core.rubric import Criterion, Scale
from evalharness.core.scores import Cause, Evidence, Failure, Result, Score, Skip, SkipReason, Value
from evalharness.judges.answers import Answer, CannotAssess, Unreadable, Verdict, clean

AS_WRITTEN = "no probabilities at the value: it counts as written"
RAW_LIMIT = 2000
"""How much of an unreadable reply is kept, in characters."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply says about one criterion: the answer (with the expectation as its value where there are
    probabilities), its checked evidence, and the start of the reply. ``as_written``: probabilities were asked for and
    there are none at the value, so the value is the one that stands in the reply."""

    answer: Answer
    evidence: tuple[Evidence, ...] = ()
    probabilities: Mapping[str, float] | None = None
    mass: float | None = None
    raw: str = ""
    as_written: bool = False


def failed_reading(cause: Cause, detail: str) -> Reading:
    """The reading of a reply that never came."""
    return Reading(Unreadable(cause, detail))


def window_aggregate(criterion: Criterion) -> str:
    """How the parts of a dialogue combine: ``worst`` for a must, else ``mean``, or ``majority`` for labels."""
    if criterion.scale is Scale.NOMINAL:
        return "majority"
    return "worst" if criterion.must and criterion.higher_is_better is not None else "mean"


def combine_windows(criterion: Criterion, readings: Sequence[Reading]) -> Reading:
    """One sample from the readings of its parts. A part that has no verdict leaves the sample without one; parts in
    which the judge can't tell don't count, unless all are so."""
    if len(readings) == 1:
        return readings[0]
    for number, reading in enumerate(readings, 1):
        if isinstance(reading.answer, Unreadable):
            detail = f"part {number} of {len(readings)}: {reading.answer.detail}"
            return replace(reading, answer=Unreadable(reading.answer.cause, detail))
    told = [(number, r) for number, r in enumerate(readings, 1) if isinstance(r.answer, Verdict)]
    values = [r.answer.value for _, r in told if isinstance(r.answer, Verdict)]
    value = _combined(criterion, values, window_aggregate(criterion)) if values else None
    if value is None:
        tied = Unreadable(Cause.TWO_VERDICTS, "no answer has a majority among the parts of the dialogue")
        return replace(readings[0], answer=tied if values else CannotAssess())
    rationales = [
        f"[part {number}] {r.answer.rationale}"
        for number, r in told
        if isinstance(r.answer, Verdict) and r.answer.rationale
    ]
    evidence = tuple(piece for _, r in told for piece in r.evidence)
    return Reading(Verdict(value, "\n".join(rationales)), evidence)


def combine_samples(criterion: Criterion, readings: Sequence[Reading], extra: Mapping[str, Json]) -> Result:
    """The result from all samples; with more than one, every single verdict or cause is kept in ``samples``."""
    if len(readings) == 1:
        return _single(readings[0], extra)
    usable = [r for r in readings if not isinstance(r.answer, CannotAssess)]
    unable = len(readings) - len(usable)
    verdicts = [r for r in usable if isinstance(r.answer, Verdict)]
    if unable * 2 > len(readings):
        return Skip(SkipReason.CANNOT_ASSESS, f"said by {unable} of {len(readings)} samples")
    samples = tuple(_sample(r.answer) for r in usable)
    if not verdicts:
        return _all_failed(readings, samples)
    values = [r.answer.value for r in verdicts if isinstance(r.answer, Verdict)]
    value = _combined(criterion, values, "majority" if criterion.scale is Scale.NOMINAL else "mean")
    if value is None:
        return Failure(Cause.TWO_VERDICTS, "no answer has a majority among the samples", samples=samples)
    spokesman = min(verdicts, key=lambda r: _distance(r, value))
    facts = {**extra, **({"cannot_assess": unable} if unable else {}), **_mass(verdicts)}
    return Score(
        value=value,
        probabilities=_mean_probabilities(verdicts),
        samples=samples,
        rationale=_rationale(spokesman),
        evidence=spokesman.evidence,
        extra=facts or None,
    )


def _single(reading: Reading, extra: Mapping[str, Json]) -> Result:
    match reading.answer:
        case Verdict(value=value):
            weighed = reading.mass is not None or reading.as_written
            facts = {**extra, **_mass([reading])} if weighed else dict(extra)
            return Score(
                value=value,
                probabilities=reading.probabilities,
                rationale=_rationale(reading),
                evidence=reading.evidence,
                extra=facts or None,
            )
        case CannotAssess(rationale=rationale):
            return Skip(SkipReason.CANNOT_ASSESS, clean(rationale))
        case Unreadable(cause=cause, detail=detail):
            return Failure(cause, clean(detail), clean(reading.raw[:RAW_LIMIT]) or None)


def _all_failed(readings: Sequence[Reading], samples: tuple[Value | Cause, ...]) -> Failure:
    """The failure under the commonest cause, with the detail and text of the first such sample."""
    cause = Counter(s for s in samples if isinstance(s, Cause)).most_common(1)[0][0]
    answers = [(r, r.answer) for r in readings if isinstance(r.answer, Unreadable)]
    reading, answer = next((r, a) for r, a in answers if a.cause is cause)
    return Failure(cause, clean(answer.detail), clean(reading.raw[:RAW_LIMIT]) or None, samples)


def _combined(criterion: Criterion, values: Sequence[Value], how: str) -> Value | None:
    """The combined value; None when labels are tied."""
    if how == "majority":
        (first, count), *others = Counter(values).most_common()
        return None if others and others[0][1] == count else first
    numbers = [value for value in values if not isinstance(value, str)]
    if how == "worst":
        return min(numbers) if criterion.higher_is_better else max(numbers)
    return math.fsum(numbers) / len(numbers)


def _sample(answer: Answer) -> Value | Cause:
    match answer:
        case Verdict(value=value):
            return value
        case Unreadable(cause=cause):
            return cause
        case CannotAssess():
            raise AssertionError("left out before")


def _distance(reading: Reading, value: Value) -> float:
    own = reading.answer.value if isinstance(reading.answer, Verdict) else value
    if isinstance(own, str) or isinstance(value, str):
        return float(own != value)
    return abs(own - value)


def _rationale(reading: Reading) -> str | None:
    text = reading.answer.rationale if isinstance(reading.answer, Verdict) else ""
    return clean(text) or None


def _mean_probabilities(readings: Sequence[Reading]) -> dict[str, float] | None:
    """The mean distribution, where every sample has one."""
    known = [r.probabilities for r in readings if r.probabilities is not None]
    if len(known) < len(readings):
        return None
    labels = dict.fromkeys(label for probabilities in known for label in probabilities)
    return {label: math.fsum(p.get(label, 0.0) for p in known) / len(known) for label in labels}


def _mass(readings: Sequence[Reading]) -> dict[str, Json]:
    """The least probability mass that the answers had, where it is known, and a warning where there should have been
    probabilities."""
    known = [r.mass for r in readings if r.mass is not None]
    facts: dict[str, Json] = {"label_mass": round(min(known), 6)} if known else {}
    return {**facts, "warning": AS_WRITTEN} if any(r.as_written for r in readings) else facts
