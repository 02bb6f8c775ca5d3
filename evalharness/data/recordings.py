"""Recordings: what a judge once answered, by dialogue, turn and criterion.

JSON Lines, plain, gzip or zstd. The first line may name the judge: ``{"judge": "gpt-4-0613"}``. Every other line holds
the answers about one item on one criterion: ``{"dialogue", "turn", "criterion", "outputs": [raw text or number, …]}``;
about a pair: ``{"dialogue_a", "dialogue_b", "turn", "criterion", "order", "outputs"}``; about a list that was ranked at
once: ``{"dialogues": [ids as shown], "turn", "criterion", "order", "outputs"}``. Several outputs are samples.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Item
from evalharness.data.readers.parts import record_id
from evalharness.data.reading import DEFAULT_MAX_LINE_BYTES, FileTally, Record, RecordError, Rejected
from evalharness.data.records import file_records
from evalharness.data.turnref import turn_index
from evalharness.data.words import json_kind, quoted
from evalharness.errors import InputError, Problem

Output: TypeAlias = str | float | None
"""One recorded answer: its text, a number, or None where the judge gave none."""

TurnName: TypeAlias = int | str | None
"""How a recording names a turn: an index, a message id or ``reply N``; None for a whole dialogue."""

ORDERS = ("ab", "ba")
"""Which dialogue of a pair was shown first."""

_MAX_PROBLEMS = 50
_WORTH_PACKING = 200


@dataclass(frozen=True, slots=True)
class PairKey:
    """What a pair recording is about; ``order`` is empty where the recording does not state it."""

    dialogue_a: str
    dialogue_b: str
    turn: TurnName
    criterion: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class ListKey:
    """What the recording of a ranking is about: the dialogues, shown as they stand (``ab``) or in reverse (``ba``)."""

    dialogues: tuple[str, ...]
    turn: TurnName
    criterion: str
    order: str = "ab"


class Recordings:
    """The content of one file of recordings. Texts are kept compressed; look-ups don't depend on the file's order."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.judge = ""
        self.criteria: dict[str, int] = {}
        self._items: dict[str, dict[tuple[TurnName, str], _Entry]] = {}
        self._pairs: dict[PairKey, _Entry] = {}
        self._lists: dict[ListKey, _Entry] = {}
        self._names: dict[str, str] = {}
        self._hash = hashlib.sha256()
        self._last: tuple[Dialogue, _Resolved] | None = None

    @property
    def digest(self) -> str:
        """Hash (16 hex digits) of all that is recorded, in the file's order."""
        return self._hash.hexdigest()[:16]

    @property
    def item_count(self) -> int:
        """How many recordings about single items there are."""
        return sum(len(entries) for entries in self._items.values())

    @property
    def pair_count(self) -> int:
        """How many recordings about pairs there are."""
        return len(self._pairs)

    @property
    def list_count(self) -> int:
        """How many recordings of rankings there are."""
        return len(self._lists)

    def outputs(self, item: Item, criterion: str) -> tuple[Output, ...] | None:
        """The recorded answers about an item on a criterion; None when there are none.

        Raises :class:`RecordError` when the turn is recorded twice under different names.
        """
        found = self._resolved(item.dialogue).get((item.turn, criterion), ())
        if len(found) > 1:
            lines = " and ".join(str(entry.line) for entry in found)
            raise RecordError(f"lines {lines} of {self.source} are about the same turn under different names")
        return found[0].outputs() if found else None

    def pair_outputs(self, key: PairKey) -> tuple[Output, ...] | None:
        """The recorded answers about a pair; None when there are none."""
        entry = self._pairs.get(key)
        return None if entry is None else entry.outputs()

    def list_outputs(self, key: ListKey) -> tuple[Output, ...] | None:
        """The recorded rankings of a list; None when there are none."""
        entry = self._lists.get(key)
        return None if entry is None else entry.outputs()

    def add(self, record: Record) -> None:
        """Keep one line; raises :class:`RecordError` for one that is no recording or is there already."""
        value = record.value
        criterion = value.get("criterion")
        if not isinstance(criterion, str) or not criterion:
            raise RecordError(f"'criterion' {_found(value, 'criterion')}", "Write the id of a criterion.")
        outputs = _outputs(value)
        criterion = self._names.setdefault(criterion, criterion)
        entry = _Entry.of(record.line, outputs)
        if "dialogues" in value:
            self._add_list(record, criterion, entry)
        elif "dialogue_a" in value or "dialogue_b" in value:
            self._add_pair(record, criterion, entry)
        else:
            self._add_item(record, criterion, entry)
        self.criteria[criterion] = self.criteria.get(criterion, 0) + 1
        self._hash.update(canonical_json(value).encode() + b"\n")

    def _resolved(self, dialogue: Dialogue) -> _Resolved:
        """The recordings of a dialogue by turn index; kept for the last one, since its items come together."""
        if self._last is None or self._last[0] is not dialogue:
            self._last = (dialogue, _resolve(dialogue, self._items.get(dialogue.id, {})))
        return self._last[1]

    def _add_item(self, record: Record, criterion: str, entry: _Entry) -> None:
        dialogue = _required_id(record, "dialogue")
        entries = self._items.setdefault(dialogue, {})
        key = (_turn(record.value), criterion)
        if key in entries:
            raise RecordError(_twice(f"dialogue {quoted(dialogue)}", entries[key].line))
        entries[key] = entry

    def _add_pair(self, record: Record, criterion: str, entry: _Entry) -> None:
        first, second = _required_id(record, "dialogue_a"), _required_id(record, "dialogue_b")
        key = PairKey(first, second, _turn(record.value), criterion, _order(record.value))
        if key in self._pairs:
            raise RecordError(_twice(f"the pair {quoted(first)}, {quoted(second)}", self._pairs[key].line))
        self._pairs[key] = entry

    def _add_list(self, record: Record, criterion: str, entry: _Entry) -> None:
        names = _list_ids(record.value["dialogues"])
        key = ListKey(names, _turn(record.value), criterion, _order(record.value) or ORDERS[0])
        if key in self._lists:
            listed = ", ".join(quoted(name) for name in names)
            raise RecordError(_twice(f"the list {listed}", self._lists[key].line))
        self._lists[key] = entry


