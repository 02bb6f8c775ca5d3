"""The scale of a criterion, and the place of a label on it. A value that is not on the scale is never moved there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalharness.core.scores import Column, Value
from evalharness.data.words import quoted
from evalharness.errors import UsageError
from evalharness.stats.arrays import FloatArray

_RANGE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*\.\.\s*([+-]?\d+(?:\.\d+)?)\s*")
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0"})
_WRITE = "Write RUBRIC=LABELS, e.g. 0..2=1..5; CRITERION=LABELS, e.g. tone=1..7; or any."


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``, both included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """What ``--scale`` declares: the labels' range for a rubric's range or for a criterion; ``unchecked`` for any."""

    ranges: Mapping[tuple[float, float], Range] = field(default_factory=dict)
    criteria: Mapping[str, Range] = field(default_factory=dict)
    unchecked: bool = False

    def labels_of(self, names: Sequence[str], scale: Scale) -> Range | None:
        """The declared range of the labels of a criterion, by any of its names before its range; None where they are
        on the rubric's own scale."""
        for name in names:
            if name.casefold() in self.criteria:
                return self.criteria[name.casefold()]
        if scale.low is None or scale.high is None:
            return None
        return self.ranges.get((scale.low, scale.high))

    def check_used(self, judged: Sequence[tuple[str, Scale]], labels: Sequence[str]) -> None:
        """A declaration that fits neither a judged criterion (name and scale) nor a criterion of the labels is a
        :class:`UsageError`: it would be passed over in silence."""
        known = {(scale.low, scale.high) for _, scale in judged}
        lost = [f"{Range(*ends)}={to}" for ends, to in self.ranges.items() if ends not in known]
        names = {name.casefold() for name in (*(name for name, _ in judged), *labels)}
        lost += [f"{name}={to}" for name, to in self.criteria.items() if name not in names]
        if lost:
            spans = [
                f"{name} {Range(scale.low, scale.high)}"
                for name, scale in judged
                if scale.low is not None and scale.high is not None
            ]
            have = ", ".join(dict.fromkeys(spans)) or "no judged criterion"
            raise UsageError(f"--scale {lost[0]} fits nothing in this run ({have})", fix=_WRITE)


@dataclass(frozen=True, slots=True)
class Scale:
    """What a criterion is measured on.

    ``levels`` are the declared levels, ascending, with their ``names``; none for a numeric scale. On a nominal scale a
    level is its index. ``low`` and ``high`` bound it where it has bounds. ``same`` is False where labels and scores
    are on different scales, which only rank statistics can compare.
    """

    levels: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    nominal: bool = False
    same: bool = True

    @property
    def binary(self) -> bool:
        """Whether there are two levels only."""
        return len(self.levels) == 2

    @property
    def classes(self) -> bool:
        """Whether its values are classes rather than amounts."""
        return self.nominal or self.binary

    def nearest(self, values: FloatArray) -> FloatArray:
        """The level nearest to each value, the upper one of two equally near; NaN stays."""
        levels = np.asarray(self.levels)
        above = np.clip(np.searchsorted(levels, values), 1, levels.size - 1)
        low, high = levels[above - 1], levels[above]
        rounded = np.where(values - low < high - values, low, high)
        return np.where(np.isnan(values), np.nan, rounded)

    def name(self, level: float) -> str:
        """The name of a level."""
        return self.names[self.levels.index(level)] if level in self.levels else f"{level:g}"


def scale_of(column: Column) -> Scale:
    """The scale that a column declares."""
    if column.nominal:
        return Scale(tuple(map(float, range(len(column.levels)))), column.levels, nominal=True)
    if not column.levels:
        return Scale(low=column.low, high=column.high)
    return Scale(_points(column), column.levels, column.low, column.high)


def _points(column: Column) -> tuple[float, ...]:
    """The values of the levels: their names where these are numbers, else evenly spaced."""
    numbers = [float(name) if _is_number(name) else None for name in column.levels]
    if all(number is not None for number in numbers):
        return tuple(float(number) for number in numbers if number is not None)
    low, high = column.low or 0.0, column.high if column.high is not None else len(column.levels) - 1.0
    return tuple(float(x) for x in np.linspace(low, high, len(column.levels)))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def undeclared_scale(values: Sequence[Value], declared: Range | None) -> Scale:
    """The scale of labels that no rubric asks for: yes and no are 0 and 1, other words classes, numbers amounts."""
    words = sorted({value for value in values if isinstance(value, str)})
    if words and all(word.casefold() in _YES | _NO for word in words):
        return Scale((0.0, 1.0), ("no", "yes"), 0.0, 1.0)
    if words:
        return Scale(tuple(map(float, range(len(words)))), tuple(words), nominal=True)
    if declared is None:
        return Scale()
    return Scale(low=declared.low, high=declared.high)


@dataclass(frozen=True, slots=True)
class Placing:
    """How labels come to a scale: ``declared`` is the labels' own range, ``unchecked`` takes any number."""

    scale: Scale
    declared: Range | None = None
    unchecked: bool = False

    @property
    def result(self) -> Scale:
        """The scale on which labels stand after placing."""
        if not self.unchecked:
            return self.scale
        return Scale(same=False, low=self.scale.low, high=self.scale.high)

    def place(self, value: Value) -> float | str:
        """The value on the scale, or (as text) what is wrong with it."""
        scale = self.scale
        if isinstance(value, str):
            return self._word(value)
        if self.unchecked:
            return value
        if scale.nominal:
            return self._word(f"{value:g}")
        if self.declared is not None:
            return self._moved(value)
        if scale.levels and value not in scale.levels:
            return f"{value:g} is none of {', '.join(f'{level:g}' for level in scale.levels)}"
        if (scale.low is not None and value < scale.low) or (scale.high is not None and value > scale.high):
            return f"{value:g} is not within {scale.low:g} to {scale.high:g}"
        return value

    def _word(self, word: str) -> float | str:
        scale = self.scale
        if word in scale.names:
            return scale.levels[scale.names.index(word)]
        if scale.names == ("no", "yes") and word.casefold() in _YES | _NO:
            return float(word.casefold() in _YES)
        names = ", ".join(quoted(name, 30) for name in scale.names[:8])
        return f"{quoted(word)} is none of {names}" if names else f"{quoted(word)} is no number"

    def _moved(self, value: float) -> float | str:
        scale, own = self.scale, self.declared
        assert own is not None
        if not own.low <= value <= own.high:
            return f"{value:g} is not within the declared {own}"
        if scale.low is None or scale.high is None:
            return value
        return scale.low + (value - own.low) * (scale.high - scale.low) / (own.high - own.low)


def parse_scales(entries: Sequence[str]) -> ScaleOptions:
    """What the values of ``--scale`` declare."""
    ranges: dict[tuple[float, float], Range] = {}
    criteria: dict[str, Range] = {}
    unchecked = False
    for entry in entries:
        if entry.strip() == "any":
            unchecked = True
            continue
        left, sign, right = entry.rpartition("=")
        target = _range(right)
        if not sign or not left.strip() or target is None:
            raise UsageError(f"--scale {entry!r} is no scale", fix=_WRITE)
        own = _range(left)
        if own is not None:
            ranges[own.low, own.high] = target
        else:
            criteria[left.strip().casefold()] = target
    return ScaleOptions(ranges, criteria, unchecked)


def _range(text: str) -> Range | None:
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    low, high = float(match[1]), float(match[2])
    if low >= high:
        raise UsageError(f"the range {text.strip()} is empty", fix="Write the lower end first.")
    return Range(low, high)
