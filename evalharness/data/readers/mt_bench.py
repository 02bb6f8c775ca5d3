"""MT-Bench: two-turn questions, the answers of several models, reference answers and pairwise votes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from evalharness.core.dialogue import Message
from evalharness.core.labels import PairLabel
from evalharness.data.readers.parts import Draft, finished, texts
from evalharness.data.reading import Read, Record, RecordError, Rejected, Tally
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem

CRITERION = "winner"
"""The criterion of pairwise votes, called as the field of the file."""

_VOTES = {"model_a": "a", "model_b": "b"}


@dataclass(slots=True)
class _Collected:
    """Everything but the answers by question, and the answers in the order of the files."""

    questions: dict[str, Record] = field(default_factory=dict)
    references: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    votes: dict[tuple[str, str], list[PairLabel]] = field(default_factory=lambda: defaultdict(list))
    answers: list[Record] = field(default_factory=list)


class MTBenchReader:
    """A dialogue for each answer of a model to a question: id ``mt-bench-<question>-<model>``, group the question.

    Question, answer and vote files are read together and held in memory; an answer file called
    ``reference_answer…``, or in a folder of that name, holds reference answers.
    """

    name = "mt-bench"
    looks_for = "'question_id' with 'turns' (texts), with 'choices' and 'model_id', or with 'winner'"
    joint = True

    def recognises(self, value: dict[str, Any]) -> bool:
        """A question, an answer, or a vote."""
        return "question_id" in value and (_is_question(value) or _is_answer(value) or is_vote(value))

    def read(self, records: Iterator[Record | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The dialogues of all answers; raises ``InputError`` when questions or answers are missing altogether."""
        found = _Collected()
        for record in records:
            if isinstance(record, Rejected):
                yield record
                continue
            try:
                _collect(record, found)
            except RecordError as error:
                yield error.rejecting(record)
        _require_both(found)
        for record in found.answers:
            try:
                yield from _dialogues(record, found)
            except RecordError as error:
                yield error.rejecting(record)
        tally.unplaced_ratings += sum(map(len, found.votes.values()))


def _is_question(value: dict[str, Any]) -> bool:
    turns = value.get("turns")
    return isinstance(turns, list) and bool(turns) and all(isinstance(turn, str) for turn in turns)


def _is_answer(value: dict[str, Any]) -> bool:
    return isinstance(value.get("choices"), list) and "model_id" in value


def is_vote(value: Mapping[str, Any]) -> bool:
    """Whether a record is a vote between the answers of two models."""
    return all(key in value for key in ("winner", "model_a", "model_b"))


def _collect(record: Record, found: _Collected) -> None:
    value = record.value
    key = str(value.get("question_id"))
    if is_vote(value):
        vote = vote_of(record, key)
        found.votes[key, str(value["model_a"])].append(vote)
    elif _is_answer(value):
        if _is_reference_file(record.source):
            found.references[key].extend(_choices(value))
        else:
            found.answers.append(record)
    elif _is_question(value):
        if key in found.questions:
            raise RecordError(
                f"the question {quoted(key)} stands twice, first in line {found.questions[key].line}"
            )
        found.questions[key] = record
        if value.get("reference") is not None:
            found.references[key].append(list(texts(value["reference"], "reference")))
    else:
        raise RecordError("this is neither a question, an answer nor a vote of MT-Bench")


def _is_reference_file(source: str) -> bool:
    return any(part.startswith("reference_answer") for part in PurePath(source).parts[-2:])


def _require_both(found: _Collected) -> None:
    if found.answers and not found.questions:
        first = found.answers[0]
        fix = "Name the question file too (question.jsonl)."
        raise InputError(
            Problem("these are answers without their questions", first.source, first.line, fix=fix)
        )
    if found.questions and not found.answers:
        source = next(iter(found.questions.values())).source
        fix = "Name the answer files too (model_answer/*.jsonl)."
        raise InputError(Problem("these are questions without answers", source, fix=fix))


def _choices(value: dict[str, Any]) -> list[list[str]]:
    """The turns of each choice of an answer."""
    turns = [choice.get("turns") if isinstance(choice, dict) else None for choice in value["choices"]]
    if not turns or not all(isinstance(t, list) and all(isinstance(x, str) for x in t) for t in turns):
        raise RecordError("'choices' must be a list of objects with 'turns', a list of texts")
    return [list(t) for t in turns if t is not None]


def _dialogues(record: Record, found: _Collected) -> Iterator[Read]:
    value = record.value
    key = str(value.get("question_id"))
    question = found.questions.get(key)
    if question is None:
        raise RecordError(f"there is no question {quoted(key)}", "Name the question file that has it.")
    choices = _choices(value)
    for number, answers in enumerate(choices):
        yield finished(_draft(record, question.value, answers, number, len(choices), found), record)


def _draft(
    record: Record,
    question: dict[str, Any],
    answers: Sequence[str],
    number: int,
    count: int,
    found: _Collected,
) -> Draft:
    prompts = question["turns"]
    if len(answers) > len(prompts):
        raise RecordError(f"there are {len(answers)} answers to {len(prompts)} questions")
    key, model = str(question["question_id"]), str(record.value["model_id"])
    messages: list[Message] = []
    for turn, answer in enumerate(answers):
        good = [turns[turn] for turns in found.references.get(key, ()) if turn < len(turns)]
        messages += [Message("user", prompts[turn]), Message("assistant", answer, references=tuple(good))]
    metadata: dict[str, Any] = {"system": model, "question_id": question["question_id"]}
    if question.get("category") is not None:
        metadata["category"] = question["category"]
    name = dialogue_id(key, model)
    if count > 1:
        metadata["trial"] = number
        name = f"{name}-choice-{number}"
    votes = tuple(found.votes.pop((key, model), ()))
    return Draft(messages, id=name, group=f"mt-bench-{key}", metadata=metadata, labels=votes)


def dialogue_id(question: str, model: str) -> str:
    """The id of a model's dialogue about a question."""
    return f"mt-bench-{question}-{model}"


def vote_of(record: Record, key: str) -> PairLabel:
    """The vote of a record about question ``key``; :class:`RecordError` for one that can't be read."""
    value = record.value
    winner, turn = value["winner"], value.get("turn", 1)
    vote = _VOTES.get(winner) if isinstance(winner, str) else None
    if vote is None and not (isinstance(winner, str) and winner.startswith("tie")):
        raise RecordError(f"the winner {quoted(str(winner))} is unknown", "Write model_a, model_b or tie.")
    if type(turn) is not int or turn < 1:
        raise RecordError("'turn' must be 1 or more")
    index = 2 * turn - 1
    return PairLabel(
        dialogue_a=dialogue_id(key, str(value["model_a"])),
        dialogue_b=dialogue_id(key, str(value["model_b"])),
        criterion=CRITERION,
        rater=str(value.get("judge", "")),
        value=vote or "tie",
        turn=index,
        turn_b=index,
        source=record.source,
        line=record.line,
        comment="" if vote or winner == "tie" else winner,
        metadata={} if vote or winner == "tie" else {"winner": winner},
    )
