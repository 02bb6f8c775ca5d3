"""Seeded random samples of dialogues in one pass, with the probability that each was drawn.

Every dialogue gets a number from a hash of the seed and its id, and those with the least numbers are drawn: the
sample depends on the seed and the set of ids alone, not on their order, and memory holds only what may still be drawn.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from hashlib import blake2b

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue
from evalharness.data.duplicates import IdRegister
from evalharness.data.reading import Read
from evalharness.data.words import quoted
from evalharness.errors import InputError, UsageError

PROBABILITY = "sampling_probability"
"""Metadata key of a drawn dialogue: the probability with which it was drawn, in (0, 1]."""

STRATUM = "sampling_stratum"
"""Metadata key of a drawn dialogue: the value that its stratum shares; absent without strata."""

MAX_STRATA = 1000


class Allocation(StrEnum):
    """How a stratified sample is shared out: by the strata's sizes, or as evenly as they allow."""

    PROPORTIONAL = "proportional"
    EQUAL = "equal"


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum: dialogues in it and dialogues drawn from it; without stratification all are one, called ''."""

    name: str
    population: int
    drawn: int

    @property
    def probability(self) -> float:
        """The inclusion probability of each of its dialogues."""
        return self.drawn / self.population


@dataclass(frozen=True, slots=True)
class Sample:
    """The dialogues drawn, in a random order fixed by the seed, and what they were drawn from."""

    reads: tuple[Read, ...]
    strata: tuple[Stratum, ...]
    seed: int


def draw(
    reads: Iterable[Read],
    size: int,
    *,
    seed: int = 0,
    by: str | None = None,
    allocation: Allocation = Allocation.PROPORTIONAL,
) -> Sample:
    """Draw ``size`` dialogues without replacement (all of them, where there are fewer).

    ``by`` stratifies by a metadata key (or ``group``); a dialogue without it is in the stratum ``(none)``. Each
    dialogue drawn has its inclusion probability, times that of an earlier sample, in ``metadata``. Raises
    ``InputError`` for two equal ids and ``UsageError`` for a size below 1 or more than :data:`MAX_STRATA` strata.
    """
    if size < 1:
        raise UsageError(f"a sample needs at least one dialogue, not {size}")
    pools: dict[str, _Pool] = {}
    with closing(IdRegister()) as register:
        for read in reads:
            collision = register.add(read.dialogue, read.origin)
            if collision is not None:
                raise InputError(collision)
            _pool(pools, _stratum_of(read.dialogue, by), by).offer(
                read, priority(seed, read.dialogue.id), size
            )
    shares = _shares({name: pool.population for name, pool in pools.items()}, size, allocation)
    drawn = [
        (priority, _marked(read, name if by else None, Fraction(shares[name], pool.population)))
        for name, pool in pools.items()
        for priority, read in pool.least(shares[name])
    ]
    drawn.sort(key=lambda pair: (pair[0], pair[1].dialogue.id))
    strata = tuple(Stratum(name, pools[name].population, shares[name]) for name in sorted(pools))
    return Sample(tuple(read for _, read in drawn), strata, seed)


@dataclass(slots=True)
class _Pool:
    """The dialogues of a stratum with the least numbers so far, as a heap with the greatest on top."""

    population: int = 0
    heap: list[tuple[int, int, Read]] = field(default_factory=list)

    def offer(self, read: Read, priority: int, size: int) -> None:
        self.population += 1
        entry = (-priority, self.population, read)
        if len(self.heap) < size:
            heapq.heappush(self.heap, entry)
        elif entry[0] > self.heap[0][0]:
            heapq.heapreplace(self.heap, entry)

    def least(self, count: int) -> list[tuple[int, Read]]:
        """The ``count`` dialogues with the least numbers."""
        kept = heapq.nlargest(count, self.heap, key=lambda entry: entry[0])
        return [(-priority, read) for priority, _, read in kept]


def _pool(pools: dict[str, _Pool], name: str, by: str | None) -> _Pool:
    pool = pools.get(name)
    if pool is None:
        if len(pools) >= MAX_STRATA:
            raise UsageError(f"{quoted(by or '')} has more than {MAX_STRATA} values: too many for strata")
        pool = pools[name] = _Pool()
    return pool


def priority(seed: int, name: str) -> int:
    """A number from 0 up to 2**128 that orders names by chance; it depends on seed and name alone."""
    text = f"{seed}\0{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=16).digest())


def _stratum_of(dialogue: Dialogue, by: str | None) -> str:
    if by is None:
        return ""
    value = dialogue.group if by == "group" else dialogue.metadata.get(by)
    if value is None or value == "":
        return "(none)"
    if not isinstance(value, str | int | float):
        raise UsageError(f"{quoted(by)} of dialogue {quoted(dialogue.id)} is a list or an object: no stratum")
    return str(value)


def _shares(populations: Mapping[str, int], size: int, allocation: Allocation) -> dict[str, int]:
    """How many to draw from each stratum; together ``size``, or everything where there is less."""
    size = min(size, sum(populations.values()))
    if allocation is Allocation.EQUAL:
        return _even_shares(populations, size)
    return _proportional_shares(populations, size)


def _proportional_shares(populations: Mapping[str, int], size: int) -> dict[str, int]:
    """Largest remainders; a stratum too small for one of its own gets one if the size allows it."""
    total = sum(populations.values())
    exact = {name: Fraction(size * population, total) for name, population in populations.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: size - sum(shares.values())]:
        shares[name] += 1
    for name in sorted(name for name, share in shares.items() if not share):
        richest = max(shares, key=lambda other: (shares[other], other))
        if shares[richest] > 1:
            shares[richest] -= 1
            shares[name] = 1
    return shares


def _even_shares(populations: Mapping[str, int], size: int) -> dict[str, int]:
    """As even as the strata allow: one that is smaller than its fair share leaves the rest to the larger ones."""
    shares: dict[str, int] = {}
    left = size
    order = sorted(populations, key=lambda name: (populations[name], name))
    for position, name in enumerate(order):
        fair = left // (len(order) - position)
        shares[name] = min(populations[name], fair)
        left -= shares[name]
    return shares


def _marked(read: Read, stratum: str | None, probability: Fraction) -> Read:
    dialogue = read.dialogue
    earlier = dialogue.metadata.get(PROBABILITY)
    factor = earlier if isinstance(earlier, float | int) and not isinstance(earlier, bool) else 1
    marks: dict[str, Json] = {PROBABILITY: float(probability) * factor}
    if stratum is not None:
        marks[STRATUM] = stratum
    return replace(read, dialogue=replace(dialogue, metadata={**dialogue.metadata, **marks}))
