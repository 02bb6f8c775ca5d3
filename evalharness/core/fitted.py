"""A fitted judge as plain data: per criterion a linear model over named features. No pickle, nothing to execute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from evalharness.core.canonical import Json
from evalharness.core.features import FEATURES, FEATURES_VERSION

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FittedCriterion:
    """prediction = intercept + sum of weight * (feature - centre) / scale, cut to ``bottom`` … ``top``.

    ``low`` and ``high`` are the range of each feature in training.
    """

    intercept: float
    weights: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    bottom: float
    top: float
    n: int

    def predict(self, features: Sequence[float]) -> float:
        """The value for an item's features."""
        parts = zip(features, self.weights, self.centre, self.scale, strict=True)
        value = self.intercept + math.fsum(w * (x - c) / s for x, w, c, s in parts)
        return min(self.top, max(self.bottom, value))

    def only(self, places: Sequence[int]) -> FittedCriterion:
        """The same model of some of its features, the others having no weight."""

        def some(vector: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(vector[i] for i in places)

        return replace(
            self, weights=some(self.weights), centre=some(self.centre), scale=some(self.scale),
            low=some(self.low), high=some(self.high),
        )  # fmt: skip

    def outside(self, features: Sequence[float], names: Sequence[str]) -> tuple[str, ...]:
        """The features that lie outside the range of training, where the value is an extrapolation."""
        ranges = zip(features, self.low, self.high, names, strict=True)
        return tuple(name for x, low, high, name in ranges if not low <= x <= high)


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """Another scorer's value of the same item as a feature; ``signature`` names what made the values of the fit."""

    scorer: str
    rubric: str
    criterion: str
    signature: str

    @property
    def name(self) -> str:
        """What the feature is called."""
        return f"{self.scorer}: {self.criterion}" if self.rubric else self.scorer


@dataclass(frozen=True, slots=True)
class FittedModel:
    """The models of a rubric's or label file's criteria over the same features, then values of other scorers."""

    features: tuple[str, ...]
    criteria: Mapping[str, FittedCriterion]
    unit: str
    scores: tuple[ScoreInput, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all features, other scorers' values last."""
        return (*self.features, *(score.name for score in self.scores))

    def without_idle(self) -> FittedModel:
        """The same model without features that have no weight in any criterion."""
        width = len(self.inputs)
        used = [i for i in range(width) if any(c.weights[i] != 0.0 for c in self.criteria.values())]
        own = len(self.features)
        return FittedModel(
            tuple(self.features[i] for i in used if i < own),
            {name: criterion.only(used) for name, criterion in self.criteria.items()},
            self.unit,
            tuple(self.scores[i - own] for i in used if i >= own),
        )

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values; facts about the fit may be added beside them."""
        return {
            "format": FORMAT,
            "features_version": FEATURES_VERSION,
            "unit": self.unit,
            "features": list(self.features),
            "scores": [asdict(score) for score in self.scores],
            "criteria": {name: _criterion_json(model) for name, model in self.criteria.items()},
        }


_VECTORS = ("weights", "centre", "scale", "low", "high")
_NUMBERS = ("intercept", "bottom", "top")
_INPUT = ("scorer", "rubric", "criterion", "signature")


def model_from_json(document: Json) -> FittedModel:
    """The model that :meth:`FittedModel.to_json` wrote; a ``ValueError`` says what is wrong."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"this is no fitted judge of format {FORMAT}")
    if document.get("features_version") != FEATURES_VERSION:
        raise ValueError("it was fitted on features of another version: fit it again")
    names, criteria, unit = document.get("features"), document.get("criteria"), document.get("unit")
    if not isinstance(names, list) or not isinstance(criteria, dict) or unit not in ("turn", "dialogue"):
        raise ValueError("features, criteria or unit are missing")
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise ValueError(f"it uses the unknown feature {unknown[0]!r}")
    scores = _scores(document.get("scores", []))
    width = len(names) + len(scores)
    models = {str(key): _criterion(key, value, width) for key, value in criteria.items()}
    return FittedModel(tuple(str(name) for name in names), models, str(unit), scores)


def _scores(value: Json) -> tuple[ScoreInput, ...]:
    if not isinstance(value, list):
        raise ValueError("scores are no list")
    found = []
    for row in value:
        parts = [row.get(name) if isinstance(row, dict) else None for name in _INPUT]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("a score does not name scorer, rubric, criterion and signature")
        found.append(ScoreInput(*map(str, parts)))
    return tuple(found)


def _criterion(key: str, value: Json, width: int) -> FittedCriterion:
    if not isinstance(value, dict):
        raise ValueError(f"the model of {key!r} is no object")
    vectors = {name: _vector(value.get(name), width, f"{key}: {name}") for name in _VECTORS}
    numbers = {name: _number(value.get(name), f"{key}: {name}") for name in _NUMBERS}
    if any(size == 0 for size in vectors["scale"]):
        raise ValueError(f"{key}: a scale is 0")
    return FittedCriterion(**vectors, **numbers, n=int(_number(value.get("n"), f"{key}: n")))  # type: ignore[arg-type]


def _criterion_json(model: FittedCriterion) -> dict[str, Json]:
    vectors: dict[str, Json] = {name: list(getattr(model, name)) for name in _VECTORS}
    numbers: dict[str, Json] = {name: getattr(model, name) for name in (*_NUMBERS, "n")}
    return {**numbers, **vectors}


def _vector(value: Json, width: int, what: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != width:
        raise ValueError(f"{what} needs {width} numbers")
    return tuple(_number(part, what) for part in value)


def _number(value: Json, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} must be a number")
    return float(value)
