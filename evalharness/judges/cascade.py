"""A cascade: a cheap judge answers everything, and what it is not sure of goes on to a dearer one.

An item goes on as a whole when the confidence of any criterion is below its threshold, when a value lies so near to the
pass threshold that a small error would turn it, or when there is no verdict.
Who judged, and what earlier stages had said, stands with each score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from evalharness.core import scorejson
from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.fitted import ScoreInput
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.judges.bands import Bands, is_near, width_of
from evalharness.judges.columns import TOY_NOTE, rubric_columns, with_overall
from evalharness.judges.confidence import criterion_confidence
from evalharness.judges.interface import Ask, Judge, PlannedRequest
from evalharness.judges.steps import Stepped, all_needs, planned_requests, unique_clients
from evalharness.llm.client import Client

STAGE = "stage"
NEAR = "near_gate"
"""Under this name the facts of a score hold the judge whose verdict it is."""
EARLIER = "earlier"
"""Under this name they hold what the stages before it said."""
FOR_A_HUMAN = "left to a human: the last judge is not sure"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least confidence with which a verdict is accepted: by criterion, or one for all that are not named."""

    by_criterion: Mapping[str, float]
    otherwise: float | None = None

    def of(self, criterion: str) -> float | None:
        """The threshold of a criterion; None where its confidence does not matter."""
        return self.by_criterion.get(criterion, self.otherwise)

    def to_json(self) -> list[Json]:
        """For signatures."""
        return [dict(sorted(self.by_criterion.items())), self.otherwise]


@dataclass(frozen=True)
class Cascade:
    """Judges from cheap to dear; implements ``interface.Judge`` and ``Planned``.

    ``accept`` holds the thresholds of every stage but the last. ``humans``: below these the last judge's verdict stands
    with a mark that a person should look at it. ``near``: a value that lies so near to its pass threshold goes on,
    however sure its judge is.
    """

    name: str
    rubric: Rubric
    stages: tuple[Judge, ...]
    accept: tuple[Thresholds, ...]
    humans: Thresholds | None = None
    near: Bands | None = None

    def __post_init__(self) -> None:
        if self.near is not None:
            self._check_bands(self.near)
        if len(self.stages) < 2:
            raise UsageError(
                f"{self.name} is a cascade of {len(self.stages)}", fix="Name two judges or more."
            )
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise UsageError(
                f"{self.name}: a judge is a stage twice", fix="Give the second an alias: again=…"
            )
        if len(self.accept) != len(self.stages) - 1:
            raise UsageError(
                f"{self.name} has {len(self.stages)} stages and {len(self.accept)} thresholds",
                fix="Write one threshold for every stage but the last.",
            )

    @property
    def unit(self) -> Unit:
        """The unit of the rubric."""
        return self.rubric.unit

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models of all stages."""
        return unique_clients(self.stages)

    @property
    def needs(self) -> tuple[ScoreInput, ...]:
        """The other scorers that any stage builds on."""
        return all_needs(self.stages)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with every stage's signatures and the thresholds."""
        signatures = [[column.signature for column in stage.columns] for stage in self.stages]
        thresholds: list[Json] = [list(stage.to_json()) for stage in self.accept]
        thresholds.append(None if self.humans is None else list(self.humans.to_json()))
        if self.near is not None:
            thresholds.append(self.near.to_json())
        protocol = {
            "judge": "cascade",
            "stages": ">".join(stage.name for stage in self.stages),
            "identity": content_hash([*[list(group) for group in signatures], thresholds], 16),
            "protocol": "cascade",
        }
        note = f"a cascade of {len(self.stages)}"
        if any(TOY_NOTE in column.note for stage in self.stages for column in stage.columns):
            note = f"{note}; {TOY_NOTE}"
        return rubric_columns(self.name, self.rubric, protocol, note=note)

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column, from the first stage that is sure of all criteria.

        Where an item is judged again, stages that passed it on are not asked again.
        """
        path: list[tuple[str, tuple[Result, ...]]] = []
        before = _before(ask.earlier[: len(self.rubric.criteria)])
        for place, stage in enumerate(self.stages):
            results = before.passed_on.get(stage.name)
            if results is None:
                said = before.last if stage.name == before.stage else ()
                results = await stage.judge(item, Stepped(ask, stage.name, said))
            path.append((stage.name, results))
            if _is_unasked(results) or (
                place < len(self.accept)
                and self.is_sure(results, self.accept[place])
                and not self.near_gate(results)
            ):
                break
        return self._results(path)

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The requests of all stages: the most that an item can need."""
        return planned_requests(self.stages, item, secret)

    def is_sure(self, results: Sequence[Result], thresholds: Thresholds) -> bool:
        """Whether results (in the rubric's order) are accepted."""
        return all(
            _is_sure(criterion_confidence(criterion, result), result, thresholds.of(criterion.id))
            for criterion, result in zip(self.rubric.criteria, results, strict=False)
        )

    def near_gate(self, results: Sequence[Result]) -> tuple[str, ...]:
        """The criteria whose value (in results in the rubric's order) lies too near to its pass threshold to tell."""
        if self.near is None:
            return ()
        return tuple(
            criterion.id
            for criterion, result in zip(self.rubric.criteria, results, strict=False)
            if isinstance(result, Score) and is_near(criterion.passes, result.value, self._width(criterion))
        )

    def _width(self, criterion: Criterion) -> float | None:
        band = None if self.near is None else self.near.of(criterion.id)
        return None if band is None else width_of(band, criterion.low, criterion.high)

    def _check_bands(self, near: Bands) -> None:
        """Every criterion that is named needs a pass threshold, one band for all any; else a UsageError."""
        marked = {c.id: c for c in self.rubric.criteria if c.passes is not None}
        for name in near.by_criterion:
            if name not in marked:
                raise UsageError(
                    f"{self.name}: near names {name}, which has no pass threshold in {self.rubric.name}",
                    fix=f"Known: {', '.join(marked) or 'none'}.",
                )
        if not marked:
            raise UsageError(
                f"{self.name}: no criterion of {self.rubric.name} has a pass threshold to be near to",
                fix='Give one a pass rule, e.g. `pass: ">=4"`, or leave out near.',
            )
        for criterion in marked.values():
            if near.of(criterion.id) is not None and self._width(criterion) is None:
                raise UsageError(
                    f"{self.name}: {criterion.id} has no ends, so a share of its scale is no distance",
                    fix="Write near in units of the scale.",
                )

    def _results(self, path: Sequence[tuple[str, tuple[Result, ...]]]) -> tuple[Result, ...]:
        name, last = path[-1]
        for_a_human = (
            self.humans is not None and len(path) == len(self.stages) and not self.is_sure(last, self.humans)
        )
        results: dict[str, Result] = {}
        for place, criterion in enumerate(self.rubric.criteria):
            result = last[place]
            if isinstance(result, Score | Failure):
                facts: dict[str, Json] = {**(result.extra or {}), STAGE: name}
                sure = criterion_confidence(criterion, result)
                if sure is not None:
                    facts["confidence"] = round(sure, 6)
                if for_a_human:
                    facts["warning"] = FOR_A_HUMAN
                if len(path) > 1:
                    near = self.near_gate(path[-2][1])
                    if near:
                        facts[NEAR] = list(near)
                    facts[EARLIER] = {stage: scorejson.to_json(said[place]) for stage, said in path[:-1]}
                result = replace(result, extra=facts)
            results[criterion.id] = result
        return with_overall(self.rubric, results)


