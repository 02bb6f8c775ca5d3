"""Rubrics: what a judge is asked.

A rubric has criteria; a criterion has a question and a scale; an ordinal or nominal scale has anchored levels. Loading
and checking files is the business of ``data.rubrics``; everything here is already valid.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Value


class Scale(StrEnum):
    """How the answers to a criterion are measured."""

    BINARY = "binary"
    ORDINAL = "ordinal"
    NOMINAL = "nominal"
    NUMERIC = "numeric"


class Need(StrEnum):
    """What an item must have for a criterion to make sense; absent, the criterion is skipped."""

    CONTEXT = "context"
    REFERENCES = "references"
    TOOLS = "tools"
    HISTORY = "history"


class Overall(StrEnum):
    """How a rubric's criteria combine into ``_overall``."""

    WEIGHTED_MEAN = "weighted_mean"
    MIN = "min"
    ALL_PASS = "all_pass"


_PASS = re.compile(r"^\s*(>=|<=|>|<|==|=)?\s*(-?\d+(?:\.\d+)?)\s*$")


@dataclass(frozen=True, slots=True)
class PassRule:
    """What counts as good, e.g. ``>=4``. ``==`` on a binary criterion states its good answer."""

    op: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> PassRule:
        """Read ``>=4``, ``<= 2``, ``4`` (meaning ``>=4``); anything else is a ``ValueError``."""
        match = _PASS.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no pass rule like '>=4'")
        op = match.group(1) or ">="
        return cls("==" if op == "=" else op, float(match.group(2)))

    def __call__(self, value: float) -> bool:
        """Whether the value passes."""
        match self.op:
            case ">=":
                return value >= self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
            case "<":
                return value < self.bound
            case _:
                return abs(value - self.bound) < 0.5

    def __str__(self) -> str:
        return f"{self.op}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Level:
    """One anchored point of a scale. ``value`` is None on a nominal scale, where only the label counts."""

    label: str
    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A worked answer shown to the judge: the reply (or dialogue), the answer's label, and why."""

    reply: str
    answer: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question of a rubric.

    Levels are ordered from low to high. A binary criterion has the levels ``no`` (0) and ``yes`` (1). ``good`` is the
    label of the good answer of a binary criterion; on other scales ``higher_is_better`` gives the direction.
    """

    id: str
    question: str
    scale: Scale
    levels: tuple[Level, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    passes: PassRule | None = None
    good: str | None = None
    higher_is_better: bool | None = True
    weight: float = 1.0
    needs: tuple[Need, ...] = ()
    must: bool = False
    cannot_assess: bool = False
    examples: tuple[Example, ...] = ()

    @property
    def low(self) -> float | None:
        """Lower end of the scale in scale units; None for nominal."""
        if self.scale is Scale.NUMERIC:
            return self.minimum
        return self.levels[0].value if self.levels else None

    @property
    def high(self) -> float | None:
        """Upper end of the scale in scale units; None for nominal."""
        if self.scale is Scale.NUMERIC:
            return self.maximum
        return self.levels[-1].value if self.levels else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels a judge may answer with; empty for numeric."""
        return tuple(level.label for level in self.levels)

    def accepts(self, value: Value) -> bool:
        """Whether a single verdict may have this value (means and expectations may lie between levels)."""
        if self.scale is Scale.NOMINAL:
            return isinstance(value, str) and value in self.labels
        if isinstance(value, str) or not math.isfinite(value):
            return False
        if self.scale is Scale.NUMERIC:
            return (self.minimum is None or value >= self.minimum) and (
                self.maximum is None or value <= self.maximum
            )
        return any(value == level.value for level in self.levels)

    def level_of(self, label: str) -> Level | None:
        """The level with this label, if there is one."""
        return next((level for level in self.levels if level.label == label), None)

    def unit_interval(self, value: Value) -> float | None:
        """The value rescaled so that 0 is the worst and 1 the best; None where the scale has no such order."""
        low, high = self.low, self.high
        if isinstance(value, str) or low is None or high is None or self.higher_is_better is None:
            return None
        share = (value - low) / (high - low)
        return share if self.higher_is_better else 1.0 - share

    def passed(self, value: Value) -> bool | None:
        """Whether the value is good, by the pass rule or the stated good answer; None where nothing is stated."""
        if isinstance(value, str):
            return None if self.good is None else value == self.good
        return None if self.passes is None else self.passes(value)


