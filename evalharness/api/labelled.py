"""Mean human labels of the items of a run, for gates and anchors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from evalharness.analysis.agreement.joining import WHOLE, JoinOptions, PlacedLabel, join_labels
from evalharness.data.labels.raw import RawLabel
from evalharness.data.labels.read import LabelSet
from evalharness.data.ledger.store import Ledger
from evalharness.errors import InputError, Problem

ItemName: TypeAlias = tuple[str, int | None]
"""A dialogue and a turn of it, None for all of it."""

_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def label_means(ledger: Ledger, labels: LabelSet) -> dict[str, dict[ItemName, float]]:
    """The mean over raters' first looks, by criterion (in lower case) and item. Labels of other runs' dialogues are not
    looked at; see :func:`check_known`. A label that is no number and no yes or no is an ``InputError``."""
    own = [label for label in labels.labels if ledger.dialogue_named(label.dialogue) is not None]
    dialogues = [stored.load() for block in ledger.dialogue_blocks(500) for stored in block]
    joined = join_labels(dialogues, own, (), JoinOptions())
    values: dict[str, dict[ItemName, list[float]]] = defaultdict(lambda: defaultdict(list))
    for placed in joined.labels:
        if placed.label.repeat == 0:
            item = (placed.item.dialogue, None if placed.item.turn == WHOLE else placed.item.turn)
            values[placed.label.criterion.casefold()][item].append(_number(placed))
    return {
        criterion: {item: math.fsum(found) / len(found) for item, found in items.items()}
        for criterion, items in values.items()
    }


def check_known(labels: LabelSet, ledgers: Sequence[Ledger]) -> None:
    """Raise ``InputError`` for labels of a dialogue that none of the runs has."""
    unknown: list[RawLabel] = [
        label
        for label in labels.labels
        if all(ledger.dialogue_named(label.dialogue) is None for ledger in ledgers)
    ]
    if unknown:
        first = unknown[0]
        message = (
            f"{len(unknown)} labels are about dialogues that no run has, the first about {first.dialogue!r}"
        )
        raise InputError(Problem(message, first.source, first.line))


def of_criterion(means: Mapping[str, dict[ItemName, float]], criterion: str) -> dict[ItemName, float]:
    """The labels of a criterion, upper and lower case alike."""
    return means.get(criterion.casefold(), {})


def _number(placed: PlacedLabel) -> float:
    value = placed.label.value
    if isinstance(value, str):
        known = _WORDS.get(value.casefold())
        if known is None:
            label = replace(placed.label)
            raise InputError(
                Problem(f"a label on {label.criterion!r} is {value!r}, no number", label.source, label.line)
            )
        return known
    return value
