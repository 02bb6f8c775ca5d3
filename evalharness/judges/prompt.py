"""Prompts: from a rubric, an item and the run's secret to a request, the part that changes least first.

``system`` holds our instructions and (unless questions are asked one at a time) the rubric; ``shared`` the fenced
dialogue; ``ask`` points at the item. Turns of one dialogue share everything up to the last message of the earlier
turn, so prefix caches hit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool, ToolCall, Unit
from evalharness.core.rubric import Criterion, Example, Level, Need, Rubric, Scale
from evalharness.judges.options import Variant
from evalharness.judges.schema import CANNOT_ASSESS, answer_keys, answer_schema, range_text
from evalharness.judges.small import small_message_texts, small_request
from evalharness.judges.templating import fill, template, templates_hash
from evalharness.judges.transcript import MARKER_DIGITS, Span, fence, message_texts, shared_text, whole
from evalharness.judges.undefended import undefended
from evalharness.llm.client import Request, Sampling


@dataclass(frozen=True, slots=True)
class Window:
    """One part of a dialogue that is judged in ``of`` parts; ``number`` counts from 1."""

    span: Span
    number: int = 1
    of: int = 1


@dataclass(frozen=True, slots=True)
class _Fixed:
    """The parts of a request that depend on its criteria alone."""

    system: str
    question: str
    ids: str
    schema: Mapping[str, Json]
    references: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """How requests are written for one rubric.

    ``split``: each request puts one question, after the dialogue, so that the dialogue is a shared prefix of all
    questions. ``small``: short prompts that ask for a bare label, for models too small for JSON. ``variant``: the
    change that an audit asks for.
    """

    rubric: Rubric
    split: bool = False
    small: bool = False
    max_tokens: int = 2048
    logprobs: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    variant: Variant = Variant.NONE
    _fixed: dict[tuple[str, ...], _Fixed] = field(default_factory=dict, init=False, repr=False, compare=False)

    def request(
        self, item: Item, criteria: Sequence[Criterion], secret: bytes, window: Window | None = None
    ) -> Request:
        """The request that puts these criteria about the item; ``window`` limits the messages that are shown."""
        window = window or Window(whole(item))
        marker = fence(secret, item.dialogue.id)
        if self.variant is Variant.LEVELS_REVERSED:
            criteria = [replace(criterion, levels=criterion.levels[::-1]) for criterion in criteria]
        if self.small:
            return small_request(item, criteria[0], marker, window.span, self.max_tokens, self.sampling)
        request = self._fenced(item, criteria, marker, window)
        return undefended(request) if self.variant is Variant.UNDEFENDED else request

    def _fenced(self, item: Item, criteria: Sequence[Criterion], marker: str, window: Window) -> Request:
        fixed = self._fixed_for(criteria)
        return Request(
            system=fixed.system,
            shared=shared_text(item, marker, window.span, references=fixed.references),
            ask=self._ask(item, fixed, marker, window),
            fence=marker,
            schema=fixed.schema,
            max_tokens=self.max_tokens,
            logprobs=self.logprobs,
            sampling=self.sampling,
        )

    def message_texts(self, item: Item, secret: bytes) -> list[str]:
        """Each message of the item as it would be shown, one by one: for counting what fits into a window."""
        marker = fence(secret, item.dialogue.id)
        return small_message_texts(item) if self.small else message_texts(item, marker)

    @property
    def hash(self) -> str:
        """Hash of the wording: of the templates, and of requests that these make for a made-up rubric and item."""
        return _prompt_hash(self.split, self.small, self.variant)

    def _fixed_for(self, criteria: Sequence[Criterion]) -> _Fixed:
        """What requests about these criteria of the rubric have in common, made once."""
        ids = tuple(criterion.id for criterion in criteria)
        fixed = self._fixed.get(ids)
        if fixed is None:
            fixed = self._fixed[ids] = _Fixed(
                system=self._system(criteria),
                question=f"{questions_text(criteria)}\n\n" if self.split else "",
                ids=listed([f'"{key}"' for key in answer_keys(criteria).values()], "and"),
                schema=answer_schema(criteria),
                references=any(Need.REFERENCES in criterion.needs for criterion in criteria),
            )
        return fixed

    def _system(self, criteria: Sequence[Criterion]) -> str:
        return fill(
            "system",
            {
                "unit": "whole dialogue" if self.rubric.unit is Unit.DIALOGUE else "reply of the assistant",
                "digits": str(MARKER_DIGITS),
                "about": self.rubric.about,
                "questions": template("split").strip() if self.split else questions_text(criteria),
            },
        )

    def _ask(self, item: Item, fixed: _Fixed, marker: str, window: Window) -> str:
        values = {"question": fixed.question, "ids": fixed.ids, "fence": marker}
        if item.turn is not None:
            return fill("ask_turn", {**values, "turn": str(item.turn)})
        if window.of == 1:
            return fill("ask_dialogue", values)
        place = {"first": str(window.span.start), "last": str(window.span.stop - 1)}
        parts = {"window": str(window.number), "windows": str(window.of)}
        return fill("ask_window", {**values, **place, **parts})


def repair_text(reason: str) -> str:
    """What is added to a request whose answer could not be used; ``reason`` is ours, never the judge's words."""
    return fill("repair", {"reason": reason})


