"""Running a plan on Ray: Ray Data hands blocks of dialogues to worker processes. The only file that imports ``ray``.

One actor, the keeper, runs on this machine beside the ledger and writes it; the workers may be anywhere in the cluster.
Ray restarts a worker that dies and gives its block to a worker again.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from evalharness.core.dialogue import Unit
from evalharness.core.text import one_line
from evalharness.data.ledger.store import Ledger, StoredDialogue
from evalharness.engine.blocks import BlockScorer, WorkerJob, share_of
from evalharness.engine.judging import item_count
from evalharness.engine.keeping import Advance, Keeper, KeeperJob
from evalharness.engine.plan import RunPlan, title
from evalharness.engine.progress import Progress
from evalharness.engine.run import Finished, Interrupt
from evalharness.errors import MissingDependencyError, RunIncompleteError, StorageError, UsageError

_LARGEST_BLOCK = 512
_BLOCKS_PER_WORKER = 4
_LOOK = 0.25
"""Seconds between two looks at what workers have done."""
_AGAIN = "What was scored is kept: run the same command again."
_STOPPING = "interrupted before it was sent"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which Ray cluster to use: one on this machine for the run, or the one at ``address``; how many workers."""

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class RayRun:
    """How a run on Ray ended: replies from the verdict cache by scorer, and what the workers' clients wanted said."""

    finished: Finished
    cached: dict[int, int]
    warnings: tuple[str, ...]


def check_ray(cluster: Cluster) -> None:
    """Without Ray, or with an address that can't work, a user error; Ray is not started."""
    if cluster.address is not None and cluster.address.startswith("ray://"):
        raise UsageError(
            "a ray:// address connects from outside, but the ledger must be on a machine of the cluster",
            fix="Run the command on a machine of the cluster, with --ray-address auto.",
        )
    _ray()


def execute_on_ray(
    ledger: Ledger, plan: RunPlan, job: WorkerJob, keeper: KeeperJob, cluster: Cluster, progress: Progress
) -> RayRun:
    """Run every scorer of the plan over what it has not scored yet, on the workers of a cluster.

    The first SIGINT or SIGTERM lets requests in flight finish; the second gives them up.
    """
    ray = _ray()
    with (
        _losses(ray),
        _cluster(ray, cluster, plan) as workers,
        _keeper(ray, keeper) as kept,
    ):
        shared = replace(job, limits=share_of(job.limits, workers))
        _announce(ledger, plan, job, progress)
        interrupt = Interrupt()
        stream = _Stream(ray, _tables(ray, ledger, workers), shared, kept, workers)
        with _on_signals(interrupt, progress):
            _watch(stream, kept, plan, job, interrupt, progress)
        judges = dict(zip(job.judge_numbers, (judge.name for judge in plan.judges), strict=True))
        stopped = () if interrupt() else kept.stopped(judges)
        return RayRun(Finished(stopped, interrupt.signal), kept.cached(), kept.warnings())


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its errors come back as exceptions
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            "--engine ray needs Ray, which is not installed", fix="Run: pip install 'evalharness[ray]'"
        ) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


@contextmanager
def _cluster(ray: Any, cluster: Cluster, plan: RunPlan) -> Iterator[int]:
    """A cluster for the run; gives the number of workers. One that was started here is shut down again."""
    wanted = cluster.workers or (os.cpu_count() or 1)
    options: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    if cluster.address is None:
        options["num_cpus"] = wanted + 1
    else:
        options = {"address": cluster.address, "log_to_driver": False, "logging_level": "error"}
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises a bare Exception when its processes don't come up in time
        reason = one_line(str(error)).rstrip(".")
        if cluster.address is None:
            raise RunIncompleteError(f"Ray did not start: {reason}", fix=_AGAIN) from error
        raise UsageError(
            f"Ray can't be reached at {cluster.address}: {reason}",
            fix="Check --ray-address, or leave it out.",
        ) from error
    try:
        if cluster.address is not None and cluster.workers is None:
            wanted = max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        yield min(wanted, plan.limits.concurrency) if plan.judges else wanted
    finally:
        ray.shutdown()


@contextmanager
def _losses(ray: Any) -> Iterator[None]:
    """Lost parts of the cluster that Ray could not replace end the run, which resumes; errors in our code are bugs."""
    try:
        yield
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(error, ray.exceptions.RayTaskError) and not isinstance(
            cause, ray.exceptions.RayActorError
        ):
            raise
        raise RunIncompleteError(
            f"a process of the run on Ray was lost ({type(error).__name__})", fix=_AGAIN
        ) from error


@contextmanager
def _keeper(ray: Any, job: KeeperJob) -> Iterator[Keeper]:
    """The keeper, as an actor on this machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    handle = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here).remote(job)
    kept = _far(ray, handle)
    try:
        yield kept
    finally:
        with suppress(ray.exceptions.RayError):
            kept.close()


def _far(ray: Any, handle: Any) -> Keeper:
    """The keeper behind an actor's handle: every call waits for its answer."""
    return cast(Keeper, _Far(ray, handle))


