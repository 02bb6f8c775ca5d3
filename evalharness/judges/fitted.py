"""A judge learned from labels: free, instant, no model to call. It belongs beside every LLM judge as what to beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from evalharness.core.canonical import content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.features import item_features
from evalharness.core.fitted import FittedModel
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.core.scores import Column, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.judges.columns import rubric_columns, with_overall
from evalharness.judges.interface import Ask
from evalharness.judges.needs import nothing_to_judge
from evalharness.llm.client import Client


@dataclass(frozen=True)
class Fitted:
    """A linear model per criterion over features of the reply; implements ``interface.Judge``.

    A criterion of the rubric that the model was not fitted for is skipped with that reason. ``extra`` of each score
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
    def clients(self) -> tuple[Client, ...]:
        """None: nothing is asked."""
        return ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with the model's hash."""
        return rubric_columns(
            self.name, self.rubric, {"judge": "fitted", "model": content_hash(self.model.to_json(), 16)}
        )

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:  # noqa: ARG002 - nothing is asked
        """One result per column, computed from the item alone."""
        skip = nothing_to_judge(item)
        features = () if skip is not None else item_features(item, self.model.features)
        results = {c.id: skip or self._result(c, features) for c in self.rubric.criteria}
        return with_overall(self.rubric, results)

    def _result(self, criterion: Criterion, features: tuple[float, ...]) -> Result:
        key = self._key(criterion)
        if key is None:
            return Skip(SkipReason.CANNOT_ASSESS, f"the fitted judge knows nothing of {criterion.id}")
        model = self.model.criteria[key]
        value = model.predict(features)
        low, high = criterion.low, criterion.high
        value = value if low is None else max(low, value)
        value = value if high is None else min(high, value)
        outside = model.outside(features, self.model.features)
        return Score(value, extra={"outside_training": list(outside)} if outside else None)

    def _key(self, criterion: Criterion) -> str | None:
        if criterion.scale is Scale.NOMINAL:
            return None
        wanted = criterion.id.casefold()
        return next((key for key in self.model.criteria if key.casefold() == wanted), None)
