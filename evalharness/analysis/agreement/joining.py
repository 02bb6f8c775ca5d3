"""Labels joined to the dialogues of a run, by key only: never by position, never by guessing."""

from __future__ import annotations

import fnmatch
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue
from evalharness.data.labels.raw import RawLabel, RawPair
from evalharness.data.reading import RecordError
from evalharness.data.turnref import turn_index
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem, UsageError

WHOLE = -1
"""The turn of an item that is a whole dialogue."""

_MOST_PROBLEMS = 50
_KEYS = ("id", "group", "metadata.NAME")


@dataclass(frozen=True, slots=True, order=True)
class ItemKey:
    """An item by name: a dialogue and the index of a turn, :data:`WHOLE` for all of it."""

    dialogue: str
    turn: int


@dataclass(frozen=True, slots=True)
class DialogueFacts:
    """What agreement needs to know of a dialogue: its cluster, its system, and the metadata that slices ask for.

    ``lengths`` are the words of its own replies by turn.
    """

    id: str
    cluster: str
    system: str
    slices: Mapping[str, str]
    lengths: Mapping[int, int]

    def length(self, turn: int) -> float:
        """Words of the reply, or of a mean reply for the whole dialogue."""
        if turn != WHOLE:
            return float(self.lengths.get(turn, 0))
        return sum(self.lengths.values()) / max(1, len(self.lengths))


@dataclass(frozen=True, slots=True)
class PlacedLabel:
    """A label whose item was found."""

    item: ItemKey
    label: RawLabel


@dataclass(frozen=True, slots=True)
class PlacedPair:
    """A preference whose two items were found."""

    first: ItemKey
    second: ItemKey
    pair: RawPair


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """``key`` says what labels name dialogues by; ``raters`` are globs of whom to keep; ``slices`` metadata names."""

    key: str = "id"
    raters: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()

    def keeps(self, rater: str) -> bool:
        """Whether labels of this rater count."""
        return not self.raters or any(fnmatch.fnmatchcase(rater, pattern) for pattern in self.raters)


@dataclass(frozen=True, slots=True)
class Joined:
    """Labels with their items, the dialogues they are about, and how many labels other raters gave."""

    labels: tuple[PlacedLabel, ...]
    pairs: tuple[PlacedPair, ...]
    dialogues: Mapping[str, DialogueFacts]
    other_raters: int


@dataclass(slots=True)
class _Wanted:
    """Labels waiting for their dialogue, by the key's value."""

    labels: dict[str, list[RawLabel]] = field(default_factory=lambda: defaultdict(list))
    pairs: dict[str, list[tuple[int, RawPair]]] = field(default_factory=lambda: defaultdict(list))


def join_labels(
    dialogues: Iterable[Dialogue],
    labels: Sequence[RawLabel],
    pairs: Sequence[RawPair],
    options: JoinOptions,
) -> Joined:
    """The labels with the items that they name.

    Raises :class:`InputError` with every problem (the first 50 in full): dialogues and turns that the run does not
    have, two values for one item, criterion, rater and repeat, a key that several dialogues share.
    """
    kept = [label for label in labels if options.keeps(label.rater)]
    kept_pairs = [pair for pair in pairs if options.keeps(pair.rater)]
    if not kept and not kept_pairs and (labels or pairs):
        raise UsageError(
            f"no rater fits {', '.join(options.raters)}", fix=f"Raters are: {_names(labels, pairs)}."
        )
    wanted = _waiting(kept, kept_pairs)
    facts, placed, sides, problems = _placed(dialogues, wanted, options)
    missing = _missing(wanted, kept, kept_pairs, options.key)
    problems = [*missing, *problems, *_duplicates(placed), *_other_chances(placed)]
    ordered = [
        PlacedPair(sides[0, id(pair)], sides[1, id(pair)], pair)
        for pair in kept_pairs
        if (0, id(pair)) in sides and (1, id(pair)) in sides
    ]
    if problems:
        raise InputError(_cut(sorted(problems, key=lambda p: (p.source or "", p.line or 0))))
    _check_slices(options.slices, facts, placed, ordered)
    left = len(labels) - len(kept) + len(pairs) - len(kept_pairs)
    return Joined(tuple(placed), tuple(ordered), facts, left)


def _check_slices(
    keys: Sequence[str],
    facts: Mapping[str, DialogueFacts],
    labels: Sequence[PlacedLabel],
    pairs: Sequence[PlacedPair],
) -> None:
    """A slice by what no labelled dialogue has would be one slice of everything: a :class:`UsageError`."""
    about = {label.item.dialogue for label in labels} | {pair.first.dialogue for pair in pairs}
    for key in keys:
        if about and not any(facts[dialogue].slices[key] for dialogue in about):
            raise UsageError(
                f"no labelled dialogue has the metadata {quoted(key)}",
                fix="Slice by a key that stands in the dialogues' metadata.",
            )


def _names(labels: Sequence[RawLabel], pairs: Sequence[RawPair]) -> str:
    names = sorted({*(row.rater for row in labels), *(row.rater for row in pairs)})
    return ", ".join(quoted(name, 30) for name in names[:8]) + (" …" if len(names) > 8 else "")


def _waiting(labels: Iterable[RawLabel], pairs: Iterable[RawPair]) -> _Wanted:
    wanted = _Wanted()
    for label in labels:
        wanted.labels[label.dialogue].append(label)
    for pair in pairs:
        wanted.pairs[pair.dialogue_a].append((0, pair))
        wanted.pairs[pair.dialogue_b].append((1, pair))
    return wanted


