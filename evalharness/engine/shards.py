"""Splitting a run over machines by a stable hash of the group, and putting the pieces together again.

Groups stay whole, so that intervals and pairings can be computed in any piece; the hash depends on nothing but the
group's name, so every machine splits alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from evalharness.core.canonical import Json
from evalharness.data.dialogues import Read, Rejected
from evalharness.data.ledger.store import Ledger
from evalharness.engine.plan import SHARD
from evalharness.errors import Problem, RunConflictError, UsageError

WHOLE_INPUT = "whole_input"
"""The manifest entry of a piece that tells of which input it is one; older pieces have none."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Piece ``number`` (from 1) of ``count``."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``; a :class:`UsageError` for anything else."""
        match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text.strip())
        if match is None or int(match[1]) > int(match[2]):
            raise UsageError(f"{text!r} is no shard", fix="Write e.g. 2/8: the second of eight pieces.")
        return cls(int(match[1]), int(match[2]))

    def holds(self, cluster: str) -> bool:
        """Whether a group belongs to this piece."""
        digest = blake2b(cluster.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(slots=True)
class Whole:
    """The whole input of which a piece was taken: what all pieces of one run agree on, whatever the order of rows."""

    dialogues: int = 0
    rejected: int = 0
    _sum: int = 0

    def add(self, row: Read | Rejected) -> None:
        """Count a row."""
        if isinstance(row, Rejected):
            self.rejected += 1
            return
        self.dialogues += 1
        names = f"{len(row.dialogue.id)},{row.dialogue.id}{row.dialogue.cluster}".encode(
            "utf-8", "surrogatepass"
        )
        digest = blake2b(names, digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % (1 << 128)

    def to_json(self) -> dict[str, Json]:
        """The form that the manifest keeps."""
        return {"dialogues": self.dialogues, "rejected": self.rejected, "names": f"{self._sum:032x}"}


def only_shard(
    rows: Iterable[Read | Rejected], shard: Shard | None, whole: Whole | None = None
) -> Iterator[Read | Rejected]:
    """The rows of a piece; rejected lines belong to every piece, as nobody knows their group.

    ``whole`` is told of every row.
    """
    for row in rows:
        if whole is not None:
            whole.add(row)
        if shard is None or isinstance(row, Rejected) or shard.holds(row.dialogue.cluster):
            yield row


def check_mergeable(ledgers: Sequence[tuple[str, Ledger]]) -> None:
    """Pieces that are not all of one run, or of other runs, are a :class:`RunConflictError` naming what is wrong."""
    problems: list[Problem] = []
    plans = [(name, _plan(ledger)) for name, ledger in ledgers]
    first_name, first = plans[0]
    for name, plan in plans[1:]:
        changed = sorted(k for k in {*first, *plan} - {SHARD} if first.get(k) != plan.get(k))
        if changed:
            problems.append(Problem(f"{name} differs from {first_name} in {', '.join(changed)}"))
    curves = ledgers[0][1].get("calibration") or []
    problems += [
        Problem(f"{name} differs from {first_name} in calibration")
        for name, ledger in ledgers[1:]
        if (ledger.get("calibration") or []) != curves
    ]
    input_of = ledgers[0][1].get(WHOLE_INPUT)
    problems += [
        Problem(f"{name} was made from another input than {first_name}, or with another --limit")
        for name, ledger in ledgers[1:]
        if input_of and (other := ledger.get(WHOLE_INPUT)) and other != input_of
    ]
    problems += _gaps([(name, plan.get(SHARD)) for name, plan in plans])
    problems += [
        Problem(f"{name} is incomplete ({ledger.get('partial')})", fix="Run its command again first.")
        for name, ledger in ledgers
        if ledger.get("partial")
    ]
    if problems:
        raise RunConflictError(problems)


def merge_into(target: Ledger, pieces: Sequence[Ledger]) -> None:
    """Copy dialogues, outcomes and attempts of all pieces, and a manifest as of one run, into an empty ledger."""
    for piece in pieces:
        target.absorb(piece)
    facts = [piece.get("ingested") for piece in pieces]
    plan = {k: v for k, v in _plan(pieces[0]).items() if k != SHARD}
    target.set("ingested", _merged_facts([f for f in facts if isinstance(f, dict)]))
    target.set("plan", plan)
    masked = [piece.get("redaction") for piece in pieces]
    if any(isinstance(fact, dict) for fact in masked):
        target.set("redaction", _merged_masked([fact for fact in masked if isinstance(fact, dict)]))
    for key in ("turns", "metrics", "toy_judges", "asked", "partial", "calibration"):
        target.set(key, pieces[0].get(key))
    keys = {number: key for key, number in pieces[0].scorer_keys().items()}
    own = target.scorer_keys()
    numbers = pieces[0].get("scorer_numbers")
    assert isinstance(numbers, list)
    target.set("scorer_numbers", [own[keys[int(str(number))]] for number in numbers])


def _plan(ledger: Ledger) -> dict[str, Json]:
    plan = ledger.get("plan")
    return dict(plan) if isinstance(plan, dict) else {}


def _gaps(named: Sequence[tuple[str, Json]]) -> Iterator[Problem]:
    """What is missing or doubled among the pieces."""
    found: dict[int, str] = {}
    count = 0
    for name, text in named:
        if not isinstance(text, str) or not text:
            yield Problem(f"{name} is no piece of a run (it was not made with --shard)")
            continue
        shard = Shard.parse(text)
        if count not in (0, shard.count):
            yield Problem(f"{name} is one of {shard.count} pieces, others are of {count}")
        count = count or shard.count
        if shard.number in found:
            yield Problem(f"{name} and {found[shard.number]} are both piece {shard}")
        found[shard.number] = name
    missing = [str(number) for number in range(1, count + 1) if number not in found]
    if missing:
        yield Problem(f"piece {', '.join(missing)} of {count} is missing")


def _merged_masked(facts: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """What all pieces masked together."""
    counts: dict[str, int] = {}
    for fact in facts:
        masked = fact.get("masked")
        for kind, count in masked.items() if isinstance(masked, dict) else ():
            counts[kind] = counts.get(kind, 0) + int(str(count))
    total = sum(int(str(fact.get("dialogues", 0))) for fact in facts)
    return {"dialogues": total, "masked": dict(sorted(counts.items()))}


def _merged_facts(facts: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """Counts of the input as one run would have them: every piece has seen all rejected lines."""
    notes: dict[str, int] = {}
    sources: dict[str, None] = {}
    for fact in facts:
        listed = fact.get("notes")
        for pair in listed if isinstance(listed, list) else ():
            assert isinstance(pair, list)
            notes[str(pair[0])] = notes.get(str(pair[0]), 0) + int(str(pair[1]))
        named = fact.get("sources")
        sources.update(dict.fromkeys(str(source) for source in named) if isinstance(named, list) else {})
    return {
        "dialogues": sum(int(str(fact.get("dialogues", 0))) for fact in facts),
        "rejected": max(int(str(fact.get("rejected", 0))) for fact in facts),
        "notes": [[note, notes[note]] for note in sorted(notes)],
        "sources": list(sources),
    }
