"""What the verdicts of all items say of a panel's members: weights by agreement, or the model of Dawid and Skene."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalharness.core.canonical import Json
from evalharness.stats.dawid_skene import fit_dawid_skene
from evalharness.stats.member_weights import agreement_weights
from evalharness.stats.unfitted import Unfitted


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of ``items`` items on one criterion: each member's weight, or the classes' prevalence and each member's confusion
    (member → true class → said class) and expected share of right verdicts. ``note`` says why there is neither."""

    items: int
    weights: Mapping[str, float] = field(default_factory=dict)
    prevalence: Sequence[float] = ()
    confusion: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def facts(self) -> dict[str, Json]:
        """What a score states of it."""
        facts: dict[str, Json] = {"learned_from": self.items}
        if self.weights:
            facts["weights"] = {name: round(weight, 6) for name, weight in self.weights.items()}
        if self.accuracy:
            facts["accuracy"] = {name: round(share, 6) for name, share in self.accuracy.items()}
        if self.note:
            facts["note"] = self.note
        return facts

    def weights_of(self, members: Iterable[str]) -> dict[str, float]:
        """The weights of the members that have a verdict; alike where none of them has any."""
        found = {name: self.weights.get(name, 0.0) for name in members}
        return found if math.fsum(found.values()) > 0 else dict.fromkeys(found, 1.0)

    def posterior(self, labels: Sequence[str], said: Mapping[str, str]) -> dict[str, float]:
        """The probability of each class given what the members said (eq. 2.5 of Dawid & Skene 1979); without a fitted
        model the shares of votes."""
        if not self.prevalence:
            return {label: sum(said[name] == label for name in said) / len(said) for label in labels}
        logs = [math.log(max(p, 1e-300)) for p in self.prevalence]
        for name, label in said.items():
            column = labels.index(label)
            for place in range(len(labels)):
                logs[place] += math.log(max(self.confusion[name][place][column], 1e-300))
        top = max(logs)
        weights = [math.exp(log - top) for log in logs]
        total = math.fsum(weights)
        return {label: weight / total for label, weight in zip(labels, weights, strict=True)}


def by_agreement(
    members: Sequence[str], rows: Sequence[Sequence[float | None]], classes: int | None
) -> Opinion:
    """Weights from the verdicts (items × members, None where missing): numbers, or codes of ``classes`` labels."""
    table = np.array(
        [[math.nan if value is None else value for value in row] for row in rows], dtype=np.float64
    )
    weights = agreement_weights(table, None if classes is None else np.arange(classes)) if rows else None
    if weights is None:
        return Opinion(len(rows), note="the members agree no better than by chance: they count alike")
    return Opinion(len(rows), dict(zip(members, weights.tolist(), strict=True)))


def by_dawid_skene(members: Sequence[str], rows: Sequence[Sequence[float | None]], classes: int) -> Opinion:
    """The model fitted to the verdicts (items × members, codes of ``classes`` levels, None where missing)."""
    votes = [
        (item, member, int(code))
        for item, row in enumerate(row for row in rows if any(code is not None for code in row))
        for member, code in enumerate(row)
        if code is not None
    ]
    spoken = sorted({member for _, member, _ in votes})
    items = [item for item, _, _ in votes]
    raters = [spoken.index(member) for _, member, _ in votes]
    fitted = fit_dawid_skene(items, raters, [code for _, _, code in votes], classes=classes)
    if isinstance(fitted, Unfitted):
        return Opinion(len(rows), note=f"Dawid-Skene {fitted.reason}: votes are counted")
    names = [members[place] for place in spoken]
    return Opinion(
        len(rows),
        prevalence=fitted.prevalence.tolist(),
        confusion=dict(zip(names, fitted.confusion.tolist(), strict=True)),
        accuracy=dict(zip(names, fitted.accuracy.tolist(), strict=True)),
        note="" if fitted.converged else "the model did not converge",
    )
