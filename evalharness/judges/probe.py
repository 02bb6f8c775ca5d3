"""What is wrong with a judge: one tiny item is sent, and every oddity of the answer becomes a finding with advice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Item, Message, Unit
from evalharness.core.rubric import Criterion, Level, PassRule, Rubric, Scale
from evalharness.core.scores import Cause
from evalharness.core.text import one_line
from evalharness.errors import EvalHarnessError
from evalharness.judges.aggregate import Reading
from evalharness.judges.answers import CannotAssess, Unreadable, Verdict
from evalharness.judges.columns import TOY_NOTE
from evalharness.judges.decision import Decision, read_decision
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pointwise import Pointwise
from evalharness.judges.prompt import Window
from evalharness.judges.reading import read_reply
from evalharness.judges.spec import JudgeSpec, parse_spec, spec_client, without_login
from evalharness.judges.transcript import whole
from evalharness.judges.verdict_json import json_objects
from evalharness.llm.client import Client, ProviderFault, Reply, Request

DEADLINE = 120.0
"""Seconds that the one request may take."""


class Grade(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about the judge; ``advice`` says what to do about it, where something can be done."""

    grade: Grade
    what: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """The outcome of a probe. ``usable``: the judge gave a verdict that can be read."""

    judge: str
    usable: bool
    findings: tuple[Finding, ...]
    model: str = ""
    seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    raw: str = ""


_ADVICE: Mapping[Cause, str] = {
    Cause.AUTH: "Check that the key is right and that its account may use this model.",
    Cause.QUOTA: "Top up the account, or use another judge.",
    Cause.MODEL_NOT_FOUND: "Check the model's name; old models are shut down.",
    Cause.CONNECTION: "Check the address, and that a server is running there.",
    Cause.TIMEOUT: "The server takes too long even for one short question; it may be loading the model.",
    Cause.RATE_LIMITED: "Wait, or lower --concurrency and set --rpm.",
    Cause.SERVER_ERROR: "The provider has a fault; try again later.",
    Cause.PROTOCOL: "What answers there does not speak this API: check the address, or try --api chat.",
    Cause.BAD_REQUEST: "The model refuses an option; state what it takes under models: in the settings.",
    Cause.TOO_LONG: "The model's window is too small for any prompt of ours.",
    Cause.TRUNCATED: "Raise --max-tokens; hidden reasoning counts too.",
    Cause.REFUSAL: "The model refuses even a harmless item; use another one.",
    Cause.FILTERED: "A content filter stops even a harmless item; check the account's filters.",
    Cause.EMPTY: "The model writes nothing; check its chat template, or raise --max-tokens.",
    Cause.NO_VERDICT: "The model does not follow the instructions; use a larger one, or --per-criterion.",
    Cause.TWO_VERDICTS: "The model contradicts itself; use a larger one.",
    Cause.OUT_OF_RANGE: "The model ignores the scale; use one with structured output.",
}


async def probe_judge(
    spec: str | JudgeSpec, options: JudgeOptions | None = None, models: Mapping[str, Json] | None = None
) -> Probe:
    """Try a judge by its name: everything that can go wrong becomes a finding, only bugs are raised."""
    name = without_login(spec if isinstance(spec, str) else spec.name)
    try:
        parsed = parse_spec(spec) if isinstance(spec, str) else spec
        if parsed.backend == "replay":
            return _probe_recordings(parsed)
        client = spec_client(parsed, models or {})
    except EvalHarnessError as error:
        return Probe(name, False, _problems(error))
    try:
        return await probe_client(parsed.name, client, options)
    finally:
        await client.close()


async def probe_client(name: str, client: Client, options: JudgeOptions | None = None) -> Probe:
    """Send one tiny item to a model, in one attempt, and judge the answer."""
    judge = _judge(name, client, options or JudgeOptions())
    request = judge.requests(ITEM, b"probe")[0].request
    started = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE):
            reply = await client.complete(request)
    except ProviderFault as fault:
        return Probe(name, False, (_fault(fault.cause, fault.detail), *_standing(client)))
    except TimeoutError:
        return Probe(name, False, (_fault(Cause.TIMEOUT, f"no answer in {DEADLINE:g} s"), *_standing(client)))
    except EvalHarnessError as error:
        return Probe(name, False, _problems(error))
    reading = _reading(reply, request)
    return Probe(
        judge=name,
        usable=not isinstance(reading.answer, Unreadable),
        findings=tuple(_findings(client, request, reply, reading)),
        model=reply.model,
        seconds=time.monotonic() - started,
        input_tokens=reply.usage.input_tokens,
        output_tokens=reply.usage.output_tokens,
        raw=reply.text[:2000],
    )


