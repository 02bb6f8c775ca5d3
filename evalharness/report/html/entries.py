"""What the page keeps of a dialogue: a row of the index, from which lists are made, and a record, to read it by.

An index row is ``[id, group, system, line, flags, messages, title, items]``, to which the page adds the source and the
facets; an item is ``[turn, snippet, cells, unfound, split, marks]`` with turn -1 for the whole dialogue, one cell for
each column of the run, and (if any) the columns whose evidence was not found, those whose panel is split with how far
its members are apart, and the item's :class:`Mark`. A cell is a number, ``[0, level]`` for a nominal value, ``[1,
cause]`` for a failure, ``[2, reason]`` for a skip, and ``[]`` where there is no outcome. A record is ``{"d": native
dialogue, "o": [[item, column, facts], …]}`` with what a result says beside its value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from evalharness.core import scorejson
from evalharness.core.canonical import Json
from evalharness.core.dialogue import system_of
from evalharness.core.doubt import uncertain
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.core.text import has_invisible
from evalharness.report.html.columns import ColumnSet
from evalharness.report.html.island import island_json, island_text
from evalharness.report.html.joining import Joined

CAUSES = tuple(cause.value for cause in Cause)
REASONS = tuple(reason.value for reason in SkipReason)
WHOLE = -1
_SNIPPET = 90
_EXACT_DIGITS = 15


class Flag(IntFlag):
    """What is noteworthy about a dialogue itself."""

    INVISIBLE = 1
    HASHED_ID = 2


class Mark(IntFlag):
    """Why an item is worth reading, beyond its values: it fails newly, humans disagree, the judge was unsure."""

    NEW = 1
    HUMAN = 2
    UNCERTAIN = 4


_NO_FLAG, _NO_MARK = Flag(0), Mark(0)  # making one takes longer than all else of a flag

Marks = Mapping[str, frozenset[tuple[str, int | None]]]
"""Items by what is known of them from elsewhere: ``new`` and ``human``."""


NO_MARKS: Marks = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A dialogue as the page holds it: ``index`` and ``record`` are JSON texts, ``turns`` its scored turns.

    ``facets`` are the simple metadata by which it can be filtered; ``order`` is its place among all dialogues.
    """

    order: int
    source: str
    index: str
    record: str
    facets: Mapping[str, str]
    turns: int
    flags: Flag

    @property
    def plain_size(self) -> int:
        """Bytes of the texts as they stand."""
        return _size(self.index) + _size(self.record)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def make_entry(order: int, joined: Joined, columns: ColumnSet, marks: Marks = NO_MARKS) -> Entry:
    """The entry of a dialogue; ``order`` is its place among all dialogues."""
    body = joined.stored.body
    raw, long = _exact(body)
    items = _items(joined, columns)
    flags = _flags(raw, hiding=_may_hide(body))
    index: list[Json] = [
        raw["id"],
        raw.get("group", ""),
        system_of(raw.get("metadata", {})),
        joined.stored.line,
        int(flags),
        len(raw["messages"]),
        _title(raw),
        [_index_item(raw, turn, results, columns.flat, marks) for turn, results in items],
    ]
    return Entry(
        order=order,
        source=joined.stored.source,
        index=island_json(index),
        record=_record(body, raw, list(_facts(items)), as_it_stands=not long and "\\u" not in body),
        facets=_facets(raw),
        turns=sum(turn != WHOLE for turn, _ in items),
        flags=flags,
    )


def _record(body: str, raw: Mapping[str, Any], facts: list[Json], *, as_it_stands: bool) -> str:
    """The record of a dialogue. Stored text that says the same byte for byte is taken as it stands: the page writes
    numbers with too many digits and characters that stand as escapes otherwise."""
    if as_it_stands:
        return island_text(f'{{"d":{body},"o":{island_json(facts)}}}')
    return island_json({"d": raw, "o": facts})


def reading_text(body: str, turn: int | None) -> tuple[str, str]:
    """A dialogue's id and the start of the turn (or of the dialogue) to recognise it by."""
    raw, _ = _exact(body)
    return raw["id"], _title(raw) if turn is None else _snippet(raw["messages"][turn])


def _exact(body: str) -> tuple[Any, bool]:
    """A stored dialogue, and whether it has integers that a double can't hold: they stay text, so that the page shows
    every digit."""
    long: list[str] = []

    def integer(digits: str) -> int | str:
        if len(digits) <= _EXACT_DIGITS:
            return int(digits)
        long.append(digits)
        return digits

    return json.JSONDecoder(parse_int=integer).decode(body), bool(long)


