"""Labels: ratings by humans or other trusted sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalharness.core.canonical import Json
from evalharness.core.scores import Value


@dataclass(frozen=True, slots=True)
class Label:
    """One rating of one item on one criterion by one rater.

    ``turn`` is an index into ``messages``, None for the whole dialogue. ``repeat`` marks the same rater's second look
    (0 is the first). ``source`` and ``line`` say where it was read.
    """

    dialogue: str
    turn: int | None
    criterion: str
    rater: str
    value: Value
    repeat: int = 0
    comment: str = ""
    source: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class PairLabel:
    """One preference between two dialogues (or two replies); ``value`` is ``a``, ``b`` or ``tie``."""

    dialogue_a: str
    dialogue_b: str
    criterion: str
    rater: str
    value: str
    turn: int | None = None
    turn_b: int | None = None
    comment: str = ""
    source: str = ""
    line: int = 0
    metadata: Mapping[str, Json] = field(default_factory=dict)
