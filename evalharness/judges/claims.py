"""Claims: a reply is split into what it states, and each statement is held against the sources by itself.

Sources are the turn's documents, the results of tools, and what user and system said up to it. Several verifications,
by one judge or several, vote; support without words that stand in a source is no support.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item, Unit
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.core.scores import Cause, Column, Evidence, Failure, Result, Score, Skip, SkipReason
from evalharness.data.reading import RecordError
from evalharness.data.recordings import Recordings
from evalharness.errors import UsageError
from evalharness.judges.answers import Unreadable
from evalharness.judges.claim_text import (
    Claim,
    Split,
    by_sentences,
    read_claims,
    read_reply,
    split_hash,
    split_request,
)
from evalharness.judges.claim_votes import (
    SUPPORTED,
    VALUES,
    Judged,
    agreement_of,
    claim_rubric,
    claims_facts,
    has_sources,
    values_of,
    votes_of,
)
from evalharness.judges.columns import TOY_NOTE, model_parts, rubric_columns, sampling_text, with_overall
from evalharness.judges.confidence import VERIFICATIONS_AGREE
from evalharness.judges.interface import Ask, Judge, PlannedRequest
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pointwise import REPAIRABLE, Pointwise
from evalharness.judges.prompt import repair_text
from evalharness.judges.replay import Replay
from evalharness.judges.steps import Shifted, Stepped, about, unique_clients
from evalharness.judges.transcript import shared_text, whole
from evalharness.judges.verdict import Shown
from evalharness.llm.client import Client, ProviderFault

CLAIMS = "claims"
"""The criterion under which a recording holds the list of claims; the verdicts stand under ``C1``, ``C2`` …"""
_TOKENS = 4096


@dataclass(frozen=True)
class Sentences:
    """Splits without a model: every sentence that is no question is a claim."""


@dataclass(frozen=True)
class Asked:
    """Splits by asking a model."""

    client: Client
    options: JudgeOptions


@dataclass(frozen=True)
class Recorded:
    """Splits by what is recorded under the criterion ``claims``."""

    recordings: Recordings = field(repr=False)


Splitter: TypeAlias = Sentences | Asked | Recorded


@dataclass(frozen=True)
class Claims:
    """Verifies the claims of replies; implements ``interface.Judge`` and ``Planned``.

    ``verifiers`` are judges whose rubric is put in place for each reply; each is asked ``verifications`` times.
    ``cited``: a verdict without words that stand in a source does not count, where the verifier can cite at all.
    """

    name: str
    rubric: Rubric
    splitter: Splitter
    verifiers: tuple[Judge, ...]
    verifications: int = 1
    cited: bool = True

    def __post_init__(self) -> None:
        unknown = [c.id for c in self.rubric.criteria if c.id not in VALUES or not _fits(c)]
        if unknown or self.rubric.unit is not Unit.TURN:
            what = f"asks for {unknown[0]!r}" if unknown else f"judges {self.rubric.unit.value}s"
            raise UsageError(
                f"{self.name} counts the claims of replies; {self.rubric.name} {what}",
                fix=f"Use --rubric claims, or a rubric about turns with {', '.join(VALUES)}.",
            )

    @property
    def unit(self) -> Unit:
        """Turns."""
        return Unit.TURN

    @property
    def clients(self) -> tuple[Client, ...]:
        """The models that split and verify."""
        own = (self.splitter.client,) if isinstance(self.splitter, Asked) else ()
        others = unique_clients(self.verifiers)
        return (*own, *(client for client in others if client not in own))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column per criterion, then ``_overall``; signed with the splitter's and every verifier's identity."""
        verifying = [[column.signature for column in judge.columns] for judge in self.verifiers]
        protocol = {
            "judge": "claims",
            **_split_parts(self.splitter),
            "verifiers": ",".join(judge.name for judge in self.verifiers),
            "identity": content_hash([list(group) for group in verifying], 16),
            "protocol": f"claims,n={self.verifications},cited={int(self.cited)}",
        }
        note = TOY_NOTE if any(client.capabilities.toy for client in self.clients) else ""
        return rubric_columns(self.name, self.rubric, protocol, note=note)

    async def judge(self, item: Item, ask: Ask) -> tuple[Result, ...]:
        """One result per column."""
        if not has_sources(item):
            skip = Skip(SkipReason.NO_CONTEXT, "there is neither a document nor a result of a tool")
            return self._all(skip)
        split = await self._split(item, Stepped(ask, "claims"))
        if isinstance(split, Failure):
            return self._all(split)
        claims = [claim for claim in split if claim.in_reply]
        judged = await self._verify(item, claims, ask) if claims else []
        return self._results(judged, [claim for claim in split if not claim.in_reply])

    def requests(self, item: Item, secret: bytes) -> tuple[PlannedRequest, ...]:
        """The request for the claims, and the verifications; what these will ask depends on its answer, so that the
        reply's sentences stand for its claims."""
        if not has_sources(item):
            return ()
        planned: list[PlannedRequest] = []
        if isinstance(self.splitter, Asked):
            tokens = self.splitter.options.max_tokens or _TOKENS
            request = split_request(item, secret, tokens, self.splitter.options.sampling)
            planned.append(PlannedRequest(self.splitter.client, request))
        claims = by_sentences(item)
        for judge in self.verifiers if claims else ():
            plan = getattr(about(judge, claim_rubric(claims)), "requests", None)
            for sample in range(self.verifications):
                planned += [
                    replace(p, sample=p.sample + sample) for p in (plan(item, secret) if plan else ())
                ]
        return tuple(planned)

    async def _split(self, item: Item, ask: Ask) -> tuple[Claim, ...] | Failure:
        match self.splitter:
            case Sentences():
                return by_sentences(item)
            case Recorded(recordings=recordings):
                return _failed(_recorded(recordings, item))
            case Asked(client=client, options=options):
                return await _asked(client, options, item, ask)

    async def _verify(self, item: Item, claims: Sequence[Claim], ask: Ask) -> list[Judged]:
        rubric = claim_rubric(claims)
        paths: list[_Path] = []
        for judge in self.verifiers:
            cites = self.cited and _can_cite(judge)
            for number, path in enumerate(self._paths(about(judge, rubric), item)):
                step = Stepped(Shifted(ask, number), f"verification {number + 1} by {judge.name}")
                paths.append(_Path(await path.judge(item, step), cites, again=number > 0))
        return [_judged(claim, place, paths, item) for place, claim in enumerate(claims)]

    def _paths(self, judge: Judge, item: Item) -> list[Judge]:
        """A verifier once for each verification; of a recording once for each recorded output."""
        if isinstance(judge, Replay):
            return [replace(judge, sample=number) for number in range(max(1, judge.sample_count(item)))]
        return [judge] * self.verifications

    def _results(self, judged: Sequence[Judged], stray: Sequence[Claim]) -> tuple[Result, ...]:
        results: dict[str, Result] = {}
        facts = claims_facts(judged, stray)
        agreed = agreement_of(judged)
        for criterion in self.rubric.criteria:
            result = values_of(criterion, judged, len(stray))
            if isinstance(result, Score | Failure):
                first = all(isinstance(r, Skip) for r in results.values())
                known = {VERIFICATIONS_AGREE: round(agreed, 6)} if agreed is not None else {}
                extra: dict[str, Json] = {**(facts if first else {}), **known}
                result = replace(result, extra=extra or None)
            results[criterion.id] = result
        return with_overall(self.rubric, results)

    def _all(self, result: Result) -> tuple[Result, ...]:
        same: Mapping[str, Result] = {criterion.id: result for criterion in self.rubric.criteria}
        return with_overall(self.rubric, same)


