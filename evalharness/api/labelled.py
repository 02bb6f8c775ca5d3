"""Mean human labels of the items of a run, for gates and anchors."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from evalharness.analysis.agreement.joining import WHOLE, JoinOptions, join_labels
from evalharness.core.snapshot import Snapshot
from evalharness.data.labels.raw import RawLabel
from evalharness.data.labels.read import LabelSet
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, Problem

ItemName: TypeAlias = tuple[str, int | None]
"""A dialogue and a turn of it, None for all of it."""

_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_REPLY = re.compile(r"reply\s+(\d+)$")


def label_means(ledger: Ledger, labels: LabelSet) -> dict[str, dict[ItemName, float]]:
    """The mean over raters' first looks, by criterion (in lower case) and item.

    Labels of dialogues that the run does not have are left out. A label that is no number, and no yes or no, is an
    ``InputError``.
    """
    own = [label for label in labels.labels if ledger.dialogue_named(label.dialogue) is not None]
    dialogues = [stored.load() for block in ledger.dialogue_blocks(500) for stored in block]
    joined = join_labels(dialogues, own, (), JoinOptions())
    return _means(
        ((placed.item.dialogue, None if placed.item.turn == WHOLE else placed.item.turn), placed.label)
        for placed in joined.labels
    )


def label_means_by_names(snapshot: Snapshot, labels: LabelSet) -> dict[str, dict[ItemName, float]]:
    """The same for a baseline file, which holds no messages: turns must be named by index or as ``reply N``."""
    turns = {
        (snapshot.subjects[mark.subject].id, mark.reply): mark.turn
        for series in snapshot.series
        for mark in series.marks
    }
    ids = {subject.id for subject in snapshot.subjects}
    return _means((_named(label, turns), label) for label in labels.labels if label.dialogue in ids)


def of_criterion(means: Mapping[str, dict[ItemName, float]], criterion: str) -> dict[ItemName, float]:
    """The labels of a criterion, upper and lower case alike."""
    return means.get(criterion.casefold(), {})


def _named(label: RawLabel, turns: Mapping[tuple[str, int | None], int | None]) -> ItemName:
    turn = label.turn
    if turn is None or isinstance(turn, int):
        return label.dialogue, turn
    reply = _REPLY.match(turn.strip().casefold())
    if reply is None or (label.dialogue, int(reply[1])) not in turns:
        raise InputError(
            Problem(f"the baseline file has no turn {turn!r} of {label.dialogue!r}", label.source, label.line)
        )
    return label.dialogue, turns[label.dialogue, int(reply[1])]


def _means(rows: Iterable[tuple[ItemName, RawLabel]]) -> dict[str, dict[ItemName, float]]:
    values: dict[str, dict[ItemName, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item, label in rows:
        if label.repeat == 0:
            values[label.criterion.casefold()][item].append(_number(label))
    return {
        criterion: {item: math.fsum(found) / len(found) for item, found in items.items()}
        for criterion, items in values.items()
    }


def _number(label: RawLabel) -> float:
    value = label.value
    if not isinstance(value, str):
        return value
    known = _WORDS.get(value.casefold())
    if known is None:
        raise InputError(
            Problem(f"a label on {label.criterion!r} is {value!r}, no number", label.source, label.line)
        )
    return known
