"""What the simulations of coverage share: judges and raters on turns of dialogues that are alike."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.estimate import Estimate

SCALE = [1, 2, 3, 4, 5]
SHARED = 0.3
RATERS = 3
TRUTH_ITEMS = 360_000
SEED = 20_241


@dataclass(frozen=True, slots=True)
class Design:
    """Number of dialogues, turns in each, and the size of both sides' errors."""

    groups: int
    size: int
    noise: float

    def __str__(self) -> str:
        return f"{self.groups} x {self.size}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One data set: judge (n,), humans (n, 3), dialogue, system; with a second judge and a second look where drawn."""

    judge: FloatArray
    humans: FloatArray
    groups: IntArray
    systems: IntArray
    other: FloatArray | None = None
    again: FloatArray | None = None

    @property
    def second(self) -> tuple[FloatArray, FloatArray]:
        """The second judge and the first rater's second look, of samples that were drawn with them."""
        assert self.other is not None and self.again is not None
        return self.other, self.again


DESIGNS = (Design(8, 6, 0.5), Design(20, 6, 0.5), Design(60, 6, 0.5), Design(40, 1, 0.5), Design(200, 1, 0.5))


def draw(rng: np.random.Generator, design: Design, *, second: bool = False) -> Sample:
    """Draw a sample, with a ``second`` judge and a second look of the first rater where they are wanted."""
    groups = np.repeat(np.arange(design.groups), design.size)

    truth = alike(rng, groups)
    judge = truth + 0.2 + design.noise * alike(rng, groups)
    humans = truth[:, None] + design.noise * rng.normal(size=(groups.size, RATERS))
    systems = np.tile(np.arange(design.size), design.groups)
    if not second:
        return Sample(rated(judge), rated(humans), groups, systems)
    other = truth - 0.1 + 1.4 * design.noise * alike(rng, groups)
    again = truth + design.noise * rng.normal(size=groups.size)
    return Sample(rated(judge), rated(humans), groups, systems, rated(other), rated(again))


def alike(rng: np.random.Generator, groups: IntArray) -> FloatArray:
    """Standard normal values (n,) that are alike within a group: intraclass correlation ``SHARED``."""
    shared = rng.normal(size=int(groups.max()) + 1)[groups]
    return np.asarray(np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * rng.normal(size=groups.size))


def rated(latent: FloatArray) -> FloatArray:
    return np.clip(np.round(3.2 + latent), 1, 5)


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high
