"""The rows of the ledger as frozen values, and how results and names are written in them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any

from evalharness.core import native, scorejson
from evalharness.core.canonical import sha256_text
from evalharness.core.dialogue import Dialogue, TurnChoice, Unit
from evalharness.core.scores import Column, Result
from evalharness.data.ledger import schema

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

METADATA = '"metadata":'
"""What stands in every stored dialogue that has metadata, or of which a message has."""


@dataclass(frozen=True, slots=True)
class StoredDialogue:
    """A dialogue in the ledger: its running number, where it came from, and its canonical native JSON."""

    seq: int
    source: str
    line: int
    body: str

    def load(self) -> Dialogue:
        """The dialogue itself."""
        return native.from_json(json.loads(self.body))

    def turns(self, choice: TurnChoice) -> int:
        """How many turns there are to score, without making the dialogue."""
        messages = json.loads(self.body)["messages"]
        own = [m for m in messages if m["role"] == "assistant" and not m.get("given")]
        if choice is TurnChoice.REFERENCED:
            own = [m for m in own if m.get("references")]
        return min(1, len(own)) if choice is TurnChoice.LAST else len(own)

    def metadata(self) -> Mapping[str, Any]:
        """The dialogue's metadata, without making the dialogue."""
        if METADATA not in self.body:
            return {}
        found: Mapping[str, Any] = json.loads(self.body).get("metadata", {})
        return found


@dataclass(frozen=True, slots=True)
class ItemRef:
    """Names an item of a dialogue in the ledger; ``turn`` is None for the whole dialogue."""

    seq: int
    turn: int | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The results of one scorer on one item, one per column of the scorer."""

    dialogue: str
    cluster: str
    system: str
    turn: int | None
    scorer: int
    results: tuple[Result, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """Attempts of one scorer in one state, summed. ``cost`` is None if that of any is unknown.

    ``possible`` is the most that they can have cost (USD), None if any of them is unpriced.
    """

    scorer: int
    state: str
    cause: str | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: float | None
    possible: float | None
    seconds: float


def encode(results: Sequence[Result]) -> str:
    """Results as the text that the ledger stores."""
    return _ENCODER.encode([scorejson.to_json(result) for result in results])


def decode(body: str) -> tuple[Result, ...]:
    """The results that :func:`encode` wrote."""
    return tuple(scorejson.from_json(row) for row in json.loads(body))


def read_column(row: dict[str, Any]) -> Column:
    """The column that the ledger holds as JSON."""
    return Column(**{**row, "unit": Unit(row["unit"]), "levels": tuple(row["levels"])})


def outcome_row(scorer: int, seq: int, turn: int | None, body: str) -> tuple[int, int, int, str, int]:
    """An outcome as its table holds it, with its checksum."""
    stored = stored_turn(turn)
    return seq, stored, scorer, body, schema.checksum(seq, stored, scorer, body)


def stored_turn(turn: int | None) -> int:
    """The turn as the ledger stores it."""
    return schema.WHOLE if turn is None else turn


def digest(body: str) -> str:
    """The hash of a dialogue's body."""
    return sha256_text(body)[:32]


def sealed(key: str, text: str) -> str:
    """Text behind the CRC-32 (8 digits) of its key and itself."""
    return f"{zlib.crc32(f'{key},{text}'.encode()):08x}{text}"


def names_check(*names: str) -> str:
    """CRC-32 (8 digits) over a dialogue's id, cluster and system as its table holds them."""
    text = "[" + ", ".join(map(encode_basestring_ascii, names)) + "]"  # as json.dumps writes the list
    return f"{zlib.crc32(text.encode()):08x}"


def dialogue_hash(dialogue: Dialogue, body: str) -> str:
    """What the ledger keeps beside a dialogue: the hash of its body, then the check of its names."""
    return digest(body) + names_check(
        key_text(dialogue.id), key_text(dialogue.cluster), key_text(dialogue.system)
    )


def key_text(text: str) -> str:
    """Text as SQLite can hold and compare it: NUL and lone surrogates, which it can't, become escapes."""
    return text.encode("unicode_escape").decode("ascii") if _odd(text) else text.replace("\\", "\\\\")


def name_text(stored: str) -> str:
    """The text that :func:`key_text` encoded."""
    if "\\" not in stored:
        return stored
    return (
        stored.encode("ascii").decode("unicode_escape") if _escaped(stored) else stored.replace("\\\\", "\\")
    )


def _odd(text: str) -> bool:
    return "\x00" in text or not (text.isascii() or _SURROGATE.search(text) is None)


def _escaped(stored: str) -> bool:
    return "\\" in stored.replace("\\\\", "")
