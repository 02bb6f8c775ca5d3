"""The main job: dialogues in, scorers over them, a run folder and reports out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from evalharness.analysis.types import Analysis
from evalharness.api.folder import UNFINISHED, RunFolder
from evalharness.api.recipe import ASKED, recipe
from evalharness.api.redacting import Masking, Redaction, check_not_added, keep_counts
from evalharness.api.rendering import write_outputs
from evalharness.core.canonical import Json
from evalharness.core.dialogue import TurnChoice
from evalharness.core.metric import Metric
from evalharness.data.cache import VerdictCache
from evalharness.data.calibrations import curves_for
from evalharness.data.dialogues import Read, ReadOptions, Rejected, read_dialogues
from evalharness.data.files import private_folder
from evalharness.data.ledger.batches import OPEN, StoredBatch
from evalharness.data.ledger.store import Ledger, copy_ledger
from evalharness.data.lock import exclusive
from evalharness.data.rubrics import load_rubric
from evalharness.engine.answering import Answering
from evalharness.engine.asking import Desk
from evalharness.engine.batch_rounds import Batching, check_batchable
from evalharness.engine.blocks import WorkerJob
from evalharness.engine.budget import Budget, check_priced, parse_share
from evalharness.engine.estimate import JudgeEstimate, estimate
from evalharness.engine.garbage import seldom_collected
from evalharness.engine.ingest import ingest
from evalharness.engine.judging import item_count
from evalharness.engine.keeping import KeeperJob
from evalharness.engine.on_ray import Cluster, RayRun, check_ray, execute_on_ray
from evalharness.engine.plan import (
    Limits,
    RunPlan,
    check_distinct,
    check_needs,
    check_unchanged,
    scorer_key,
    title,
)
from evalharness.engine.progress import Progress, Silent
from evalharness.engine.run import Finished, execute
from evalharness.engine.settling import check_settling, settle
from evalharness.engine.shards import WHOLE_INPUT, Shard, Whole, only_shard
from evalharness.errors import UsageError
from evalharness.judges.interface import Judge
from evalharness.judges.options import JudgeOptions
from evalharness.judges.spec import make_judges
from evalharness.llm.pricing import Prices
from evalharness.llm.retry import RetryPolicy
from evalharness.llm.throttle import Bounds, LimiterPool
from evalharness.metrics.spec import parse_metrics


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Everything that `evalharness score` can be told.

    ``metrics`` and ``checks`` are specifications like ``bleu`` and ``contains:refund``; ``judges`` like
    ``openai:MODEL`` or ``alias=local:smollm2``; ``rubrics`` names or paths: every judge answers every rubric.
    ``calibration`` is a file of `evalharness calibrate`: scores of the judges that it was made for are calibrated, too.
    ``composed_judges`` are those that the settings make of others. ``offline`` answers from the verdict cache alone: a
    model that would have to be reached stops its judge.
    ``redaction`` masks dialogues as they are read, so that neither judges nor the run folder see what it masks.
    ``batches`` says how providers' batch APIs are used; without it everything is asked live but what is in a batch.
    ``offline`` answers from the verdict cache alone: a model that would have to be reached stops its judge.
    ``cluster`` scores on Ray instead of in this process.
    """

    sources: tuple[str, ...]
    out: Path
    metrics: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    rubrics: tuple[str, ...] = ()
    read: ReadOptions = field(default_factory=ReadOptions)
    turns: TurnChoice = TurnChoice.ALL
    limits: Limits = field(default_factory=Limits)
    judge_options: JudgeOptions = field(default_factory=JudgeOptions)
    model_options: Mapping[str, Json] = field(default_factory=dict)
    composed_judges: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)
    skip_bad_lines: bool = False
    update: bool = False
    retry_failed: bool = False
    use_cache: bool = True
    epoch: str = ""
    limit: int | None = None
    shard: Shard | None = None
    offline: bool = False
    allow_moved_model: bool = False
    calibration: Path | None = None
    redaction: Redaction | None = None
    batches: Batching | None = None
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that ended: its folder and Analysis, and why it is incomplete, if it is."""

    folder: RunFolder
    analysis: Analysis
    finished: Finished
    warnings: tuple[str, ...]
    batches: tuple[StoredBatch, ...] = ()
    """The batches that items wait for."""

    @property
    def complete(self) -> bool:
        """Whether every scorer got through all its items."""
        return self.finished.complete


def run_score(job: ScoreJob, progress: Progress | None = None, stdin: BinaryIO | None = None) -> RunResult:
    """Score, or resume scoring; the same job on the same folder goes on where it stopped.

    Raises ``InputError`` for bad input, ``UsageError`` for scorers that don't fit, ``RunConflictError`` where the
    folder holds another run. A provider that refuses for good does not raise: the result is incomplete.
    """
    watcher = progress or Silent()
    plan = make_plan(job)
    curves = _curves(job, plan)
    if job.cluster is not None:
        check_ray(job.cluster)
    started = time.monotonic()
    folder = RunFolder(private_folder(job.out))
    with exclusive(folder.path), Ledger(folder.ledger) as ledger, ExitStack() as stack:
        stack.enter_context(seldom_collected())
        _check_same(ledger, job, plan)
        masking = None if job.redaction is None else Masking(job.redaction)
        whole = None if job.shard is None else Whole()
        rows = _wanted_rows(job, stdin, masking, whole)
        ingest(ledger, rows, folder.rejects, skip_bad=job.skip_bad_lines, update=job.update, whole=whole)
        if whole is not None:
            ledger.set(WHOLE_INPUT, whole.to_json() if job.limit is None else {"limit": job.limit})
        if masking is not None:
            keep_counts(ledger, masking.facts)
        _record_plan(ledger, job, plan, curves)
        if job.cluster is None:
            desk = make_desk(ledger, plan, job, stack.callback)
            finished = execute(ledger, desk, plan, watcher, _batching(job, ledger))
            cached, told = desk.cached, _warnings(plan)
        else:
            ran = score_on_ray(ledger, plan, job, job.cluster, watcher)
            finished, cached, told = ran.finished, ran.cached, ran.warnings
        settle(ledger, plan)
        seconds = time.monotonic() - started
        ledger.set("partial", _partial(finished))
        warnings = (*told, *_moved_models(ledger, plan))
        analysis = write_outputs(
            folder, ledger, plan.metrics,
            partial=_partial(finished), cached=cached, seconds=seconds, warnings=warnings,
        )  # fmt: skip
        batches = tuple(ledger.batches.all(OPEN)) if finished.waiting else ()
    return RunResult(folder, analysis, finished, warnings, batches)


def estimate_score(job: ScoreJob, stdin: BinaryIO | None = None) -> list[JudgeEstimate]:
    """What :func:`run_score` would send for this job; nothing is sent, and no run folder is made or changed."""
    plan = make_plan(job)
    _curves(job, plan)
    prices = Prices.from_settings(job.prices)
    with tempfile.TemporaryDirectory(prefix="evalharness-") as scratch, ExitStack() as stack:
        copy = Path(scratch) / "run.sqlite"
        existing = RunFolder(job.out).ledger
        if existing.exists():
            copy_ledger(existing, copy)
        ledger = stack.enter_context(Ledger(copy))
        _check_same(ledger, job, plan)
        unmapped = None if job.redaction is None else Masking(replace(job.redaction, map_file=None))
        whole = None if job.shard is None else Whole()
        rows = _wanted_rows(job, stdin, unmapped, whole)
        rejects = Path(scratch) / "rejected.jsonl"
        ingest(ledger, rows, rejects, skip_bad=job.skip_bad_lines, update=job.update, whole=whole)
        cache = VerdictCache() if plan.use_cache and plan.judges else None
        if cache is not None:
            stack.callback(cache.close)
        limits = job.batches.limits if job.batches is not None and job.batches.submit else None
        return estimate(ledger, plan, cache, prices, limits)


def make_plan(job: ScoreJob) -> RunPlan:
    """The scorers that a job names, checked against each other."""
    check_paired(job)
    rubrics = [load_rubric(name) for name in job.rubrics]
    judges = make_judges(job.judges, rubrics, job.judge_options, job.model_options, job.composed_judges)
    specs = job.metrics or (() if judges else ("surface",))
    metrics: tuple[Metric, ...] = parse_metrics(specs)
    shard = "" if job.shard is None else str(job.shard)
    plan = RunPlan(
        metrics, judges, job.turns, job.limits, job.epoch, job.retry_failed, job.use_cache, shard,
        None if job.redaction is None else job.redaction.redactor.facts,
    )  # fmt: skip
    check_distinct(plan)
    check_needs(plan)
    check_settling(plan)
    if job.batches is not None and job.batches.submit:
        check_batchable(plan)
    return plan


def check_paired(job: ScoreJob) -> None:
    """A judge without a rubric, or a rubric without a judge, is a :class:`UsageError`."""
    if job.judges and not job.rubrics:
        raise UsageError("a judge needs a rubric", fix="Add --rubric, e.g. --rubric support-reply.")
    if job.rubrics and not job.judges:
        raise UsageError("a rubric needs a judge", fix="Add --judge, e.g. --judge local:smollm2.")


def make_desk(ledger: Ledger, plan: RunPlan, job: ScoreJob, at_end: Callable[..., object]) -> Desk:
    """What the askings of a run share; the cache is closed ``at_end``."""
    cache = None
    if plan.judges and plan.use_cache:
        cache = VerdictCache()
        at_end(cache.close)
    limits = plan.limits
    return Desk(
        ledger=ledger,
        cache=cache,
        limiters=LimiterPool(Bounds(limits.concurrency, limits.rpm, limits.tpm, limits.max_wait)),
        policy=_policy(limits),
        budget=make_budget(ledger, plan, job),
        secret=ledger.secret(),
        epoch=plan.epoch,
        offline=job.offline,
        answering=make_answering(ledger, plan.judges, mixed=job.allow_moved_model),
    )


def make_answering(ledger: Ledger, judges: Iterable[Judge], *, mixed: bool) -> Answering:
    """Which models have answered the judges of a run so far, and how many each of them asks."""
    asked = {
        ledger.scorer(scorer_key(judge.columns), judge.columns): len(
            {client.model for client in judge.clients}
        )
        for judge in judges
    }
    answered = {
        scorer: set(islice(models, asked.get(scorer, 0)))
        for scorer, models in ledger.answering_models().items()
    }
    return Answering(asked, answered, mixed)


def score_on_ray(
    ledger: Ledger, plan: RunPlan, job: ScoreJob, cluster: Cluster, progress: Progress
) -> RayRun:
    """Run every scorer of the plan on the workers of a Ray cluster; this process keeps the ledger."""
    if ledger.batches:
        raise UsageError(
            "this run has batches at a provider, which workers on Ray don't collect",
            fix="Go on without --engine ray.",
        )
    budget = make_budget(ledger, plan, job)
    numbers = [ledger.scorer(scorer_key(columns), columns) for columns in plan.column_sets]
    worker = WorkerJob(
        metrics=plan.metrics,
        metric_numbers=tuple(numbers[: len(plan.metrics)]),
        judges=job.judges,
        rubrics=tuple(load_rubric(name) for name in job.rubrics),
        judge_numbers=tuple(numbers[len(plan.metrics) :]),
        judge_options=job.judge_options,
        model_options=job.model_options,
        composed_judges=job.composed_judges,
        prices=job.prices,
        turns=plan.turns,
        limits=plan.limits,
        policy=_policy(plan.limits),
        secret=ledger.secret(),
        epoch=plan.epoch,
        retry_failed=plan.retry_failed,
        offline=job.offline,
        use_cache=plan.use_cache,
        folder=str(Path.cwd()),
    )
    keeper = KeeperJob(
        str(ledger.path.resolve()),
        bool(plan.judges) and plan.use_cache,
        make_answering(ledger, plan.judges, mixed=job.allow_moved_model),
        budget.max_cost,
        budget.max_failures,
        budget.spent,
    )
    return execute_on_ray(ledger, plan, worker, keeper, cluster, progress)


def _policy(limits: Limits) -> RetryPolicy:
    return RetryPolicy(
        attempts=limits.attempts, deadline=limits.deadline, attempt_timeout=limits.attempt_timeout
    )


def make_budget(ledger: Ledger, plan: RunPlan, job: ScoreJob) -> Budget:
    """The limits of the run, with what earlier processes spent; an unpriced model under a limit is an error."""
    prices = Prices.from_settings(job.prices)
    limits = plan.limits
    for judge in plan.judges:
        for client in judge.clients:
            if limits.max_cost is not None:
                check_priced(prices, client)
            prices.knows(client)  # reads the price list now, not while requests are in flight
    totals = ledger.attempt_totals()
    spent = sum(row.cost if row.cost is not None else (row.possible or 0.0) for row in totals)
    failures = None
    if limits.max_failures is not None:
        items = sum(item_count(ledger, plan, judge) for judge in plan.judges)
        failures = parse_share(limits.max_failures, items)
    return Budget(prices, limits.max_cost, failures, spent)


def _curves(job: ScoreJob, plan: RunPlan) -> list[Json]:
    """The calibrations of the plan's columns; one made for another judge, rubric or prompt is refused here."""
    if job.calibration is None:
        return []
    found = curves_for(job.calibration, [column for columns in plan.column_sets for column in columns])
    return [curve.to_json() for curve in found.values()]


