"""The verdicts of several judges on one criterion of one item, combined; and how far they differ.

Pure functions. Every verdict stays, by name, in ``extra["members"]``; from there a panel whose weights depend on all
items is settled when all are judged.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import Any

from evalharness.core import scorejson
from evalharness.core.canonical import Json
from evalharness.core.rubric import Criterion, Scale
from evalharness.core.scores import Cause, Failure, Result, Score, Skip, SkipReason, Value
from evalharness.judges.opinion import Opinion

MEMBERS = "members"
"""Under this name the facts of a score hold each member's whole result."""


class Combine(StrEnum):
    """How the verdicts of a panel become one. Labels of a nominal scale are always voted on."""

    MEAN = "mean"
    MEDIAN = "median"
    MAJORITY = "majority"
    WEIGHTED = "weighted"
    DAWID_SKENE = "dawid-skene"

    @property
    def needs_all_items(self) -> bool:
        """Whether a verdict depends on what the members said of other items."""
        return self in (Combine.WEIGHTED, Combine.DAWID_SKENE)


def combine_votes(
    criterion: Criterion,
    votes: Mapping[str, Result],
    how: Combine,
    quorum: int,
    opinion: Opinion | None = None,
) -> Result:
    """The panel's result on one criterion.

    Fewer verdicts than ``quorum`` are a failure under the commonest cause, or a skip where the others can't assess it.
    ``opinion`` is what is known of the members from all items; without it a panel that needs it counts them alike.
    """
    scores = {name: result for name, result in votes.items() if isinstance(result, Score)}
    failures = {name: result for name, result in votes.items() if isinstance(result, Failure)}
    skips = [result for result in votes.values() if isinstance(result, Skip)]
    if len(skips) == len(votes):
        return skips[0]
    extra = _facts(criterion, votes, scores, how, opinion)
    samples = tuple(
        r.value if isinstance(r, Score) else r.cause for r in votes.values() if not isinstance(r, Skip)
    )
    if len(scores) < quorum:
        if not failures:
            return Skip(SkipReason.CANNOT_ASSESS, f"said by {len(skips)} of {len(votes)} members")
        return _no_quorum(failures, len(scores), len(votes), samples, extra)
    value, probabilities = _value(criterion, scores, how, opinion)
    if value is None:
        return Failure(
            Cause.TWO_VERDICTS, "no answer has a majority among the members", samples=samples, extra=extra
        )
    speaker, nearest = min(scores.items(), key=lambda pair: _far(pair[1].value, value))
    return Score(
        value,
        probabilities=probabilities,
        samples=samples,
        rationale=f"[{speaker}] {nearest.rationale}" if nearest.rationale else None,
        evidence=nearest.evidence,
        extra=extra,
    )


def members_of(result: Result) -> dict[str, Result] | None:
    """The members' results that a panel's result holds; None for one that holds none."""
    facts: Any = None if isinstance(result, Skip) or result.extra is None else result.extra.get(MEMBERS)
    if not isinstance(facts, dict):
        return None
    return {name: scorejson.from_json(row) for name, row in facts.items()}


def disagreement(low: float | None, high: float | None, values: Sequence[Value]) -> float | None:
    """The mean distance of two verdicts: as a share of the scale, of labels 1 where they differ; None for fewer than 2.

    ``low`` and ``high`` are the ends of the scale; without ends the distance is in units of the scale.
    """
    pairs = list(combinations(values, 2))
    if not pairs:
        return None
    width = 1.0 if low is None or high is None else high - low
    return math.fsum(_far(a, b) if isinstance(a, str) else _far(a, b) / width for a, b in pairs) / len(pairs)


def level_of(criterion: Criterion, value: Value) -> str:
    """The level that a verdict stands for: its own, or the nearest where it is a mean between levels (of two equally
    near ones the lower)."""
    if isinstance(value, str):
        return value
    return min(criterion.levels, key=lambda level: abs((level.value or 0.0) - value)).label


def _facts(
    criterion: Criterion,
    votes: Mapping[str, Result],
    scores: Mapping[str, Score],
    how: Combine,
    opinion: Opinion | None,
) -> dict[str, Json]:
    facts: dict[str, Json] = {"combine": how.value}
    apart = disagreement(criterion.low, criterion.high, [score.value for score in scores.values()])
    if apart is not None:
        facts["disagreement"] = round(apart, 6)
    if opinion is not None:
        facts.update(opinion.facts())
    missing = sum(isinstance(result, Failure) for result in votes.values())
    if missing:
        facts["warning"] = f"{missing} of {len(votes)} members without a verdict"
    facts[MEMBERS] = {name: scorejson.to_json(result) for name, result in votes.items()}
    return facts


