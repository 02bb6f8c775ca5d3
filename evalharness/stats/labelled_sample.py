"""Judge scores of all items beside human labels of some: the data of a debiased mean, and what to doubt about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalharness.stats.arrays import FloatArray, group_codes, is_constant, paired, vector
from evalharness.stats.clustered import group_sums, mean_interval
from evalharness.stats.estimate import Estimate
from evalharness.stats.rates import wilson, wilson_clustered

CautionCode = Literal[
    "few_labels",
    "small_class",
    "few_groups",
    "constant_judge",
    "judge_gains_nothing",
    "labels_outside",
    "merged_strata",
]

FEW_LABELS = 50
SMALL_CLASS = 5
FEW_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Caution:
    """A reason to trust a debiased mean less: a stable code and a sentence."""

    code: CautionCode
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSample:
    """Judge scores of all items and labels of some.

    labels, judge: (n,) of labelled items. rest: (N,) judge scores of the others. groups, rest_groups: their clusters;
    a group may have items on both sides. scale: lowest and highest possible value; with it intervals are symmetric in
    log odds and stay on the scale.
    """

    labels: FloatArray
    judge: FloatArray
    rest: FloatArray
    groups: NDArray[np.generic] | None = None
    rest_groups: NDArray[np.generic] | None = None
    scale: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        judge: ArrayLike,
        rest: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        rest_groups: ArrayLike | None = None,
        scale: tuple[float, float] | None = None,
    ) -> LabelledSample:
        """Return the checked sample; ``ValueError`` on mismatched lengths or labels off the scale."""
        y, f = paired(labels, judge)
        others = vector(rest, "rest")
        if (groups is None) != (rest_groups is None):
            raise ValueError("groups are needed on both sides or on neither")
        if scale is not None and y.size and not (scale[0] <= y.min() and y.max() <= scale[1]):
            raise ValueError(f"a label lies outside the scale {scale[0]:g} to {scale[1]:g}")
        first = None if groups is None else np.asarray(groups)
        second = None if rest_groups is None else np.asarray(rest_groups)
        return cls(y, f, others, first, second, scale)

    @property
    def judged(self) -> FloatArray:
        """Judge scores of all items, labelled first."""
        return np.concatenate([self.judge, self.rest])

    @property
    def label_groups(self) -> int:
        """Number of groups with a label."""
        return group_codes(self.groups, self.labels.size)[1]

    @property
    def is_binary(self) -> bool:
        """Whether every label is an end of the scale."""
        return self.scale is not None and bool(np.isin(self.labels, self.scale).all())


def human_only(sample: LabelledSample, level: float) -> Estimate:
    """Return the interval of the labels alone: Wilson's for labels at the ends of the scale, else t."""
    if not sample.is_binary or sample.scale is None:
        return mean_interval(sample.labels, sample.groups, level)
    bottom, top = sample.scale
    good = (sample.labels - bottom) / (top - bottom)
    if sample.groups is None:
        rate = wilson(int(good.sum()), good.size, level)
    else:
        rate = wilson_clustered(good, sample.groups, level)
    if rate.value is None or rate.low is None or rate.high is None:
        return rate
    low, value, high = (bottom + (top - bottom) * x for x in (rate.low, rate.value, rate.high))
    se = None if rate.se is None else rate.se * (top - bottom)
    return Estimate(value, se, low, high, level, rate.method, rate.n, rate.groups, None)


def clustered_error(
    sample: LabelledSample,
    labelled: FloatArray,
    rest: FloatArray,
    *,
    lost: int = 1,
    corrected: bool = False,
) -> float | None:
    """Return the standard error of sum(labelled) + sum(rest) of influence values; ``None`` if it can't be told.

    lost: strata, that is means taken out of the labels. corrected: whether influences carry that correction already.
    """
    if sample.groups is None or sample.rest_groups is None:
        n, others = labelled.size, rest.size
        if n <= lost:
            return None
        first = 1.0 if corrected else n / (n - 1)
        second = others / (others - 1) if others > 1 and not corrected else 1.0
        return math.sqrt(first * float(labelled @ labelled) + second * float(rest @ rest))
    owners = sample.label_groups
    if owners < 2:
        return None
    codes, count = group_codes(np.concatenate([sample.groups, sample.rest_groups]), labelled.size + rest.size)
    sums = group_sums(np.concatenate([labelled, rest]), codes, count)
    return math.sqrt(owners / (owners - 1) * float(sums @ sums))


def cautions(sample: LabelledSample, gain: float | None) -> Iterator[Caution]:
    """Yield what makes a debiased mean doubtful; gain: the labels alone that would be as precise."""
    n = sample.labels.size
    if n < FEW_LABELS:
        yield Caution(
            "few_labels", f"{n} labels: below {FEW_LABELS} the interval is too narrow more often than stated"
        )
    if sample.groups is not None and sample.label_groups < FEW_GROUPS:
        yield Caution("few_groups", f"labels come from {sample.label_groups} groups only")
    if sample.is_binary and sample.scale is not None:
        smaller = int(min(np.sum(sample.labels == end) for end in sample.scale))
        if smaller < SMALL_CLASS:
            yield Caution("small_class", f"{smaller} labels in the smaller class: its rate is hardly known")
    if is_constant(sample.judged):
        yield Caution("constant_judge", "the judge gives every item the same score and adds nothing")
    elif gain is not None and gain < n:
        yield Caution(
            "judge_gains_nothing", "the judge adds more noise than it removes: read the labels alone"
        )
    if sample.rest.size and (
        sample.rest.min() < sample.judge.min() or sample.rest.max() > sample.judge.max()
    ):
        yield Caution("labels_outside", "some judge scores lie outside the range of the labelled items")
