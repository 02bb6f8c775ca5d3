"""A scenario: what a scripted user says to a system under test, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Document, Tool


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scripted conversation. ``references`` maps reply numbers (from 1) to known good replies."""

    id: str
    user: tuple[str, ...]
    goal: str | None = None
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    context: tuple[Document, ...] = ()
    references: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def content(self) -> str:
        """A hash of all that is played, so that a changed scenario is played anew."""
        tools: list[Json] = [[tool.name, tool.description, dict(tool.parameters)] for tool in self.tools]
        documents: list[Json] = [[doc.id, doc.text] for doc in self.context]
        references: dict[str, Json] = {str(number): list(texts) for number, texts in self.references.items()}
        said: list[Json] = [*self.user, self.goal, self.system]
        return content_hash([said, tools, documents, references, dict(self.metadata)], 32)