def _no_quorum(
    failures: Mapping[str, Failure],
    scored: int,
    asked: int,
    samples: tuple[Value | Cause, ...],
    extra: dict[str, Json],
) -> Failure:
    cause = Counter(failure.cause for failure in failures.values()).most_common(1)[0][0]
    name, first = next((name, f) for name, f in failures.items() if f.cause is cause)
    detail = f"{scored} of {asked} members have a verdict; {name}: {first.detail or cause.value}"
    return Failure(cause, detail, first.raw, samples, extra)


def _value(
    criterion: Criterion, scores: Mapping[str, Score], how: Combine, opinion: Opinion | None
) -> tuple[Value | None, Mapping[str, float] | None]:
    weights = dict.fromkeys(scores, 1.0)
    if opinion is not None and how is Combine.WEIGHTED:
        weights = opinion.weights_of(scores)
    if how is Combine.DAWID_SKENE and opinion is not None:
        said = {name: level_of(criterion, score.value) for name, score in scores.items()}
        return _of_posterior(criterion, opinion.posterior(criterion.labels, said))
    if criterion.scale is Scale.NOMINAL or how in (Combine.MAJORITY, Combine.DAWID_SKENE):
        return _voted(criterion, scores, weights, tie_breaks=how.needs_all_items), _mean_probabilities(
            scores, weights
        )
    numbers = {name: score.value for name, score in scores.items() if not isinstance(score.value, str)}
    if how is Combine.MEDIAN:
        return statistics.median(numbers.values()), _mean_probabilities(scores, weights)
    total = math.fsum(weights[name] for name in numbers)
    value = math.fsum(weights[name] * number for name, number in numbers.items()) / total
    return value, _mean_probabilities(scores, weights)


def _voted(
    criterion: Criterion, scores: Mapping[str, Score], weights: Mapping[str, float], *, tie_breaks: bool
) -> Value | None:
    """The answer with the most weight; None where two have the most, unless the first in the scale's order will do."""
    totals: dict[Value, float] = {}
    for name, score in scores.items():
        answer = score.value if criterion.scale is Scale.NUMERIC else level_of(criterion, score.value)
        totals[answer] = totals.get(answer, 0.0) + weights[name]
    most = max(totals.values())
    leading = [answer for answer, weight in totals.items() if most - weight <= 1e-12]
    if len(leading) > 1 and not tie_breaks:
        return None
    labels = criterion.labels
    chosen = min(leading, key=lambda answer: labels.index(answer) if isinstance(answer, str) else answer)
    return _as_value(criterion, chosen)


def _as_value(criterion: Criterion, answer: Value) -> Value:
    level = criterion.level_of(answer) if isinstance(answer, str) else None
    return answer if level is None or level.value is None or criterion.scale is Scale.NOMINAL else level.value


def _of_posterior(criterion: Criterion, posterior: Mapping[str, float]) -> tuple[Value, Mapping[str, float]]:
    """The expectation over the levels; the likeliest label of a nominal scale."""
    if criterion.scale is Scale.NOMINAL:
        return max(posterior, key=lambda label: posterior[label]), posterior
    values = {level.label: level.value or 0.0 for level in criterion.levels}
    return math.fsum(p * values[label] for label, p in posterior.items()), posterior


def _mean_probabilities(scores: Mapping[str, Score], weights: Mapping[str, float]) -> dict[str, float] | None:
    """The mean distribution where every member has one."""
    known = {name: score.probabilities for name, score in scores.items() if score.probabilities is not None}
    total = math.fsum(weights[name] for name in scores)
    if len(known) < len(scores) or total <= 0:
        return None
    labels = dict.fromkeys(label for probabilities in known.values() for label in probabilities)
    return {
        label: math.fsum(weights[name] * p.get(label, 0.0) for name, p in known.items()) / total
        for label in labels
    }


def _far(one: Value, other: Value) -> float:
    if isinstance(one, str) or isinstance(other, str):
        return float(one != other)
    return abs(one - other)
