"""Bringing dialogues and their outcomes together in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evalharness.data.ledger.store import OutcomeRow, StoredDialogue


@dataclass(frozen=True, slots=True)
class Joined:
    """A dialogue with all its outcomes, by turn (whole dialogue first) and scorer."""

    stored: StoredDialogue
    rows: tuple[OutcomeRow, ...]


def join(dialogues: Iterable[StoredDialogue], outcomes: Iterable[OutcomeRow]) -> Iterator[Joined]:
    """Every dialogue with its outcomes; both must come in the same order of dialogues.

    An outcome whose dialogue does not come (or came earlier) is a ``ValueError``: nothing is dropped in silence.
    """
    rows = iter(outcomes)
    waiting = next(rows, None)
    for stored in dialogues:
        own: list[OutcomeRow] = []
        while waiting is not None and waiting.seq == stored.seq:
            own.append(waiting)
            waiting = next(rows, None)
        yield Joined(stored, tuple(own))
    if waiting is not None:
        raise ValueError(f"outcomes of dialogue {waiting.dialogue!r} don't follow the order of the dialogues")
