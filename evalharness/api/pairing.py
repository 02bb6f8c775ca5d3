"""`pairwise`: systems against each other on the same scenarios, both orders, a run folder and a ranking out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from evalharness.analysis.pairwise import Comparison, PairwiseAnalysis, contest
from evalharness.api.folder import UNFINISHED, RunFolder
from evalharness.api.redacting import Masking, Redaction
from evalharness.api.version import version
from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Item, TurnChoice
from evalharness.core.pairs import OWN_ID, Order
from evalharness.core.scores import Column, Result, status_of
from evalharness.data.cache import VerdictCache
from evalharness.data.dialogues import Read, ReadOptions, Rejected, read_dialogues
from evalharness.data.files import private_folder, write_text
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.data.lock import exclusive
from evalharness.data.rubrics import load_rubric
from evalharness.data.sources import expand
from evalharness.engine.asking import Desk
from evalharness.engine.budget import Budget, check_priced
from evalharness.engine.ingest import ingest
from evalharness.engine.judging import Stopped
from evalharness.engine.pairs import Match, Matched, match_all, pair_scorer_key, run_pair_judges
from evalharness.engine.plan import REDACT, Limits, check_same_facts
from evalharness.engine.progress import Progress, Silent
from evalharness.engine.run import Finished, Interrupt, run_asking
from evalharness.errors import InputError, Problem, UsageError
from evalharness.judges.listwise import MOST_LISTED
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pair_panel import PairPanel
from evalharness.judges.pair_spec import make_pair_judges
from evalharness.judges.pairwise import PairJudge
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import Bounds, LimiterPool
from evalharness.report.execution import execution_json
from evalharness.report.pairwise import pairwise_json, pairwise_markdown, preference_lines
from evalharness.report.scores import result_facts

BY_FILE = "file"


@dataclass(frozen=True, slots=True)
class PairwiseJob:
    """Everything that `evalharness pairwise` can be told.

    ``by`` is ``file`` (each file is one system, named by its stem) or a metadata key whose values are the systems.
    ``whole`` compares whole dialogues instead of replies; ``listwise`` ranks all systems' answers at once.
    ``composed_judges`` are those that the settings make of others.
    """

    sources: tuple[str, ...]
    out: Path
    judges: tuple[str, ...]
    rubrics: tuple[str, ...]
    by: str = BY_FILE
    whole: bool = False
    listwise: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)
    turns: TurnChoice = TurnChoice.ALL
    limits: Limits = field(default_factory=Limits)
    judge_options: JudgeOptions = field(default_factory=JudgeOptions)
    model_options: Mapping[str, Json] = field(default_factory=dict)
    composed_judges: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)
    skip_bad_lines: bool = False
    retry_failed: bool = False
    use_cache: bool = True
    epoch: str = ""
    redaction: Redaction | None = None


@dataclass(frozen=True, slots=True)
class PairwiseResult:
    """A comparison that ended: its folder and Analysis, every judged pair by column, and whether it got through."""

    folder: RunFolder
    analysis: PairwiseAnalysis
    finished: Finished
    warnings: tuple[str, ...]
    comparisons: tuple[tuple[Column, tuple[Comparison, ...]], ...] = ()


def run_pairwise(
    job: PairwiseJob, progress: Progress | None = None, stdin: BinaryIO | None = None
) -> PairwiseResult:
    """Compare, or resume comparing; the same job on the same folder goes on where it stopped.

    Raises ``InputError`` for bad input or fewer than two systems, ``UsageError`` for judges or rubrics that don't
    fit, ``RunConflictError`` where the folder holds another run.
    """
    if not job.judges or not job.rubrics:
        raise UsageError("pairwise needs --judge and --rubric", fix="Add --rubric mt-bench-pair --judge …")
    rubrics = [load_rubric(name) for name in job.rubrics]
    judges = make_pair_judges(
        job.judges,
        rubrics,
        job.judge_options,
        job.model_options,
        job.composed_judges,
        listwise=job.listwise,
    )
    started = time.monotonic()
    folder = RunFolder(private_folder(job.out))
    with exclusive(folder.path), Ledger(folder.ledger) as ledger, ExitStack() as stack:
        check_same_facts(ledger.get("plan"), _facts(job, judges), str(folder.path))
        masking = None if job.redaction is None else Masking(job.redaction)
        rows = system_rows(job, stdin) if masking is None else masking.rows(system_rows(job, stdin))
        ingest(ledger, rows, folder.rejects, skip_bad=job.skip_bad_lines, update=False)
        ledger.set("plan", _facts(job, judges))
        ledger.set("kind", "pairwise")
        ledger.set("partial", UNFINISHED)
        systems = _systems(ledger)
        if job.listwise and len(systems) > MOST_LISTED:
            raise UsageError(
                f"{len(systems)} systems; at most {MOST_LISTED} are ranked at once",
                fix="Leave out --listwise.",
            )
        matched = match_all(ledger, systems, None if job.whole else job.turns)
        if not matched.matches:
            raise InputError(
                "no two systems answer the same scenario",
                fix="Give answers to one scenario the same group (or id), in each file.",
            )
        desk = _desk(ledger, judges, job, stack)
        work = partial(_work, desk, judges, matched.matches, job, progress or Silent())
        clients = [client for judge in judges for client in judge.clients]
        finished = run_asking(work, desk, clients, progress or Silent())
        ledger.set("partial", _partial(finished))
        comparisons = tuple(_comparisons(ledger, judges, matched))
        analysis = _analyse(comparisons, systems, matched, _partial(finished))
        warnings = tuple(dict.fromkeys(w for client in clients for w in client.warnings))
        warnings = warnings if masking is None else (*warnings, masking.words)
        _write(folder, ledger, judges, matched, analysis, desk, time.monotonic() - started, warnings)
    return PairwiseResult(folder, analysis, finished, warnings, comparisons)


async def _work(
    desk: Desk,
    judges: Sequence[PairJudge],
    matches: Sequence[Match],
    job: PairwiseJob,
    progress: Progress,
    interrupt: Interrupt,
) -> tuple[Stopped, ...]:
    return await run_pair_judges(
        desk, judges, matches, job.limits, progress, interrupt, retry_failed=job.retry_failed
    )


def _facts(job: PairwiseJob, judges: Sequence[PairJudge]) -> dict[str, Json]:
    """What a resume must find unchanged, by the name that a message would use for it."""
    facts: dict[str, Json] = {
        "--by": job.by,
        "--whole": job.whole,
        "--turns": job.turns.value,
        "epoch": job.epoch,
    }
    if job.redaction is not None:
        facts[REDACT] = job.redaction.redactor.facts
    for judge in judges:
        name = f"judge {judge.name} on {judge.rubric.name}"
        if name in facts:
            raise UsageError(f"{judge.name!r} is named twice", fix="Give one an alias: --judge second=…")
        facts[name] = [column.signature for column in judge.columns]
    return facts


def system_rows(job: PairwiseJob, stdin: BinaryIO | None = None) -> Iterator[Read | Rejected]:
    """The dialogues of all files, each with its system's name and an id that no other system's dialogue has."""
    if job.by != BY_FILE:
        for row in read_dialogues(job.sources, job.read, stdin=stdin):
            yield (row if isinstance(row, Rejected) else _named(row, _system_of(row, job.by)))
        return
    for source, name in zip(expand(job.sources), _file_names(expand(job.sources)), strict=True):
        for row in read_dialogues([source], job.read, stdin=stdin):
            yield row if isinstance(row, Rejected) else _named(row, name)


def _system_of(read: Read, key: str) -> str:
    value = read.dialogue.metadata.get(key)
    if value is None or value == "":
        message = f"dialogue {read.dialogue.id!r} has no metadata {key!r}, which --by names"
        raise InputError(
            Problem(message, read.origin.source, read.origin.line, fix="Add it, or use --by file.")
        )
    return str(value)


def _named(read: Read, system: str) -> Read:
    dialogue = read.dialogue
    tagged = replace(
        dialogue,
        id=f"{system}/{dialogue.id}",
        group=dialogue.cluster,
        metadata={**dialogue.metadata, "system": system, OWN_ID: dialogue.id},
    )
    return replace(read, dialogue=tagged)


def _file_names(sources: Sequence[str]) -> list[str]:
    """The stem of each file; its whole path where two files have the same."""
    stems = [Path(source).name.split(".")[0] or source for source in sources]
    return [source if stems.count(stem) > 1 else stem for source, stem in zip(sources, stems, strict=True)]


def _systems(ledger: Ledger) -> list[str]:
    names: dict[str, None] = {}
    for block in ledger.dialogue_blocks(1000):
        names.update((stored.load().system, None) for stored in block)
    if len(names) < 2:
        raise InputError(
            f"there is one system only: {next(iter(names), '')!r}",
            fix="Name two files, or with one file --by KEY, a metadata key that tells the systems apart.",
        )
    return list(names)


def _desk(ledger: Ledger, judges: Sequence[PairJudge], job: PairwiseJob, stack: ExitStack) -> Desk:
    limits = job.limits
    prices = Prices.from_settings(job.prices)
    asks = any(judge.clients for judge in judges)
    cache = VerdictCache() if job.use_cache and asks else None
    if cache is not None:
        stack.callback(cache.close)
    if limits.max_cost is not None:
        for client in (client for judge in judges for client in judge.clients):
            check_priced(prices, client)
    spent = sum(
        row.cost if row.cost is not None else (row.possible or 0.0) for row in ledger.attempt_totals()
    )
    return Desk(
        ledger=ledger,
        cache=cache,
        limiters=LimiterPool(Bounds(limits.concurrency, limits.rpm, limits.tpm, limits.max_wait)),
        policy=RetryPolicy(
            attempts=limits.attempts, deadline=limits.deadline, attempt_timeout=limits.attempt_timeout
        ),
        budget=Budget(prices, limits.max_cost, None, spent),
        secret=ledger.secret(),
        epoch=job.epoch,
    )


def _partial(finished: Finished) -> str | None:
    if finished.complete:
        return None
    if finished.signal is not None:
        return "interrupted"
    return "; ".join(f"{stop.judge} stopped: {stop.fault.cause.value}" for stop in finished.stopped)


class _Verdicts:
    """The stored results of a judge, by pair and order; a panel's votes are counted where both orders are there."""

    def __init__(self, ledger: Ledger, judge: PairJudge) -> None:
        self._ledger = ledger
        self._judge = judge
        self._rows: dict[int, dict[ItemRef, tuple[Result, ...]]] | None = None
        self._numbers: dict[str, int] = {}

    def of(self, match: Match) -> dict[Order, tuple[Result, ...]]:
        rows = self._load()
        found: dict[Order, tuple[Result, ...]] = {}
        for order in Order:
            key = pair_scorer_key(self._judge.columns, match.systems, order)
            results = rows.get(self._numbers.get(key, -1), {}).get(match.ref)
            if results is not None:
                found[order] = results
        return self._judge.settled(found) if isinstance(self._judge, PairPanel) else found

    def _load(self) -> dict[int, dict[ItemRef, tuple[Result, ...]]]:
        """All outcomes of the run, read with their checksums."""
        if self._rows is None:
            self._numbers = self._ledger.scorer_keys()
            self._rows = {}
            for row in self._ledger.outcomes():
                self._rows.setdefault(row.scorer, {})[ItemRef(row.seq, row.turn)] = row.results
        return self._rows