def questions_text(criteria: Sequence[Criterion]) -> str:
    """The questions with their levels, as a judge reads them."""
    keys = answer_keys(criteria)
    return "\n\n".join(
        fill("question", {"id": keys[c.id], "question": c.question, "scale": _scale_text(c)}).strip()
        for c in criteria
    )


def _scale_text(criterion: Criterion) -> str:
    lines = [f"{level.label}: {level.text}" for level in criterion.levels if level.text]
    if criterion.scale is Scale.NUMERIC:
        lines.append(f"Answer with {range_text(criterion)}.")
    else:
        lines.append(f"Answer with {listed(list(criterion.labels), 'or')}.")
    if criterion.cannot_assess:
        lines.append(f"Answer {CANNOT_ASSESS} only where what you are shown does not allow an answer.")
    lines.extend(_example_text(example) for example in criterion.examples)
    return "\n".join(lines)


def _example_text(example: Example) -> str:
    why = f" ({example.why})" if example.why else ""
    return f"Example: {json.dumps(example.reply, ensure_ascii=False)} is {example.answer}{why}"


def listed(words: list[str], last: str) -> str:
    """Words in a row, the last joined by ``last``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


@cache
def _prompt_hash(split: bool, small: bool, variant: Variant) -> str:
    """Covers the code as well as the templates: whatever changes the specimen's requests changes the hash."""
    requests = [
        Prompt(_specimen_rubric(unit), split, small, variant=variant).request(
            item, _specimen_criteria(), b"", window
        )
        for unit, item in ((Unit.TURN, Item(_specimen(), 3)), (Unit.DIALOGUE, Item(_specimen())))
        for window in (None, Window(Span(1, 4), 2, 3))
    ]
    prefix = "small_" if small else ""
    return content_hash([templates_hash(prefix), *(request.content_hash() for request in requests)])


def _specimen_rubric(unit: Unit) -> Rubric:
    return Rubric("specimen", "1", unit, "A specimen.", _specimen_criteria())


def _specimen_criteria() -> tuple[Criterion, ...]:
    levels = (Level("1", "Low.", 1.0), Level("2", "High.", 2.0))
    yes_no = (Level("no", "", 0.0), Level("yes", "", 1.0))
    example = Example("Fine.", "2", "It is fine.")
    return (
        Criterion("a", "How high?", Scale.ORDINAL, levels, examples=(example,), cannot_assess=True),
        Criterion("b", "Is it?", Scale.BINARY, yes_no, needs=(Need.REFERENCES,)),
        Criterion("c", "How much?", Scale.NUMERIC, minimum=0.0, maximum=9.0),
    )


def _specimen() -> Dialogue:
    return Dialogue(
        "specimen",
        (
            Message("user", "Hello\x1b"),
            Message("assistant", "", tool_calls=(ToolCall("look", "{}", "1"),), context=(Document("c"),)),
            Message("tool", "found", tool_call_id="1"),
            Message("assistant", "Hello.", references=("Hi.",), context=(Document("a"), Document("b"))),
            Message("user", "Bye"),
        ),
        goal="be greeted",
        tools=(Tool("look", "Looks.", {"type": "object"}),),
        context=(Document("a"),),
    )