def _fits(criterion: Criterion) -> bool:
    """Whether a value can be computed on the criterion's scale: a share needs two ends, a count none."""
    if criterion.id == SUPPORTED:
        return criterion.scale in (Scale.ORDINAL, Scale.NUMERIC)
    return criterion.scale in (Scale.BINARY, Scale.NUMERIC)


def splitter_of(judge: Judge, options: JudgeOptions) -> Splitter:
    """How a judge splits replies; UsageError for one that can't write a list of claims."""
    if isinstance(judge, Replay):
        return Recorded(judge.recordings)
    if isinstance(judge, Pointwise) and not judge.client.capabilities.one_criterion_at_a_time:
        return Asked(judge.client, options)
    raise UsageError(
        f"{judge.name} can't write down claims",
        fix="Write split: sentences, or split: with a model that writes text.",
    )


def _split_parts(splitter: Splitter) -> dict[str, str]:
    match splitter:
        case Sentences():
            return {"split": "sentences"}
        case Recorded(recordings=recordings):
            return {"split": recordings.digest}
        case Asked(client=client, options=options):
            model = model_parts(client)
            return {
                "split": f"{model['judge']}@{model['identity']}",
                "prompt": split_hash(),
                "sampling": sampling_text(options.sampling),
            }


async def _asked(client: Client, options: JudgeOptions, item: Item, ask: Ask) -> tuple[Claim, ...] | Failure:
    """The claims that a model finds, asked once more where a second answer may be readable."""
    request = split_request(item, ask.secret, options.max_tokens or _TOKENS, options.sampling)
    raw = ""
    split: Split = Unreadable(Cause.NO_VERDICT, "")
    for step in ("split", "split repair"):
        try:
            reply = await ask(client, request, step=step)
        except ProviderFault as fault:
            return Failure(fault.cause, fault.detail)
        split, raw = read_reply(reply, request, item), reply.text
        if not isinstance(split, Unreadable):
            ask.keep(client, request, reply)
            return split
        if not options.repair or split.cause not in REPAIRABLE:
            break
        request = replace(request, ask=request.ask + repair_text(REPAIRABLE[split.cause]))
    return _failed(split, raw)