def _may_hide(body: str) -> bool:
    """Whether stored text (ASCII, JSON) holds any of the characters that could hide or reorder text."""
    return "\u007f" in body or (
        "\\" in body and ("\\u" in body or "\\b" in body or "\\f" in body or "\\r" in body)
    )


Items = list[tuple[int, dict[int, Result]]]


def _items(joined: Joined, columns: ColumnSet) -> Items:
    items: dict[int, dict[int, Result]] = {}
    for row in joined.rows:
        turn = WHOLE if row.turn is None else row.turn
        items.setdefault(turn, {}).update(columns.results(row))
    return sorted(items.items())


def _index_item(
    raw: Mapping[str, Any], turn: int, results: Mapping[int, Result], columns: Sequence[Column], marks: Marks
) -> list[Json]:
    text = _title(raw) if turn == WHOLE else _snippet(raw["messages"][turn])
    cells = [_cell(columns[i], results.get(i)) for i in range(len(columns))]
    unfound: list[Json] = [
        i for i, r in results.items() if isinstance(r, Score) and any(not e.found for e in r.evidence)
    ]
    split: list[Json] = [[i, apart] for i, r in results.items() if (apart := split_of(r)) > 0]
    mark = _mark((raw["id"], None if turn == WHOLE else turn), results, columns, marks)
    known: list[Json] = [unfound, split, int(mark)]
    while known and not known[-1]:
        known.pop()
    return [turn, text, cells, *known]


def split_of(result: Result) -> float:
    """How far the members of a panel are apart on an item, 0 where there is no panel or they agree."""
    extra = None if isinstance(result, Skip) else result.extra
    apart = None if extra is None else extra.get("disagreement")
    return float(apart) if isinstance(apart, int | float) else 0.0


def _mark(
    item: tuple[str, int | None], results: Mapping[int, Result], columns: Sequence[Column], marks: Marks
) -> Mark:
    mark = Mark.NEW if item in marks.get("new", ()) else _NO_MARK
    if item in marks.get("human", ()):
        mark |= Mark.HUMAN
    if any(columns[i].judged and uncertain(result) for i, result in results.items()):
        mark |= Mark.UNCERTAIN
    return mark


def _cell(column: Column, result: Result | None) -> Json:
    match result:
        case Score(value=str(label)):
            return [0, column.levels.index(label) if label in column.levels else label]
        case Score(value=value):
            return value
        case Failure(cause=cause):
            return [1, CAUSES.index(cause.value)]
        case Skip(reason=reason):
            return [2, REASONS.index(reason.value)]
        case None:
            return []


def _facts(items: Items) -> Iterator[Json]:
    for place, (_, results) in enumerate(items):
        for column, result in sorted(results.items()):
            facts = scorejson.to_json(result)
            for known in ("value", "stats", "failed", "skipped"):
                facts.pop(known, None)
            if facts:
                yield [place, column, facts]


def _flags(raw: Mapping[str, Any], *, hiding: bool) -> Flag:
    """The flags of a dialogue; ``hiding`` is False where nothing in it can be invisible."""
    flags = _NO_FLAG
    if hiding and any(map(has_invisible, (raw["id"], *(message["content"] for message in raw["messages"])))):
        flags |= Flag.INVISIBLE
    if raw.get("id_is_hash"):
        flags |= Flag.HASHED_ID
    return flags


def _title(raw: Mapping[str, Any]) -> str:
    """The words by which a dialogue is recognised in a list: its goal, else its first user message."""
    first = next((m for m in raw["messages"] if m["role"] == "user"), None)
    text = raw.get("goal") or (first or {}).get("content") or ""
    return _short(text)


def _snippet(message: Mapping[str, Any]) -> str:
    calls = ", ".join(call["function"]["name"] for call in message.get("tool_calls", ()))
    return _short(message["content"]) or (f"→ {_short(calls)}" if calls else "")


def _short(text: str) -> str:
    flat = " ".join(text[: 4 * _SNIPPET].split())
    return flat if len(flat) <= _SNIPPET else flat[: _SNIPPET - 1] + "…"


def _facets(raw: Mapping[str, Any]) -> dict[str, str]:
    simple = {
        key: _facet_text(value)
        for key, value in raw.get("metadata", {}).items()
        if key != "system" and isinstance(value, str | int | float | bool)
    }
    return {key: text for key, text in simple.items() if len(text) <= _SNIPPET}


def _facet_text(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)