class _Far:
    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray = ray
        self._handle = handle

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._handle, name)
        return lambda *arguments: self._ray.get(method.remote(*arguments))


class _Worker:
    """What Ray Data runs in each worker process."""

    def __init__(self, job: WorkerJob, handle: Any) -> None:
        import ray

        self._scorer = BlockScorer(job, _far(ray, handle))

    def __call__(self, block: Any) -> Any:
        import pyarrow

        rows = list(zip(block["seq"].to_pylist(), block["body"].to_pylist(), strict=True))
        return pyarrow.table({"dialogues": [self._scorer.score(rows)]})


def _tables(ray: Any, ledger: Ledger, workers: int) -> list[Any]:
    """The dialogues as blocks in Ray's object store, which moves to disk what memory can't hold."""
    import pyarrow

    size = -(-ledger.dialogue_count() // (_BLOCKS_PER_WORKER * workers))
    blocks = ledger.dialogue_blocks(min(size, _LARGEST_BLOCK))
    return [ray.put(_table(pyarrow, block)) for block in blocks]


def _table(pyarrow: Any, block: Sequence[StoredDialogue]) -> Any:
    numbers = pyarrow.array([stored.seq for stored in block], pyarrow.int64())
    bodies = pyarrow.array(
        [stored.body for stored in block], pyarrow.large_string()
    )  # canonical JSON is ASCII
    return pyarrow.table({"seq": numbers, "body": bodies})


class _Stream(threading.Thread):
    """Drives the dataset to its end beside the thread that watches."""

    def __init__(self, ray: Any, blocks: list[Any], job: WorkerJob, kept: Keeper, workers: int) -> None:
        super().__init__(name="evalharness-ray", daemon=True)
        self.failed: BaseException | None = None
        data = ray.data.from_arrow_refs(blocks)
        self._scored = data.map_batches(
            _Worker,
            fn_constructor_args=(job, cast(Any, kept)._handle),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(blocks))),
            num_cpus=1,
        )

    def run(self) -> None:
        """Take every result; they say nothing but that a block is done."""
        try:
            for _ in self._scored.iter_batches(batch_size=None):
                pass
        except BaseException as error:
            self.failed = error


def _announce(ledger: Ledger, plan: RunPlan, job: WorkerJob, progress: Progress) -> None:
    for name, total, done in _names(ledger, plan, job).values():
        progress.start(name, total, done)


def _names(ledger: Ledger, plan: RunPlan, job: WorkerJob) -> dict[int, tuple[str, int, int]]:
    """By scorer its name, its items, and how many are done. Metrics go together under the number of the first."""
    names: dict[int, tuple[str, int, int]] = {}
    if plan.metrics:
        joined = " · ".join(title(metric.columns) for metric in plan.metrics)
        names[job.metric_numbers[0]] = (joined, ledger.dialogue_count(), 0)
    for judge, number in zip(plan.judges, job.judge_numbers, strict=True):
        total = ledger.dialogue_count() if judge.unit is Unit.DIALOGUE else item_count(ledger, plan, judge)
        names[number] = (title(judge.columns), total, ledger.outcome_count(number))
    return names


def _watch(
    stream: _Stream, kept: Keeper, plan: RunPlan, job: WorkerJob, interrupt: Interrupt, progress: Progress
) -> None:
    """Tell what workers do until they are done; pass on an interrupt; raise what went wrong."""
    names = {
        number: title(judge.columns) for number, judge in zip(job.judge_numbers, plan.judges, strict=True)
    }
    if plan.metrics:
        names[job.metric_numbers[0]] = " · ".join(title(metric.columns) for metric in plan.metrics)
    stream.start()
    told = False
    while stream.is_alive():
        stream.join(_LOOK)
        if interrupt() and not told:
            told = True
            kept.stop(_STOPPING)
        _tell(kept.news().advances, names, progress)
        progress.tick()
    last = kept.news()
    _tell(last.advances, names, progress)
    if last.trouble:
        raise StorageError(last.trouble) from stream.failed
    if stream.failed is not None:
        raise stream.failed


def _tell(advances: Sequence[Advance], names: dict[int, str], progress: Progress) -> None:
    for advance in advances:
        progress.advance(names[advance.scorer], advance.items, advance.failures, advance.cost)


@contextmanager
def _on_signals(interrupt: Interrupt, progress: Progress) -> Iterator[None]:
    def on_signal(number: int, _frame: object) -> None:
        if interrupt.signal is not None:
            raise KeyboardInterrupt
        interrupt.signal = number
        progress.note("stopping: requests in flight may finish; once more stops at once")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