def _placed(
    dialogues: Iterable[Dialogue], wanted: _Wanted, options: JoinOptions
) -> tuple[dict[str, DialogueFacts], list[PlacedLabel], dict[tuple[int, int], ItemKey], list[Problem]]:
    facts: dict[str, DialogueFacts] = {}
    placed: list[PlacedLabel] = []
    sides: dict[tuple[int, int], ItemKey] = {}
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for dialogue in dialogues:
        facts[dialogue.id] = _facts(dialogue, options.slices)
        key = _key_of(dialogue, options.key)
        if key is None or (key not in wanted.labels and key not in wanted.pairs):
            continue
        if key in owners:
            problems.append(
                Problem(
                    f"dialogues {quoted(owners[key])} and {quoted(dialogue.id)} have the same {options.key}",
                    fix="Join by a key that tells all labelled dialogues apart (--key).",
                )
            )
            continue
        owners[key] = dialogue.id
        turns = _Turns(dialogue)
        for label in wanted.labels.pop(key, ()):
            item = turns.item(label.turn, label, problems)
            if item is not None:
                placed.append(PlacedLabel(item, label))
        for side, pair in wanted.pairs.pop(key, ()):
            named = pair.turn if side == 0 or pair.turn_b is None else pair.turn_b
            item = turns.item(named, pair, problems)
            if item is not None:
                sides[side, id(pair)] = item
    return facts, placed, sides, problems


class _Turns:
    """The turns of one dialogue as labels name them, each name looked up once."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._known: dict[int | str, int | RecordError] = {}

    def item(
        self, name: int | str | None, row: RawLabel | RawPair, problems: list[Problem]
    ) -> ItemKey | None:
        if name is None:
            return ItemKey(self._dialogue.id, WHOLE)
        if name not in self._known:
            self._known[name] = self._found(name)
        found = self._known[name]
        if isinstance(found, RecordError):
            problems.append(Problem(found.message, row.source, row.line, fix=found.fix))
            return None
        return ItemKey(self._dialogue.id, found)

    def _found(self, name: int | str) -> int | RecordError:
        try:
            index = turn_index(self._dialogue, name)
        except RecordError as error:
            return error
        role = self._dialogue.messages[index].role
        if role != "assistant":
            return RecordError(
                f"message {index} of dialogue {quoted(self._dialogue.id)} is no reply of the assistant but of {role}"
            )
        return index


def _facts(dialogue: Dialogue, slices: Sequence[str]) -> DialogueFacts:
    shown = {name: _text(dialogue.metadata.get(name)) for name in slices}
    lengths = {turn: len(dialogue.messages[turn].content.split()) for turn in dialogue.assistant_turns()}
    return DialogueFacts(dialogue.id, dialogue.cluster, dialogue.system, shown, lengths)


def _key_of(dialogue: Dialogue, key: str) -> str | None:
    if key == "id":
        return dialogue.id
    if key == "group":
        return dialogue.cluster
    if not key.startswith("metadata."):
        raise UsageError(f"{key!r} is no key of a dialogue", fix=f"Use one of {', '.join(_KEYS)}.")
    found: Json = dict(dialogue.metadata)
    for part in key.split(".")[1:]:
        found = found.get(part) if isinstance(found, dict) else None
    return None if found is None else _text(found)


def _text(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _missing(
    wanted: _Wanted, labels: Sequence[RawLabel], pairs: Sequence[RawPair], key: str
) -> Iterator[Problem]:
    """One problem for each dialogue that is not there, at the first row that names it."""
    by = "" if key == "id" else f" by {key}"
    fix = "Name the dialogues of the run; --key joins by something else than the id."
    named: list[tuple[str, RawLabel | RawPair]] = [
        (label.dialogue, label) for label in labels if label.dialogue in wanted.labels
    ]
    named += [
        (name, pair) for pair in pairs for name in (pair.dialogue_a, pair.dialogue_b) if name in wanted.pairs
    ]
    rows = Counter(name for name, _ in named)
    for name, row in named:
        count = rows.pop(name, 0)
        if count:
            more = f"; {count:,} rows name it" if count > 1 else ""
            yield Problem(
                f"there is no dialogue {quoted(name)} in the run{by}{more}", row.source, row.line, fix=fix
            )


def _duplicates(placed: Iterable[PlacedLabel]) -> Iterator[Problem]:
    seen: dict[tuple[ItemKey, str, str, int], RawLabel] = {}
    for entry in placed:
        label = entry.label
        key = (entry.item, label.criterion.casefold(), label.rater, label.repeat)
        first = seen.setdefault(key, label)
        if first is not label:
            yield Problem(
                f"{quoted(label.rater)} already rated this item on {quoted(label.criterion)} in "
                f"{first.source}:{first.line}",
                label.source,
                label.line,
                fix="Keep one of them, or mark the second look with repeat 1.",
            )


def _other_chances(placed: Iterable[PlacedLabel]) -> Iterator[Problem]:
    """One problem for each label whose probability is not that of the item's first label."""
    seen: dict[ItemKey, RawLabel] = {}
    for entry in placed:
        label = entry.label
        if label.probability is None:
            continue
        first = seen.setdefault(entry.item, label)
        assert first.probability is not None
        if not math.isclose(first.probability, label.probability, rel_tol=1e-9):
            yield Problem(
                f"the item was drawn with probability {label.probability:g} here and {first.probability:g} in "
                f"{first.source}:{first.line}",
                label.source,
                label.line,
                fix="Use the labels of one draw at a time, or leave the probability empty.",
            )


def _cut(problems: Sequence[Problem]) -> list[Problem]:
    if len(problems) <= _MOST_PROBLEMS:
        return list(problems)
    return [*problems[:_MOST_PROBLEMS], Problem(f"… and {len(problems) - _MOST_PROBLEMS} more problems")]
