"""Runs in which every text from outside is a payload, and the harmless run of the same form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalharness.core.dialogue import Dialogue, Document, Message, Tool, ToolCall, Unit
from evalharness.core.scores import OVERALL, Cause, Column, Evidence, Failure, Result, Score, Skip, SkipReason
from evalharness.report.html.strips import Execution
from tests.report.page_beside import standing
from tests.report.page_data import Key, Run, make_run


def hostile_run(payloads: Sequence[str]) -> Run:
    """One dialogue and one judge for each text, with that text in every field there is.

    A number keeps apart what must differ: ids, systems and names of judges.
    """
    talks = [_talk(text, number, payloads[0]) for number, text in enumerate(payloads)]
    columns = {number: _columns(text, number) for number, text in enumerate(payloads)}
    results: dict[Key, tuple[Result, ...]] = {}
    for number, text in enumerate(payloads):
        results[talks[number].id, 1, number] = _said(text)
        results[talks[number].id, 3, number] = _failed(text)
    results[talks[1 % len(talks)].id, 1, 0] = _said(payloads[0])  # two slices of one column
    run = make_run(
        talks, columns, results, partial=payloads[0], toy_judges=(payloads[0],), sources=(payloads[0],),
        notes=((payloads[0], 1),),
    )  # fmt: skip
    stored = tuple(replace(one, source=payloads[one.seq % len(payloads)]) for one in run.stored)
    return replace(run, stored=stored)


def hostile_page(payloads: Sequence[str]) -> str:
    """The page of such a run, with gate, labels, masked kinds and warnings that hold the texts as well."""
    run = hostile_run(payloads)
    first = payloads[0]
    columns = _columns(first, 0)
    beside = standing(
        judge=columns[0].scorer, rubric=columns[0].rubric, criterion=columns[0].criterion, text=first,
        item=(f"00000{first}", 1),
    )  # fmt: skip
    noted = replace(beside, gate_note=first, agreement_note=first)
    execution = Execution(seconds=3.0, requests=2, cost=None, warnings=(first,), version=first)
    return run.page(title=first, standing=noted, execution=execution, masked={first: 3})


def _talk(text: str, number: int, first: str) -> Dialogue:
    unique = f"{number:05d}{text}"
    document = Document(text, text)
    return Dialogue(
        id=unique,
        group=f"g{unique}",
        goal=text,
        tools=(Tool(text, text, {text: text}),),
        context=(document,),
        metadata={"system": f"s{number % 3}{text}", "lang": text if number % 2 else "en", f"k{text}": text,
                  f"slice{first}": f"{number % 2}{first[:50]}"},
        messages=(
            Message("user", text, id=text, name=text),
            Message(
                "assistant", text, id=text, references=(text,), context=(document,), metadata={f"k{text}": text},
                tool_calls=(ToolCall(text, text, text),),
            ),
            Message("tool", text, tool_call_id=text, name=text),
            Message("assistant", text),
        ),
    )  # fmt: skip


def _columns(text: str, number: int) -> tuple[Column, ...]:
    judge = f"{number:05d}{text}"
    common = {
        "scorer": judge,
        "unit": Unit.TURN,
        "signature": text,
        "rubric": f"r{number:05d}{text}",
        "judged": True,
        "note": text,
    }
    return (
        Column(criterion=f"c{text}", low=1.0, high=3.0, passes=">=2", higher_is_better=True, levels=(f"a{text}", f"b{text}", f"c{text}"), **common),
        Column(criterion=f"n{text}", nominal=True, levels=(f"x{text}", f"y{text}"), **common),
        Column(criterion=OVERALL, low=0.0, high=1.0, higher_is_better=True, **common),
    )  # fmt: skip


def _said(text: str) -> tuple[Result, ...]:
    evidence = (Evidence(0, text, True), Evidence(1, text, False))
    score = Score(
        1.0, rationale=text, evidence=evidence, probabilities={f"a{text}": 0.5, f"b{text}": 0.5},
        samples=(1.0, text), extra={f"k{text}": text},
    )  # fmt: skip
    return score, Score(f"x{text}", rationale=text), Score(0.0, rationale=text)


def _failed(text: str) -> tuple[Result, ...]:
    failure = Failure(Cause.NO_VERDICT, text, text)
    return failure, Skip(SkipReason.CANNOT_ASSESS, text), Failure(Cause.INCOMPLETE, text)
