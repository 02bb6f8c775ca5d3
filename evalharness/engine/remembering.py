"""Outcomes that a judge had already read from cached verdicts, for the same dialogue in another run.

A run over dialogues that were judged before needs no prompts, hashes and parsing then: one look by dialogue tells what
the judge said. The key of a look is a hash of all that the verdicts' own keys depend on (the judge's signatures, its
models' identities, the dialogue, the turns that are scored, the epoch) and of the code that read them, so whatever
changes leads back to the replies themselves. Nothing here is needed for a right result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice

from evalharness.core.canonical import content_hash
from evalharness.data.cache import VerdictCache
from evalharness.data.cached_outcomes import CachedOutcome
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Desk
from evalharness.engine.plan import RunPlan, needs_of, scorer_key
from evalharness.judges.interface import Judge

_READERS = ("core", "judges", "llm")
"""The parts of this package that make an outcome of replies."""

_HELD = 256
_BLOCK = 500


@dataclass(slots=True)
class Memory:
    """What the verdict cache remembers of one judge, whose outcomes stand in the ledger as those of ``scorer``."""

    ledger: Ledger
    cache: VerdictCache
    judge: bytes
    _held: list[tuple[int, CachedOutcome]] = field(default_factory=list)

    def note(self, ref: ItemRef, body: str, models: Sequence[str], replies: int) -> None:
        """Remember an outcome all of whose replies are in the verdict cache."""
        self.hold(ref, body, models, replies)
        if len(self._held) >= _HELD:
            self.flush()

    def hold(self, ref: ItemRef, body: str, models: Sequence[str], replies: int) -> None:
        """The same while the cache is closed; :meth:`flush` is for the caller."""
        self._held.append((ref.seq, CachedOutcome(ref.turn, body, tuple(models), replies)))

    def flush(self) -> None:
        """Store what was noted."""
        while self._held:
            part, self._held = self._held[:_HELD], self._held[_HELD:]
            hashes = self.ledger.dialogue_hashes({seq for seq, _ in part})
            self.cache.outcomes.put([(self._key(hashes[seq]), found) for seq, found in part if seq in hashes])

    def recall(self, scorer: int, answering: Answering, stopped: Callable[[], bool]) -> tuple[int, int]:
        """Commit what is remembered of the ledger's dialogues; how many items, and from how many replies."""
        items = replies = 0
        known = self._known(scorer, answering)
        while not stopped() and (block := list(islice(known, _BLOCK))):
            with self.ledger.transaction():
                self.ledger.put_encoded(scorer, [(seq, found.turn, found.body) for seq, found in block])
            items += len(block)
            replies += sum(found.replies for _, found in block)
        return items, replies

    def _known(self, scorer: int, answering: Answering) -> Iterator[tuple[int, CachedOutcome]]:
        for hashes in self.ledger.hash_blocks(_BLOCK):
            done = self.ledger.done(scorer, hashes[0][0], hashes[-1][0])
            keys = [(seq, self._key(stored)) for seq, stored in hashes]
            known = self.cache.outcomes.of([key for _, key in keys])
            for seq, key in keys:
                for found in known.get(key, ()):
                    if (not done or ItemRef(seq, found.turn) not in done) and not _another(
                        answering, scorer, found
                    ):
                        yield seq, found

    def _key(self, stored: str) -> bytes:
        return sha256(self.judge + stored.encode()).digest()


def _another(answering: Answering, scorer: int, found: CachedOutcome) -> bool:
    """Whether a reply came from a model that may not answer this judge."""
    return any(answering.is_another(scorer, model) for model in found.models)


def memory_of(desk: Desk, plan: RunPlan, judge: Judge) -> Memory | None:
    """What is remembered of a judge of a run.

    None where nothing is: without a cache, of judges that ask no model, and of those that build on others' values.
    """
    if not isinstance(desk.cache, VerdictCache) or not judge.clients or needs_of(judge):
        return None
    identities = [dict(client.identity) for client in judge.clients]
    known = content_hash([scorer_key(judge.columns), identities, plan.turns.value, plan.epoch, reader()], 64)
    return Memory(desk.ledger, desk.cache, known.encode())


@cache
def reader() -> str:
    """A hash of the code that makes outcomes of replies: another version of it reads the replies anew."""
    found = sha256()
    for part in _READERS:
        for name, text in sorted(_sources(files("evalharness") / part, part)):
            found.update(f"{name}\0{len(text)}\0".encode() + text)
    return found.hexdigest()


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, path)
        elif entry.name.endswith(".py"):
            yield path, entry.read_bytes()
