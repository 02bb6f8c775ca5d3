"""Anchors: frozen items with the verdicts that a judge once gave, and human labels, to check the judge against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalharness.core.dialogue import Dialogue
from evalharness.core.scores import Column


@dataclass(frozen=True, slots=True)
class Anchor:
    """One item. ``verdicts`` are by position of the column; ``labels`` are mean human labels by criterion.

    ``turn`` is None for a whole dialogue.
    """

    dialogue: Dialogue
    turn: int | None
    verdicts: Mapping[int, float]
    labels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Anchors:
    """A whole set: the run it was taken from, the columns of its verdicts, its items, and a hash of all of it."""

    run: str
    created: str
    columns: tuple[Column, ...]
    items: tuple[Anchor, ...]
    digest: str = ""
