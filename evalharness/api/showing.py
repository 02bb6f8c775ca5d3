"""What a judge would be sent, without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Item, TurnChoice, Unit
from evalharness.core.rubric import Rubric
from evalharness.data.builtin import builtin_folder
from evalharness.data.dialogues import Read, read_dialogues
from evalharness.engine.plan import items_of
from evalharness.errors import UsageError
from evalharness.judges.pointwise import Pointwise
from evalharness.judges.spec import JudgeSpec, parse_spec
from evalharness.llm.client import Capabilities, Reply, Request

_SECRET = b"shown, never used"


@dataclass(frozen=True, slots=True)
class Unsent:
    """A model that is never asked; it only says what may be asked of it."""

    spec: JudgeSpec

    @property
    def backend(self) -> str:
        """As in the judge's name."""
        return self.spec.backend

    @property
    def model(self) -> str:
        """As in the judge's name."""
        return self.spec.model

    @property
    def endpoint(self) -> str:
        """None."""
        return ""

    @property
    def identity(self) -> Mapping[str, Json]:
        """The name alone."""
        return {"backend": self.backend, "model": self.model}

    @property
    def capabilities(self) -> Capabilities:
        """Those of the small local models, or of a model that follows a schema."""
        small = self.spec.backend == "local"
        return Capabilities(schema=not small, labels=small, one_criterion_at_a_time=small, toy=small)

    @property
    def warnings(self) -> tuple[str, ...]:
        """None."""
        return ()

    def count_tokens(self, text: str) -> int:
        """An estimate."""
        return len(text) // 4 + 1

    async def complete(self, request: Request) -> Reply:
        """Never called."""
        raise AssertionError(f"a request that is only shown was sent: {request.content_hash()}")

    async def close(self) -> None:
        """Nothing to close."""


def shown_requests(
    rubric: Rubric, judge: str, source: str | None = None, dialogue_id: str | None = None
) -> list[dict[str, Json]]:
    """The requests for one item of a dialogue (of the sample data unless a file is named)."""
    if rubric.unit is Unit.PAIR:
        raise UsageError(
            f"{rubric.name} compares pairs of dialogues", fix="Show a rubric for turns or dialogues."
        )
    asked = Pointwise(judge, rubric, Unsent(parse_spec(judge)))
    item = _item(rubric, source, dialogue_id)
    return [
        {
            "system": planned.request.system,
            "shared": planned.request.shared,
            "ask": planned.request.ask,
            "schema": None if planned.request.schema is None else dict(planned.request.schema),
            "labels": list(planned.request.labels),
            "max_tokens": planned.request.max_tokens,
        }
        for planned in asked.requests(item, _SECRET)
    ]


def _item(rubric: Rubric, source: str | None, dialogue_id: str | None) -> Item:
    file = source or str(builtin_folder("datasets") / "small.jsonl")
    for row in read_dialogues([file]):
        if isinstance(row, Read) and dialogue_id in (None, row.dialogue.id):
            items = items_of(row.dialogue, rubric.unit, TurnChoice.ALL)
            if items and _has_needs(rubric, row.dialogue):
                return items[-1]
            if items and dialogue_id is not None:
                return items[-1]
    wanted = "a fitting dialogue" if dialogue_id is None else f"a dialogue {dialogue_id!r}"
    raise UsageError(f"{file} has not {wanted}")


def _has_needs(rubric: Rubric, dialogue: Dialogue) -> bool:
    """Whether the example shows every criterion that needs tools or context."""
    needs = {need.value for criterion in rubric.criteria for need in criterion.needs}
    has_context = bool(dialogue.context) or any(message.context for message in dialogue.messages)
    return ("tools" not in needs or bool(dialogue.tools)) and ("context" not in needs or has_context)
