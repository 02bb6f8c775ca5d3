"""Small runs for tests of the page, made without a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evalharness.analysis.build import analyse
from evalharness.analysis.slices import facets_of
from evalharness.analysis.types import Analysis, RunFacts
from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall, Unit
from evalharness.core.scores import OVERALL, Cause, Column, Evidence, Failure, Result, Score, Skip, SkipReason
from evalharness.data.ledger.store import OutcomeRow, StoredDialogue
from evalharness.report.page import PageOptions, report_page

LEVELS = ("1", "2", "3", "4", "5")


def judge_columns(judge: str = "gpt-5-mini", rubric: str = "support-reply") -> tuple[Column, ...]:
    """Two criteria and the overall of a judge on turns."""
    signature = f"judge:{judge}|rubric:{rubric}@1234"
    common = {"scorer": judge, "unit": Unit.TURN, "signature": signature, "rubric": rubric, "judged": True}
    return (
        Column(criterion="helpfulness", low=1.0, high=5.0, passes=">=4", higher_is_better=True, levels=LEVELS, **common),
        Column(
            criterion="invented", low=0.0, high=1.0, passes="==0", higher_is_better=False, must=True,
            levels=("no", "yes"), **common,
        ),
        Column(criterion=OVERALL, low=0.0, high=1.0, higher_is_better=True, **common),
    )  # fmt: skip


BLEU = (Column("bleu", "bleu", Unit.TURN, "bleu|v:2", low=0.0, high=100.0, higher_is_better=True),)
LENGTH = (Column("words", "words", Unit.TURN, "words|v:1"),)
TOPIC = (
    Column("gpt-5-mini", "topic", Unit.DIALOGUE, "judge:gpt-5-mini", rubric="topics", nominal=True, judged=True,
           levels=("billing", "delivery")),
)  # fmt: skip

Key = tuple[str, int | None, int]
"""Dialogue id, turn, scorer's number."""


@dataclass(frozen=True)
class Run:
    """Everything that the page is made of."""

    analysis: Analysis
    columns: Mapping[int, tuple[Column, ...]]
    stored: tuple[StoredDialogue, ...]
    rows: tuple[OutcomeRow, ...]

    def pieces(self, **options: object) -> Iterable[str]:
        return report_page(
            self.analysis, self.columns, iter(self.stored), iter(self.rows), PageOptions(**options)  # type: ignore[arg-type]
        )  # fmt: skip

    def page(self, **options: object) -> str:
        return "".join(self.pieces(**options))


def make_run(
    dialogues: Iterable[Dialogue],
    columns: Mapping[int, tuple[Column, ...]],
    results: Mapping[Key, tuple[Result, ...]],
    *,
    items: Mapping[int, int] | None = None,
    **facts: object,
) -> Run:
    """A run with these outcomes, sorted as the ledger hands them out."""
    ordered = sorted(dialogues, key=lambda dialogue: (dialogue.cluster, dialogue.id))
    places = {dialogue.id: seq for seq, dialogue in enumerate(ordered, 1)}
    stored = tuple(
        StoredDialogue(seq, "talks.jsonl", seq, canonical_json(native.to_json(dialogue)))
        for seq, dialogue in enumerate(ordered, 1)
    )
    rows = tuple(
        OutcomeRow(d.id, d.cluster, d.system, turn, scorer, found, places[d.id])
        for d in ordered
        for (name, turn, scorer), found in sorted(
            results.items(), key=lambda pair: (pair[0][1] or -1, pair[0][2])
        )
        if name == d.id
    )
    counts = {number: sum(key[2] == number for key in results) for number in columns}
    run = RunFacts(**{  # type: ignore[arg-type]
        "dialogues": len(ordered),
        "turns": sum(len(d.assistant_turns()) for d in ordered),
        "groups": len({d.cluster for d in ordered}),
        "systems": tuple(sorted({d.system for d in ordered} - {""})),
        "sources": ("talks.jsonl",),
        "rejected": 0,
        "notes": (),
        **facts,
    })  # fmt: skip
    facets = {place: tuple(facets_of(d.metadata)) for d, place in ((d, places[d.id]) for d in ordered)}
    analysis = analyse(run, columns, rows, {**counts, **(items or {})}, facets=lambda row: facets[row.seq])
    return Run(analysis, columns, stored, rows)


