"""What is in files of dialogues, and everything that is wrong with them: the figures of ``data validate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from evalharness.core.dialogue import Dialogue, Message
from evalharness.core.labels import Label, PairLabel
from evalharness.core.text import has_invisible
from evalharness.data.dialogues import FileTally, Origin, Read, ReadOptions, Tally, read_dialogues
from evalharness.data.duplicates import IdRegister
from evalharness.data.summaries import Histogram, Lengths, NameCounter, Names
from evalharness.errors import InputError, Problem

MAX_PROBLEMS = 1000
"""Problems that are kept; more are only counted."""

_MAX_FLAGGED = 20
_MORE_KEYS = "(more keys)"


@dataclass(frozen=True, slots=True)
class FileSurvey:
    """One file: its dialect (``native``, ``openai`` …), its container (``jsonl``, ``csv`` …) and its records."""

    source: str
    dialect: str
    container: str
    records: int
    rejected: int
    blank_lines: int


@dataclass(frozen=True, slots=True)
class Ratings:
    """The ratings that the files hold on one criterion: how many, by how many raters, and their values' counts."""

    count: int
    raters: int
    values: Names


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything found in the files.

    ``turns`` counts messages, ``replies`` assistant messages, ``given`` those among them that are history and not
    scored. ``with_references`` and ``with_turn_context`` count replies, ``with_context`` dialogues with documents of
    their own. ``tools`` are tools on offer by dialogue, ``tool_calls`` calls by tool. ``metadata`` gives the values of
    each key (lists and objects as ``(structured)``, keys beyond a number together as ``(more keys)``). Lengths are in
    characters. ``invisible`` counts dialogues with control, direction or invisible characters; ``invisible_at`` says
    where the first are.
    """

    files: tuple[FileSurvey, ...]
    dialogues: int
    turns: int
    roles: Names
    replies: int
    given: int
    references: int
    with_references: int
    with_context: int
    with_turn_context: int
    with_goal: int
    tools: Names
    with_tools: int
    tool_calls: Names
    groups: int
    largest_group: int
    ids_by_hash: int
    metadata: dict[str, Names]
    turns_per_dialogue: Lengths
    reply_length: Lengths
    ratings: dict[str, Ratings]
    pair_ratings: int
    unplaced_ratings: int
    references_used: int
    unused_references: int
    first_unused_reference: str | None
    notes: Names
    invisible: int
    invisible_at: tuple[Origin, ...]
    blank_lines: int
    rejected: int
    problems: tuple[Problem, ...]
    problem_count: int

    @property
    def usable(self) -> bool:
        """Whether every record is a dialogue with an id of its own, and every file whole."""
        return not self.problem_count

    @property
    def systems(self) -> Names:
        """Dialogues by the system under test, where the metadata name it."""
        return self.metadata.get("system", Names())


def survey(
    sources: Sequence[str],
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    *,
    stdin: BinaryIO | None = None,
) -> Survey:
    """Read everything and count it, in bounded memory; problems are collected, not raised.

    Raises ``UsageError`` only for options that don't exist.
    """
    tally = Tally()
    with closing(_Counts()) as counts:
        try:
            for outcome in read_dialogues(sources, options, stdin=stdin, tally=tally, faults=counts.faults):
                if isinstance(outcome, Read):
                    counts.add(outcome)
                else:
                    counts.add_problem(outcome.problem)
        except InputError as error:
            counts.faults.extend(error.problems)
        return counts.finished(tally)


class _Counts:
    """Counters that are filled dialogue by dialogue."""

    def __init__(self) -> None:
        self.faults: list[Problem] = []
        self._plain: Counter[str] = Counter()
        self._roles = NameCounter()
        self._tools = NameCounter()
        self._calls = NameCounter()
        self._notes = NameCounter()
        self._metadata: dict[str, NameCounter] = {}
        self._turns = Histogram()
        self._replies = Histogram()
        self._ratings: dict[str, tuple[NameCounter, NameCounter]] = {}
        self._flagged: list[Origin] = []
        self._problems: list[Problem] = []
        self._problem_count = 0
        self._register = IdRegister()

    def close(self) -> None:
        self._register.close()

    def add_problem(self, problem: Problem) -> None:
        self._problem_count += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)

    def add(self, read: Read) -> None:
        dialogue = read.dialogue
        collision = self._register.add(dialogue, read.origin)
        if collision is not None:
            self.add_problem(collision)
        if dialogue.group:
            self._register.add_group(dialogue.group)
        self._count_dialogue(dialogue)
        for message in dialogue.messages:
            self._count_message(message)
        for key, value in dialogue.metadata.items():
            self._count_value(key, value)
        for label in read.labels:
            self._count_label(label)
        self._notes.add(*read.notes)
        if any(map(_hides, _texts(dialogue))):
            self._plain["invisible"] += 1
            if len(self._flagged) < _MAX_FLAGGED:
                self._flagged.append(read.origin)

    def _count_dialogue(self, dialogue: Dialogue) -> None:
        self._plain["dialogues"] += 1
        self._plain["with_context"] += bool(dialogue.context)
        self._plain["with_goal"] += dialogue.goal is not None
        self._plain["ids_by_hash"] += dialogue.id_is_hash
        self._plain["ungrouped"] += not dialogue.group
        self._turns.add(len(dialogue.messages))
        if dialogue.tools:
            self._plain["with_tools"] += 1
            self._tools.add(*(tool.name for tool in dialogue.tools))

    def _count_message(self, message: Message) -> None:
        self._roles.add(message.role)
        if message.tool_calls:
            self._calls.add(*(call.name for call in message.tool_calls))
        if message.role != "assistant":
            return
        self._plain["given"] += message.given
        self._replies.add(len(message.content))
        self._plain["with_turn_context"] += bool(message.context)
        if message.references:
            self._plain["with_references"] += 1
            self._plain["references"] += len(message.references)

    def _count_value(self, key: str, value: object) -> None:
        values = self._metadata.get(key)
        if values is None:
            key = key if len(self._metadata) < Names.MOST and len(key) < Names.LONGEST else _MORE_KEYS
            values = self._metadata.setdefault(key, NameCounter())
        plain = isinstance(value, str | int | float) or value is None
        values.add(str(value) if plain else "(structured)")

    def _count_label(self, label: Label | PairLabel) -> None:
        if isinstance(label, PairLabel):
            self._plain["pair_ratings"] += 1
        if label.criterion not in self._ratings and len(self._ratings) < Names.MOST:
            self._ratings[label.criterion] = (NameCounter(), NameCounter())
        raters, values = self._ratings.get(label.criterion, (NameCounter(), NameCounter()))
        raters.add(label.rater)
        values.add(_value_text(label.value))

    def finished(self, tally: Tally) -> Survey:
        """The figures; file-level faults come first among the problems."""
        for fault in self.faults:
            self.add_problem(fault)
        groups, largest = self._register.groups()
        count, roles = self._plain, self._roles.names()
        return Survey(
            files=tuple(map(_file_survey, tally.files)),
            dialogues=count["dialogues"],
            turns=roles.total,
            roles=roles,
            replies=dict(roles.counts).get("assistant", 0),
            given=count["given"],
            references=count["references"],
            with_references=count["with_references"],
            with_context=count["with_context"],
            with_turn_context=count["with_turn_context"],
            with_goal=count["with_goal"],
            tools=self._tools.names(),
            with_tools=count["with_tools"],
            tool_calls=self._calls.names(),
            groups=groups + count["ungrouped"],
            largest_group=max(largest, min(1, count["ungrouped"])),
            ids_by_hash=count["ids_by_hash"],
            metadata={key: values.names() for key, values in sorted(self._metadata.items())},
            turns_per_dialogue=self._turns.lengths(),
            reply_length=self._replies.lengths(),
            ratings={name: _ratings(*counters) for name, counters in sorted(self._ratings.items())},
            pair_ratings=count["pair_ratings"],
            unplaced_ratings=tally.unplaced_ratings,
            references_used=tally.references_used,
            unused_references=tally.unused_references,
            first_unused_reference=tally.first_unused_reference,
            notes=self._notes.names(),
            invisible=count["invisible"],
            invisible_at=tuple(self._flagged),
            blank_lines=sum(file.blank_lines for file in tally.files),
            rejected=sum(file.rejected for file in tally.files),
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )


def _file_survey(counts: FileTally) -> FileSurvey:
    return FileSurvey(
        counts.source, counts.dialect, counts.container, counts.records, counts.rejected, counts.blank_lines
    )


def _ratings(raters: NameCounter, values: NameCounter) -> Ratings:
    found = values.names()
    return Ratings(found.total, len(raters), found)


def _value_text(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float | int) else value


def _texts(dialogue: Dialogue) -> Iterator[str]:
    """Every text of the dialogue that a report may show."""
    yield dialogue.id
    yield dialogue.group
    for message in dialogue.messages:
        yield message.content
        yield from message.references
        for document in message.context:
            yield document.text
    for document in dialogue.context:
        yield document.text


def _hides(text: str) -> bool:
    """Whether the text has characters that show nothing or reorder text; plain ASCII is passed over fast."""
    return not (text.isascii() and text.isprintable()) and has_invisible(text)