def _recorded(recordings: Recordings, item: Item) -> Split:
    try:
        outputs = recordings.outputs(item, CLAIMS)
    except RecordError as error:
        return Unreadable(Cause.SCORER_ERROR, error.message)
    if outputs is None:
        return Unreadable(Cause.NOT_RECORDED, f"{recordings.source} has no claims for this item")
    text = outputs[0]
    if not isinstance(text, str):
        return Unreadable(Cause.EMPTY, "the recording holds no text for the claims")
    return read_claims(text, item, Shown(lambda: shared_text(item, "", whole(item))))


def _failed(split: Split, raw: str = "") -> tuple[Claim, ...] | Failure:
    if isinstance(split, Unreadable):
        return Failure(split.cause, f"claims: {split.detail}", raw[:2000] or None)
    return split


@dataclass(frozen=True, slots=True)
class _Path:
    """What one verification says of all claims; ``again``: it is not the first of its verifier."""

    results: tuple[Result, ...]
    cites: bool
    again: bool


def _judged(claim: Claim, place: int, paths: Sequence[_Path], item: Item) -> Judged:
    votes: list[str | Cause] = []
    evidence: list[Evidence] = []
    detail = ""
    for path in paths:
        if path.again and _is_missing(path.results[place]):
            continue
        given, held, why = votes_of(path.results[place], item, cites=path.cites)
        votes += given
        evidence += [piece for piece in held if piece not in evidence]
        detail = detail or why
    return Judged(claim, tuple(votes), tuple(evidence), detail)


def _is_missing(result: Result) -> bool:
    """Whether a recording has fewer outputs for this claim than for another."""
    return isinstance(result, Failure) and result.cause is Cause.NOT_RECORDED


def _can_cite(judge: Judge) -> bool:
    """Whether a verifier's answers have room for evidence: those of small and of decision models have none."""
    return all(not (c.capabilities.one_criterion_at_a_time or c.capabilities.decides) for c in judge.clients)