@dataclass(frozen=True, slots=True)
class _Before:
    """An earlier judgement: what the stages said that passed the item on, and what the stage that did not."""

    passed_on: Mapping[str, tuple[Result, ...]]
    stage: str = ""
    last: Sequence[Result] = ()


def _before(earlier: Sequence[Result]) -> _Before:
    """Empty where a criterion does not tell: a skip keeps no facts, and then all stages are asked again."""
    extras: list[Any] = [None if isinstance(result, Skip) else result.extra for result in earlier]
    if not extras or any(extra is None or STAGE not in extra for extra in extras):
        return _Before({})
    passed = {
        stage: tuple(scorejson.from_json(extra[EARLIER][stage]) for extra in extras)
        for stage in extras[0].get(EARLIER, {})
    }
    return _Before(passed, str(extras[0][STAGE]), earlier)


_NOT_ABOUT_THE_ITEM = frozenset(
    {
        Cause.TIMEOUT,
        Cause.CONNECTION,
        Cause.RATE_LIMITED,
        Cause.SERVER_ERROR,
        Cause.PROTOCOL,
        Cause.AUTH,
        Cause.QUOTA,
        Cause.MODEL_NOT_FOUND,
        Cause.INCOMPLETE,
    }
)


def _is_unasked(results: Sequence[Result]) -> bool:
    """Whether a stage could not be asked: its provider is down, or the answer is still to come. That says nothing of
    the item, and an outage must not send everything to the dear judge."""
    own = results[:-1]  # _overall is incomplete whenever a criterion failed
    return any(isinstance(result, Failure) and result.cause in _NOT_ABOUT_THE_ITEM for result in own)


def _is_sure(sure: float | None, result: Result, threshold: float | None) -> bool:
    match result:
        case Skip(reason=reason):
            return reason is not SkipReason.CANNOT_ASSESS
        case Failure():
            return False
        case Score():
            return threshold is None or (sure is not None and sure >= threshold)