def parcel(name: str = "parcel", system: str = "v1", *, reply: str = "It arrives on Monday.") -> Dialogue:
    """A dialogue with a bit of everything: tools, context, references, goal, metadata, a given reply."""
    return Dialogue(
        id=name,
        group="lost-parcel",
        goal="Learn where parcel 7 is.",
        tools=(Tool("track", "Finds a parcel.", {"type": "object", "properties": {"order": {"type": "integer"}}}),),
        context=(Document("Parcels arrive within three days.", "policy"),),
        metadata={"system": system, "lang": "en", "trial": 1},
        messages=(
            Message("system", "You are the support of Moorhen Parcels."),
            Message("assistant", "Hello! How can I help?", given=True),
            Message("user", "Where is my parcel 7?"),
            Message("assistant", "", tool_calls=(ToolCall("track", '{"order":7,"deep":{"a":[1,2]}}', "c1"),)),
            Message("tool", '{"status": "on its way", "eta": "Monday"}', tool_call_id="c1"),
            Message(
                "assistant", reply, id="a2", references=("It comes on Monday.",),
                context=(Document("Parcel 7: Monday", "doc1"),), metadata={"ms": 12},
            ),
        ),
    )  # fmt: skip


def good(note: str = "Names the day. See [M4].") -> tuple[Result, ...]:
    """What a judge says about a good reply."""
    quote = Evidence(4, "on its way", True)
    return (
        Score(5.0, rationale=note, evidence=(quote,)),
        Score(0.0, rationale="Nothing invented."),
        Score(1.0),
    )


def poor() -> tuple[Result, ...]:
    """What a judge says about a poor reply."""
    return (
        Score(1.5, rationale="Ignores the question.", evidence=(Evidence(5, "tomorrow", False),), samples=(1.0, 2.0, Cause.NO_VERDICT)),
        Score(1.0, probabilities={"no": 0.25, "yes": 0.75}),
        Score(0.0),
    )  # fmt: skip


def failed(cause: Cause = Cause.TIMEOUT) -> tuple[Result, ...]:
    """What is stored when a judge fails."""
    failure = Failure(cause, "no answer within 60 s", "I would say")
    return failure, failure, Failure(Cause.INCOMPLETE, "no value for helpfulness")


def skipped() -> tuple[Result, ...]:
    """What is stored when there is nothing to judge."""
    skip = Skip(SkipReason.NO_CONTEXT, "no documents")
    return skip, skip, skip


def small_run(**facts: object) -> Run:
    """Three dialogues of two systems, two judges on turns, one on dialogues, two metrics."""
    names = ("parcel", "parcel-v2", "refund")
    talks = [
        parcel(names[0]),
        parcel(names[1], "v2", reply="I can't say."),
        parcel(names[2], "v2", reply="In June."),
    ]
    columns = {1: judge_columns(), 2: judge_columns("claude-haiku"), 3: TOPIC, 4: BLEU, 5: LENGTH}
    results: dict[Key, tuple[Result, ...]] = {}
    for name in names:
        for turn in (3, 5):
            results[name, turn, 1] = good()
            results[name, turn, 2] = good("Fine.")
            results[name, turn, 4] = (Score(62.5),) if turn == 5 else (Skip(SkipReason.NO_REFERENCE),)
            results[name, turn, 5] = (Score(float(len(name))),)
        results[name, None, 3] = (Score("delivery", rationale="It is about a parcel."),)
    results["parcel-v2", 5, 1] = poor()
    results["refund", 5, 1] = failed()
    results["refund", 3, 2] = skipped()
    results["refund", None, 3] = (Score("billing"),)
    return make_run(talks, columns, results, **facts)
