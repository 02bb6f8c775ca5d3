"""Exact probabilities of labels that are one or several tokens long: a walk down the tree of their tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Tokens: TypeAlias = tuple[int, ...]
Distribution: TypeAlias = Callable[[Tokens, Sequence[int]], Mapping[int, float]]
"""Probabilities (sum 1) of the candidate tokens after a beginning of the answer."""


def label_forms(labels: Sequence[str]) -> dict[str, str]:
    """The ways in which each label may be written, leading to it: as it stands, and capitalised.

    A form that would serve two labels serves neither, unless it is a label itself.
    """
    forms = {label: label for label in labels}
    for label in labels:
        capital = label[:1].upper() + label[1:]
        if capital in forms:
            continue
        if sum(capital == other[:1].upper() + other[1:] for other in labels) == 1:
            forms[capital] = label
    return forms


def spread(paths: Mapping[Tokens, str], end: int, distribution: Distribution) -> dict[str, float]:
    """The probability of each label, given the token paths that spell them; they sum to 1.

    ``end`` is the token that ends an answer: it tells ``1`` from the beginning of ``10``. Asks for one distribution per
    place where paths part.
    """
    totals = dict.fromkeys(paths.values(), 0.0)
    for label, share in _walk(_Place((), 1.0, dict(paths)), end, distribution):
        totals[label] += share
    return totals


@dataclass(frozen=True, slots=True)
class _Place:
    """A beginning of the answer, its probability, and what may follow: rests of paths with their labels."""

    begun: Tokens
    weight: float
    rests: Mapping[Tokens, str]


def _walk(place: _Place, end: int, distribution: Distribution) -> Iterator[tuple[str, float]]:
    labels = set(place.rests.values())
    if len(labels) == 1:
        yield labels.pop(), place.weight
        return
    following: dict[int, dict[Tokens, str]] = defaultdict(dict)
    for rest, label in place.rests.items():
        following[rest[0] if rest else end][rest[1:]] = label
    shares = distribution(place.begun, tuple(following))
    for token, rests in following.items():
        deeper = _Place((*place.begun, token), place.weight * shares[token], rests)
        yield from _walk(deeper, end, distribution)