def _comparisons(
    ledger: Ledger, judges: Sequence[PairJudge], matched: Matched
) -> Iterator[tuple[Column, tuple[Comparison, ...]]]:
    for judge in judges:
        verdicts = _Verdicts(ledger, judge)
        for place, column in enumerate(judge.columns):
            yield column, tuple(_comparison(match, verdicts, place) for match in matched.matches)


def _analyse(
    comparisons: Sequence[tuple[Column, Sequence[Comparison]]],
    systems: Sequence[str],
    matched: Matched,
    partial_reason: str | None,
) -> PairwiseAnalysis:
    contests = [contest(column, systems, judged) for column, judged in comparisons]
    groups = len({match.a.dialogue.cluster for match in matched.matches})
    return PairwiseAnalysis(
        tuple(systems), groups, len(matched.matches), matched.alone, tuple(contests), partial_reason
    )


def _comparison(match: Match, verdicts: _Verdicts, place: int) -> Comparison:
    results = {order: found[place] for order, found in verdicts.of(match).items()}
    gap = _length(match.a) - _length(match.b)
    places = tuple((item.dialogue.id, item.turn) for item in (match.a, match.b))
    return Comparison(match.a.dialogue.cluster, match.systems, results, gap, places)


def _length(item: Item) -> int:
    """Characters of the reply, or of all replies of a whole dialogue."""
    if item.turn is not None:
        return len(item.message.content)
    return sum(len(m.content) for m in item.dialogue.messages if m.role == "assistant" and not m.given)