def _batching(job: ScoreJob, ledger: Ledger) -> Batching | None:
    """How this command uses batches; one that does not submit any still takes what earlier ones have brought."""
    return job.batches or (Batching(submit=False) if ledger.batches else None)


def _record_plan(ledger: Ledger, job: ScoreJob, plan: RunPlan, curves: list[Json]) -> None:
    numbers = [ledger.scorer(scorer_key(columns), columns) for columns in plan.column_sets]
    toys = {j.name for j in plan.judges for client in j.clients if client.capabilities.toy}
    with ledger.transaction():
        _follow_plan(ledger, plan)
        ledger.set("plan", plan.facts())
        ledger.set("turns", plan.turns.value)
        ledger.set("metrics", list(job.metrics or (() if plan.judges else ("surface",))))
        ledger.set("scorer_numbers", list(numbers))
        ledger.set("toy_judges", sorted(toys))
        ledger.set("calibration", curves)
        ledger.set("partial", UNFINISHED)
        ledger.set(ASKED, recipe(job.judges, job.rubrics, job.judge_options, job.model_options))


def _follow_plan(ledger: Ledger, plan: RunPlan) -> None:
    """Remove what a plan that was changed with ``--update`` no longer asks for, and no scorer's key tells apart:
    verdicts of another epoch, and outcomes of turns that are not scored now."""
    stored = ledger.get("plan")
    if not isinstance(stored, dict):
        return
    if stored.get("epoch", "") != plan.epoch:
        ledger.forget_verdicts()
    if ledger.get("turns") != plan.turns.value:
        ledger.forget_turns(plan.turns)