@dataclass(frozen=True, slots=True)
class Rubric:
    """A named, versioned set of criteria about one kind of item."""

    name: str
    version: str
    unit: Unit
    about: str
    criteria: tuple[Criterion, ...]
    overall: Overall = Overall.WEIGHTED_MEAN

    @property
    def judge_hash(self) -> str:
        """Hash of everything that the judge sees."""
        return content_hash(
            {
                "unit": self.unit.value,
                "about": self.about,
                "criteria": [_seen_by_judge(criterion) for criterion in self.criteria],
            }
        )

    @property
    def full_hash(self) -> str:
        """Hash of the whole rubric: also weights, pass rules, and how the overall is made."""
        return content_hash(
            {
                "name": self.name,
                "version": self.version,
                "judge": self.judge_hash,
                "overall": self.overall.value,
                "criteria": [_decided_by_us(criterion) for criterion in self.criteria],
            }
        )

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with this id; ``KeyError`` if there is none."""
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        raise KeyError(criterion_id)

    def only(self, criterion_id: str) -> Rubric:
        """The rubric cut down to one criterion (for judges that are asked one at a time)."""
        return replace(self, criteria=(self.criterion(criterion_id),))


def overall_value(rubric: Rubric, values: Mapping[str, Value]) -> float | None:
    """The rubric's overall on 0–1 from the values of its criteria; None where it is undefined.

    ``values`` holds the scored criteria; skipped ones are left out of it and don't count. The caller must not ask when
    a criterion failed. A missed ``must`` makes the overall 0. A criterion without an order (nominal without ``good``)
    does not count.
    """
    shares: list[tuple[float, float]] = []
    passes: list[bool] = []
    for criterion in rubric.criteria:
        if criterion.id not in values:
            continue
        value = values[criterion.id]
        passed = criterion.passed(value)
        if criterion.must and passed is False:
            return 0.0
        if passed is not None:
            passes.append(passed)
        share = criterion.unit_interval(value)
        if share is None and isinstance(value, str) and passed is not None:
            share = float(passed)
        if share is not None:
            shares.append((criterion.weight, share))
    return _combine(rubric.overall, shares, passes)


def _combine(how: Overall, shares: Sequence[tuple[float, float]], passes: Sequence[bool]) -> float | None:
    if how is Overall.ALL_PASS:
        return float(all(passes)) if passes else None
    if not shares:
        return None
    if how is Overall.MIN:
        return min(share for _, share in shares)
    total = math.fsum(weight for weight, _ in shares)
    if total <= 0:
        return None
    return math.fsum(weight * share for weight, share in shares) / total


def _seen_by_judge(criterion: Criterion) -> dict[str, Json]:
    return {
        "id": criterion.id,
        "question": criterion.question,
        "scale": criterion.scale.value,
        "levels": [[level.label, level.text, level.value] for level in criterion.levels],
        "range": [criterion.minimum, criterion.maximum],
        "needs": [need.value for need in criterion.needs],
        "cannot_assess": criterion.cannot_assess,
        "examples": [[e.reply, e.answer, e.why] for e in criterion.examples],
    }


def _decided_by_us(criterion: Criterion) -> dict[str, Json]:
    return {
        "id": criterion.id,
        "passes": None if criterion.passes is None else str(criterion.passes),
        "good": criterion.good,
        "higher_is_better": criterion.higher_is_better,
        "weight": criterion.weight,
        "must": criterion.must,
    }