def read_recordings(source: str, *, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> Recordings:
    """The recordings of a file; ``InputError`` lists its bad lines (the first 50), each with its line."""
    recordings = Recordings(source)
    problems: list[Problem] = []
    for number, row in enumerate(file_records(source, "jsonl", max_line_bytes, FileTally(source))):
        problem = row.problem if isinstance(row, Rejected) else _added(recordings, row, first=number == 0)
        if problem is not None:
            problems.append(problem)
        if len(problems) >= _MAX_PROBLEMS:
            break
    counts = recordings.item_count, recordings.pair_count, recordings.list_count
    if not problems and not any(counts):
        problems.append(Problem("there are no recordings in this file", source))
    if problems:
        raise InputError(problems)
    return recordings


@dataclass(frozen=True, slots=True)
class _Entry:
    """The outputs of one line as JSON, packed where that is worth it."""

    line: int
    packed: bytes

    @classmethod
    def of(cls, line: int, outputs: list[Output]) -> _Entry:
        plain = json.dumps(outputs, separators=(",", ":")).encode()
        return cls(line, zlib.compress(plain) if len(plain) >= _WORTH_PACKING else plain)

    def outputs(self) -> tuple[Output, ...]:
        plain = self.packed if self.packed.startswith(b"[") else zlib.decompress(self.packed)
        return tuple(json.loads(plain))


_Resolved: TypeAlias = Mapping[tuple[int | None, str], list[_Entry]]


def _added(recordings: Recordings, record: Record, *, first: bool) -> Problem | None:
    try:
        if "outputs" in record.value or "judge" not in record.value:
            recordings.add(record)
        elif first:
            recordings.judge = _judge_name(record.value)
        else:
            raise RecordError("only the first line may name the judge", "One file holds one judge's answers.")
    except RecordError as error:
        return error.rejecting(record).problem
    return None


def _judge_name(value: Mapping[str, Any]) -> str:
    name = value["judge"]
    if not isinstance(name, str) or not name.strip():
        raise RecordError(
            f"'judge' {_found(value, 'judge')}", 'Write its name, e.g. {"judge": "gpt-4-0613"}.'
        )
    return name.strip()


def _outputs(value: Mapping[str, Any]) -> list[Output]:
    outputs = value.get("outputs")
    if not isinstance(outputs, list) or not outputs:
        raise RecordError(f"'outputs' {_found(value, 'outputs')}", "Write a list of texts or numbers.")
    for output in outputs:
        if isinstance(output, bool) or not isinstance(output, str | int | float | None):
            raise RecordError(f"an output is {json_kind(output)}", "Write each as text, a number or null.")
    return [_float(output) if isinstance(output, int) else output for output in outputs]


def _float(number: int) -> float:
    """The number as a float; one that is too large is infinite, and so off every scale."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _turn(value: Mapping[str, Any]) -> TurnName:
    turn = value.get("turn")
    if turn is None or turn == "":
        return None
    fix = "Write the index of the message (from 0), its id, or 'reply N'; leave it out for a whole dialogue."
    if isinstance(turn, bool) or not isinstance(turn, int | str):
        raise RecordError(f"'turn' is {json_kind(turn)}", fix)
    if isinstance(turn, int) and turn < 0:
        raise RecordError(f"'turn' is {turn}", fix)
    return turn


def _order(value: Mapping[str, Any]) -> str:
    order = value.get("order")
    if order is None:
        return ""
    if order not in ORDERS:
        raise RecordError(
            f"'order' {_found(value, 'order')}", f"Write {' or '.join(ORDERS)}: which is shown first."
        )
    return str(order)


def _list_ids(value: Any) -> tuple[str, ...]:
    fix = 'Write the ids of two dialogues or more in the order shown: "dialogues": ["d1", "d2", "d3"].'
    if not isinstance(value, list) or len(value) < 2:
        raise RecordError(f"'dialogues' is {json_kind(value)} and no list of two or more", fix)
    for name in value:
        if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
            raise RecordError(f"'dialogues' holds {json_kind(name)}", fix)
    return tuple(str(name) for name in value)


def _required_id(record: Record, key: str) -> str:
    name = record_id(record, key)
    if name is None:
        raise RecordError(f"'{key}' {_found(record.value, key)}", "Write the id of the dialogue.")
    return name


def _found(value: Mapping[str, Any], key: str) -> str:
    if key not in value:
        return "is missing"
    found = value[key]
    return (
        f"is {quoted(found)}"
        if isinstance(found, str)
        else "is empty"
        if found == []
        else f"is {json_kind(found)}"
    )


def _twice(what: str, line: int) -> str:
    return f"{what} is recorded on this turn and criterion already, in line {line}"


def _resolve(dialogue: Dialogue, entries: Mapping[tuple[TurnName, str], _Entry]) -> _Resolved:
    resolved: dict[tuple[int | None, str], list[_Entry]] = {}
    for (turn, criterion), entry in entries.items():
        try:
            index = turn_index(dialogue, turn) if isinstance(turn, str) else turn
        except RecordError:
            continue
        resolved.setdefault((index, criterion), []).append(entry)
    return resolved
