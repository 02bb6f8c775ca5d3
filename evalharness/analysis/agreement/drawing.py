"""How the labelled items had been drawn, and which figures are weighted for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.analysis.agreement.types import LEAVE_ONE_OUT
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import Grouping
from evalharness.stats.catalogue import PAIR_STATISTICS
from evalharness.stats.weighting import copies_of, effective_size

SHARES_OF_PAIRS = frozenset({"pairwise_accuracy", "tau_23"})
"""Statistics in which a pair of items counts as often as the product of both; copies of one item are no pair."""
REPEATABLE = frozenset(
    {
        "balanced_accuracy",
        "bland_altman_bias",
        "bland_altman_lower",
        "bland_altman_upper",
        "bland_altman_proportional_bias",
        "bland_altman_sd_ratio",
        "exact",
        "within_one",
    }
)
BY_REPEATING = frozenset(PAIR_STATISTICS) - SHARES_OF_PAIRS
"""Statistics of two sides that are weighted by repeating items, raters among themselves too."""
WEIGHTED = BY_REPEATING | SHARES_OF_PAIRS | REPEATABLE
"""Statistics with a weighted form. The others see the drawn items alone: tests, and calibrated ties."""
_OF_CLASSES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """``chances`` (n,) with which the labelled items of a criterion had been drawn, NaN where the labels don't say;
    ``use`` whether figures are to be weighted by them."""

    chances: FloatArray
    use: bool = True

    @property
    def unstated(self) -> int:
        """How many labelled items state no probability."""
        return int(np.isnan(self.chances).sum())

    @property
    def unequal(self) -> bool:
        """Whether some items were likelier to be drawn than others."""
        stated = self.chances[~np.isnan(self.chances)]
        return bool(stated.size and not np.allclose(stated, stated[0], rtol=1e-9, atol=0.0))

    @property
    def weighs(self) -> bool:
        """Whether figures are weighted."""
        return self.use and self.unequal and not self.unstated

    @property
    def copies(self) -> IntArray | None:
        """How often each item counts; None where all count alike."""
        return copies_of(self.chances) if self.weighs else None

    def of(self, name: str, grouping: str, *, among: bool = False) -> bool | None:
        """Whether a figure is weighted, ``among`` raters or not; None where nothing calls for weights."""
        if not self.unequal:
            return None
        base, _, other = name.partition("_minus:")
        base, _, of_class = base.partition(":")
        among = among or base.endswith("_leave_one_out") or other == LEAVE_ONE_OUT
        known = BY_REPEATING if among else WEIGHTED
        has_form = base.removesuffix("_leave_one_out") in known or (bool(of_class) and base in _OF_CLASSES)
        return self.weighs and has_form and grouping == Grouping.POOLED.value

    def notes(self, criterion: str) -> Iterator[str]:
        """What readers have to know about the draw, in sentences."""
        if not self.unequal:
            return
        stated = self.chances[~np.isnan(self.chances)]
        head = (
            f"{criterion}: the labelled items were not drawn at random (probabilities from {stated.min():.2g} to "
            f"{stated.max():.2g})"
        )
        copies = self.copies
        if copies is not None:
            yield (
                f"{head}. Figures over all items are weighted by 1 / probability and tell as much as about "
                f"{effective_size(copies):.0f} items drawn at random; the others (tests, by group or system, "
                "tie-calibrated accuracy, the alternative annotator test) are of the labelled items alone."
            )
        elif self.use:
            yield (
                f"{head}, and {self.unstated:,} of {self.chances.size:,} state no probability: nothing is weighted, "
                "and every figure is of the labelled items, not of the run."
            )
        else:
            yield f"{head} and weights were not wanted: every figure is of the labelled items, not of the run."


def notes_of(drawings: Sequence[tuple[str, Drawing]]) -> list[str]:
    """The notes of all criteria, alike ones once."""
    by_text: dict[str, list[str]] = {}
    for criterion, drawing in drawings:
        for note in drawing.notes(criterion):
            by_text.setdefault(note.removeprefix(f"{criterion}: "), []).append(criterion)
    return [f"{', '.join(names)}: {text}" for text, names in by_text.items()]