def _partial(finished: Finished) -> str | None:
    if finished.complete:
        return None
    if finished.signal is not None:
        return "interrupted"
    stops = [f"{stop.judge} stopped: {stop.fault.cause.value}" for stop in finished.stopped]
    waiting = [f"{finished.waiting} items wait for batches"] if finished.waiting else []
    return "; ".join((*stops, *waiting))


def _warnings(plan: RunPlan) -> tuple[str, ...]:
    found = {w: None for judge in plan.judges for client in judge.clients for w in client.warnings}
    return tuple(found)


def _moved_models(ledger: Ledger, plan: RunPlan) -> Iterator[str]:
    """A sentence for every judge that was answered by more models than it asks, e.g. because an alias moved."""
    answered = ledger.answering_models()
    for judge in plan.judges:
        models = answered.get(ledger.scorer(scorer_key(judge.columns), judge.columns), {})
        if len(models) > len({client.model for client in judge.clients}):
            told = ", ".join(f"{model} {count}" for model, count in models.items())
            yield (
                f"{title(judge.columns)}: its answers came from more models than it asks ({told}), "
                "so their verdicts are mixed; score anew under another --epoch to have them from one"
            )


def _check_same(ledger: Ledger, job: ScoreJob, plan: RunPlan) -> None:
    if not job.update:
        check_unchanged(ledger.get("plan"), plan, str(job.out))
    check_not_added(ledger.get("plan"), plan.redaction, str(job.out))


def _wanted_rows(
    job: ScoreJob, stdin: BinaryIO | None, masking: Masking | None = None, whole: Whole | None = None
) -> Iterator[Read | Rejected]:
    rows = only_shard(read_dialogues(job.sources, job.read, stdin=stdin), job.shard, whole)
    wanted = rows if job.limit is None else islice(rows, job.limit)
    return wanted if masking is None else masking.rows(wanted)