def _judge(name: str, client: Client, options: JudgeOptions) -> Pointwise | Decision:
    kind = Decision if client.capabilities.decides else Pointwise
    return kind(name, RUBRIC, client, options)


def _reading(reply: Reply, request: Request) -> Reading:
    criterion = RUBRIC.criteria[0]
    if request.questions:
        return read_decision(reply, RUBRIC.criteria)[criterion.id]
    return read_reply(reply, request, ITEM, Window(whole(ITEM)), RUBRIC.criteria)[criterion.id]


def _findings(client: Client, request: Request, reply: Reply, reading: Reading) -> Iterator[Finding]:
    yield _verdict(reading)
    if request.schema is not None:
        yield from _structure(client, reply)
    if reading.probabilities is not None:
        kind = "a probability for every level" if request.questions else "token probabilities"
        yield Finding(Grade.OK, f"it gives {kind}: values are expectations over the levels")
    elif client.capabilities.logprobs or client.capabilities.labels:
        yield Finding(Grade.NOTE, "it was asked for token probabilities and gave none that could be used")
    if reply.model and not client.model.endswith(reply.model):
        yield Finding(
            Grade.NOTE,
            f"{one_line(reply.model, 80)} answered, {client.model} was asked",
            "Name the dated model to compare runs over time.",
        )
    if not reply.usage.input_tokens:
        yield Finding(Grade.NOTE, "it reports no token counts, so costs can't be computed")
    yield from _standing(client)


def _verdict(reading: Reading) -> Finding:
    match reading.answer:
        case Verdict(value=value):
            shown = value if isinstance(value, str) else f"{value:g}"
            return Finding(
                Grade.OK, f"it answered a plain question with a verdict that can be read ({shown})"
            )
        case CannotAssess():
            return Finding(Grade.NOTE, "it says that it can't assess a plain item", "Use a larger model.")
        case Unreadable(cause=cause, detail=detail):
            return _fault(cause, detail)


def _structure(client: Client, reply: Reply) -> Iterator[Finding]:
    bare = reply.text.strip()
    objects = json_objects(bare) if len(bare) < 100_000 else ()
    if objects and objects[0].text == bare:
        kind = "structured output works" if client.capabilities.schema else "it answers in JSON as instructed"
        yield Finding(Grade.OK, kind)
    else:
        yield Finding(
            Grade.PROBLEM if client.capabilities.schema else Grade.NOTE,
            "its answer is not the JSON that was asked for: the server seems to ignore the schema",
            "Try --api chat, a server with structured output, or --per-criterion.",
        )


def _standing(client: Client) -> Iterator[Finding]:
    """What is known of the judge without asking it."""
    for warning in client.warnings:
        yield Finding(Grade.NOTE, warning)
    if client.capabilities.toy:
        yield Finding(Grade.NOTE, TOY_NOTE)


def _fault(cause: Cause, detail: str) -> Finding:
    advice = _ADVICE.get(cause, "See the error page of the documentation.")
    return Finding(Grade.PROBLEM, f"{cause.value}: {one_line(detail, 300)}", advice)


def _problems(error: EvalHarnessError) -> tuple[Finding, ...]:
    return tuple(Finding(Grade.PROBLEM, p.message, p.fix or "") for p in error.problems)


def _probe_recordings(spec: JudgeSpec) -> Probe:
    from evalharness.data.recordings import read_recordings

    recordings = read_recordings(spec.model)
    counts = ", ".join(f"{name} {count}" for name, count in recordings.criteria.items())
    findings = [Finding(Grade.OK, f"recordings by criterion: {one_line(counts, 300)}")]
    for count, what in ((recordings.pair_count, "are about pairs"), (recordings.list_count, "are rankings")):
        if count:
            findings.append(Finding(Grade.NOTE, f"{count} of them {what}"))
    if not recordings.judge:
        advice = 'Write {"judge": "NAME"} in the first line.'
        findings.append(Finding(Grade.NOTE, "the recording does not say which judge it is of", advice))
    return Probe(spec.name, True, tuple(findings), model=recordings.judge)


RUBRIC = Rubric(
    name="probe",
    version="1",
    unit=Unit.TURN,
    about="An assistant answers a simple question.",
    criteria=(
        Criterion(
            id="correct",
            question="Is the answer right?",
            scale=Scale.ORDINAL,
            levels=(
                Level("1", "It is wrong.", 1.0),
                Level("2", "It is partly right.", 2.0),
                Level("3", "It is right.", 3.0),
            ),
            passes=PassRule(">=", 3.0),
        ),
    ),
)
"""The rubric of the probe."""

ITEM = Item(
    Dialogue(
        "probe",
        (
            Message("user", "How many days are there in a week?"),
            Message("assistant", "There are seven days in a week."),
        ),
    ),
    1,
)
"""The item of the probe."""
