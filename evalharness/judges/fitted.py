"""A judge learned from labels: free, instant, no model to call. It belongs beside every LLM judge as what to beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from evalharness.core.canonical import content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.features import item_features
from evalharness.core.fitted import FittedModel, ScoreInput
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.judges.columns import rubric_columns, with_overall
from evalharness.judges.interface import Ask
from evalharness.judges.needs import nothing_to_judge
from evalharness.llm.client import Client

OUTSIDE = "outside_training"
"""Under this name the facts of a score hold the features that lie outside the range of training."""


@dataclass(frozen=True)
class Fitted:
    """A linear model per criterion over features of the reply and values of other scorers.

    Implements ``interface.Judge`` and, where it builds on other scorers, ``interface.Stacked``.

    A criterion of the rubric that the model was not fitted for is skipped with that reason. An item that a scorer has
    no value for, on which the model builds, fails or is skipped as that scorer's own item was. ``extra`` of each score
    names the features that lie outside the range of training.
    """

    name: str
    rubric: Rubric
    model: FittedModel = field(repr=False)

    def __post_init__(self) -> None:
        if self.rubric.unit.value != self.model.unit:
            raise UsageError(
                f"{self.name} was fitted to {self.model.unit}s, {self.rubric.name} judges {self.rubric.unit.value}s"
            )
        if not any(self._key(criterion) for criterion in self.rubric.criteria):
            raise UsageError(
                f"{self.name} was fitted for {', '.join(sorted(self.model.criteria))}; "
                f"{self.rubric.name} asks none of it"
            )

    @property
    def unit(self) -> Unit:
        """The unit of the rubric."""
        return self.rubric.unit

    @property
    def needs(self) -> tuple[ScoreInput, ...]:
        """The scorers whose values are features."""
        return self.model.scores

    @property
    def clients(self) -> tuple[Client, ...]:
        """None: nothing is asked."""
        return ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with the model's hash."""
        return rubric_columns(
            self.name, self.rubric, {"judge": "fitted", "model": content_hash(self.model.to_json(), 16)}
        )

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column, computed from the item and what other scorers said about it; no model is asked."""
        values, lacking = self._values(ask)
        lacking = nothing_to_judge(item) or lacking
        features = () if lacking is not None else (*item_features(item, self.model.features), *values)
        results = {c.id: self._result(c, features, lacking) for c in self.rubric.criteria}
        return with_overall(self.rubric, results)

    def _values(self, ask: Ask) -> tuple[tuple[float, ...], Failure | Skip | None]:
        """The values of the other scorers, or why there are none."""
        values = []
        for need in self.model.scores:
            found = ask.result(need.scorer, need.rubric, need.criterion)
            match found:
                case Score(value=float() | int() as value):
                    values.append(float(value))
                case Failure(cause=cause):
                    return (), Failure(cause, f"it builds on {need.name}, which failed")
                case Skip(reason=reason):
                    return (), Skip(reason, f"it builds on {need.name}, which was skipped")
                case _:
                    return (), Failure(Cause.INCOMPLETE, f"it builds on {need.name}, which has no value")
        return tuple(values), None

    def _result(
        self, criterion: Criterion, features: tuple[float, ...], lacking: Failure | Skip | None
    ) -> Result:
        key = self._key(criterion)
        if key is None:
            return Skip(SkipReason.CANNOT_ASSESS, f"the fitted judge knows nothing of {criterion.id}")
        if lacking is not None:
            return lacking
        model = self.model.criteria[key]
        value = model.predict(features)
        low, high = criterion.low, criterion.high
        value = value if low is None else max(low, value)
        value = value if high is None else min(high, value)
        outside = model.outside(features, self.model.inputs)
        return Score(value, extra={OUTSIDE: list(outside)} if outside else None)

    def _key(self, criterion: Criterion) -> str | None:
        if criterion.scale is Scale.NOMINAL:
            return None
        wanted = criterion.id.casefold()
        return next((key for key in self.model.criteria if key.casefold() == wanted), None)
