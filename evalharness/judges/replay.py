"""Replaying recorded answers: the same reader of verdicts as for live ones, no model, no cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from evalharness.core.dialogue import Item, Unit
from evalharness.core.rubric import Criterion, Rubric
from evalharness.core.scores import Cause, Column, Failure, Result
from evalharness.data.reading import RecordError
from evalharness.data.recordings import Output, Recordings
from evalharness.judges.aggregate import RAW_LIMIT, Reading, combine_samples
from evalharness.judges.answers import Answer, Unreadable, Verdict, answer_of, fit_number
from evalharness.judges.columns import rubric_columns, with_overall
from evalharness.judges.evidence import checked
from evalharness.judges.interface import Ask
from evalharness.judges.needs import nothing_to_judge, unmet_need
from evalharness.judges.transcript import shared_text, sources, whole
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Client

_NO_OUTPUT = Unreadable(Cause.EMPTY, "the recording holds null for this answer")


@dataclass(frozen=True)
class Replay:
    """A judge whose answers are in a file; implements ``interface.Judge``.

    Several outputs are samples: their mean (majority for labels) is the value, and every one is kept. ``sample``: only
    the output of that number, from 0.
    """

    name: str
    rubric: Rubric
    recordings: Recordings = field(repr=False)
    sample: int | None = None

    @property
    def unit(self) -> Unit:
        """The unit of the rubric."""
        return self.rubric.unit

    @property
    def clients(self) -> tuple[Client, ...]:
        """None: nothing is asked."""
        return ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with the recorded judge and the content's hash."""
        recordings = self.recordings
        return rubric_columns(
            self.name,
            self.rubric,
            {
                "judge": recordings.judge or "unnamed",
                "recording": recordings.digest,
                "protocol": "replay",
            },
        )

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:  # noqa: ARG002 - nothing is asked
        """One result per column, from the file."""
        shown = Shown(lambda: shared_text(item, "", whole(item)))
        parts = sources(item, whole(item))
        results = {c.id: self._result(item, c, shown, parts) for c in self.rubric.criteria}
        return with_overall(self.rubric, results)

    def sample_count(self, item: Item) -> int:
        """The largest number of outputs that are recorded for a criterion of the item; 0 where that can't be told."""
        try:
            counts = [len(self.recordings.outputs(item, c.id) or ()) for c in self.rubric.criteria]
        except RecordError:
            return 0
        return max(counts, default=0)

    def _result(self, item: Item, criterion: Criterion, shown: Shown, parts: dict[str, str]) -> Result:
        skip = nothing_to_judge(item) or unmet_need(item, criterion)
        if skip is not None:
            return skip
        try:
            outputs = self.recordings.outputs(item, criterion.id)
        except RecordError as error:
            return Failure(Cause.SCORER_ERROR, error.message)
        if outputs is not None and self.sample is not None:
            outputs = outputs[self.sample : self.sample + 1]
        if not outputs:
            return Failure(Cause.NOT_RECORDED, f"{self.recordings.source} has no answer for this item")
        readings = [_reading(criterion, output, shown, parts) for output in outputs]
        return combine_samples(criterion, readings, {})


def _reading(criterion: Criterion, output: Output, shown: Shown, parts: dict[str, str]) -> Reading:
    answer = _answer(criterion, output, shown)
    raw = output[:RAW_LIMIT] if isinstance(output, str) else ""
    if isinstance(answer, Verdict):
        return Reading(answer, checked(answer.citations, answer.rationale, parts), raw=raw)
    return Reading(answer, raw=raw)


def _answer(criterion: Criterion, output: Output, shown: Shown) -> Answer:
    if output is None:
        return _NO_OUTPUT
    if isinstance(output, float):
        return answer_of(criterion, fit_number(criterion, output), f"{output:g}")
    answer = read_answers(output, [criterion], shown=shown)[criterion.id]
    if isinstance(answer, Verdict) and not answer.rationale:
        return replace(answer, rationale=_prose(output))
    return answer


def _prose(output: str) -> str:
    """The recorded text as the rationale, where it says more than the verdict."""
    return output.strip()[:RAW_LIMIT] if len(output.split()) > 3 else ""