def _write(
    folder: RunFolder,
    ledger: Ledger,
    judges: Sequence[PairJudge],
    matched: Matched,
    analysis: PairwiseAnalysis,
    desk: Desk,
    seconds: float,
    warnings: Sequence[str],
) -> None:
    """Write pairwise.json, pairs.jsonl, pairwise.md and execution.json, each whole or not at all."""
    write_text(folder.path / "pairwise.json", pairwise_json(analysis))
    write_text(folder.path / "pairwise.md", pairwise_markdown(analysis))
    write_text(folder.path / "pairs.jsonl", preference_lines(_preferences(ledger, judges, matched)))
    columns = ledger.scorers()
    write_text(
        folder.execution,
        execution_json(ledger.attempt_totals(), columns, desk.cached, seconds, warnings, version()),
    )


def _preferences(
    ledger: Ledger, judges: Iterable[PairJudge], matched: Matched
) -> Iterator[tuple[Column, dict[str, Json]]]:
    for judge in judges:
        verdicts = _Verdicts(ledger, judge)
        for match in matched.matches:
            for order, results in verdicts.of(match).items():
                for column, result in zip(judge.columns, results, strict=True):
                    yield (
                        column,
                        {**_place(match, order), "status": status_of(result), **result_facts(result)},
                    )


def _place(match: Match, order: Order) -> dict[str, Json]:
    first, second = match.systems
    return {
        "dialogue_a": _own_id(match.a.dialogue),
        "dialogue_b": _own_id(match.b.dialogue),
        "turn": match.a.turn,
        "turn_b": match.b.turn,
        "order": order.value,
        "group": match.a.dialogue.cluster,
        "system_a": first,
        "system_b": second,
    }


def _own_id(dialogue: Dialogue) -> str:
    return str(dialogue.metadata.get(OWN_ID, dialogue.id))
