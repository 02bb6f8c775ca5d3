"""Score dialogues with metrics and rubric judges, measure judges against humans, gate CI on quality.

    from evalharness import score, open_run

    result = score("logs.jsonl", metrics=["bleu", "rouge"])
    for row in result.analysis.columns:
        print(row.column.criterion, row.mean.value, row.tally)

Everything listed in ``__all__`` is public and stays; the rest of the package may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.analysis.types import Analysis, ColumnSummary, Tally
    from evalharness.api.notebook import Run, open_run, score
    from evalharness.api.testing import assert_quality
    from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool, ToolCall
    from evalharness.core.rubric import Criterion, Rubric
    from evalharness.core.scores import Cause, Failure, Score, Skip, SkipReason
    from evalharness.data.dialogues import ReadOptions, read_dialogues
    from evalharness.data.rubrics import load_rubric, parse_rubric
    from evalharness.errors import EvalHarnessError

_HOME = {
    "Analysis": "analysis.types",
    "Cause": "core.scores",
    "ColumnSummary": "analysis.types",
    "Criterion": "core.rubric",
    "Dialogue": "core.dialogue",
    "Document": "core.dialogue",
    "EvalHarnessError": "errors",
    "Failure": "core.scores",
    "Item": "core.dialogue",
    "Message": "core.dialogue",
    "ReadOptions": "data.dialogues",
    "Rubric": "core.rubric",
    "Run": "api.notebook",
    "Score": "core.scores",
    "Skip": "core.scores",
    "SkipReason": "core.scores",
    "Tally": "analysis.types",
    "Tool": "core.dialogue",
    "ToolCall": "core.dialogue",
    "assert_quality": "api.testing",
    "load_rubric": "data.rubrics",
    "open_run": "api.notebook",
    "parse_rubric": "data.rubrics",
    "read_dialogues": "data.dialogues",
    "score": "api.notebook",
}

__all__ = [
    "Analysis",
    "Cause",
    "ColumnSummary",
    "Criterion",
    "Dialogue",
    "Document",
    "EvalHarnessError",
    "Failure",
    "Item",
    "Message",
    "ReadOptions",
    "Rubric",
    "Run",
    "Score",
    "Skip",
    "SkipReason",
    "Tally",
    "Tool",
    "ToolCall",
    "assert_quality",
    "load_rubric",
    "open_run",
    "parse_rubric",
    "read_dialogues",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'evalharness' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"evalharness.{_HOME[name]}"), name)
