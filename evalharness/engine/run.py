"""One run from its ledger: metrics first, then judges, with an orderly way to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from evalharness.core.scores import Cause
from evalharness.data.ledger.store import Ledger
from evalharness.engine.asking import Desk
from evalharness.engine.batch_rounds import Batching, run_batched
from evalharness.engine.judging import Stopped, run_judges
from evalharness.engine.measure import run_metrics
from evalharness.engine.plan import RunPlan
from evalharness.engine.progress import Progress
from evalharness.engine.recalling import recall
from evalharness.llm.client import Client, ProviderFault

_TICK = 1.0
"""Seconds between two looks at what is in flight."""


@dataclass(slots=True)
class Interrupt:
    """Whether, and by which signal, the user asked to stop."""

    signal: int | None = None

    def __call__(self) -> bool:
        """Whether to stop taking new work."""
        return self.signal is not None


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: judges that had to stop, the signal that interrupted it, items that wait for batches."""

    stopped: tuple[Stopped, ...]
    signal: int | None
    waiting: int = 0

    @property
    def complete(self) -> bool:
        """Whether every scorer got through all its items."""
        return not self.stopped and self.signal is None and not self.waiting


def execute(
    ledger: Ledger, desk: Desk, plan: RunPlan, progress: Progress, batches: Batching | None = None
) -> Finished:
    """Run every scorer of the plan over what it has not scored yet; judges by way of ``batches`` where that is given.

    The first SIGINT or SIGTERM lets requests in flight finish, gives up what waits to be sent, and returns; the second
    cancels what is in flight, too.
    """
    interrupt = Interrupt()
    with _during_metrics(interrupt, progress):
        run_metrics(ledger, plan, progress, interrupt)
        if batches is None and not interrupt():
            recall(desk, plan, progress, interrupt)
    stopped: tuple[Stopped, ...] = ()
    if not interrupt() and plan.judges:
        clients = [client for judge in plan.judges for client in judge.clients]
        work = (
            _grouped(ledger, run_judges(desk, plan, progress, interrupt))
            if batches is None
            else run_batched(desk, plan, progress, interrupt, batches)
        )
        stopped = _run_async(_judging(work, desk, clients, progress, interrupt))
    waiting = 0 if desk.shelf is None else desk.shelf.waiting
    return Finished(() if interrupt() else stopped, interrupt.signal, waiting)


async def _grouped(
    ledger: Ledger, work: Coroutine[object, object, tuple[Stopped, ...]]
) -> tuple[Stopped, ...]:
    with ledger.grouped():
        return await work


def run_asking(
    work: Callable[[Interrupt], Coroutine[object, object, tuple[Stopped, ...]]],
    desk: Desk,
    clients: Iterable[Client],
    progress: Progress,
) -> Finished:
    """Run workers that ask models to their end, with the same orderly way to stop; closes the clients."""
    interrupt = Interrupt()
    stopped = _run_async(_judging(work(interrupt), desk, list(clients), progress, interrupt))
    return Finished(() if interrupt() else stopped, interrupt.signal)


def _run_async(work: Coroutine[object, object, tuple[Stopped, ...]]) -> tuple[Stopped, ...]:
    """Run to the end; on a thread of its own where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _judging(
    work: Coroutine[object, object, tuple[Stopped, ...]],
    desk: Desk,
    clients: Sequence[Client],
    progress: Progress,
    interrupt: Interrupt,
) -> tuple[Stopped, ...]:
    main = asyncio.current_task()
    assert main is not None
    with _signals_in_loop(interrupt, desk, main, progress):
        ticking = asyncio.create_task(_tick(progress))
        try:
            return await work
        except asyncio.CancelledError:
            if interrupt.signal is None:
                raise
            return ()
        finally:
            ticking.cancel()
            for client in {id(c): c for c in clients}.values():
                await client.close()


async def _tick(progress: Progress) -> None:
    while True:
        await asyncio.sleep(_TICK)
        progress.tick()


@contextmanager
def _signals_in_loop(
    interrupt: Interrupt, desk: Desk, main: asyncio.Task[object], progress: Progress
) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if interrupt.signal is None:
            interrupt.signal = number
            progress.note("stopping: requests in flight may finish; once more stops at once")
            desk.limiters.end(ProviderFault(Cause.INCOMPLETE, "interrupted before it was sent", fatal=True))
        else:
            main.cancel()

    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _during_metrics(interrupt: Interrupt, progress: Progress) -> Iterator[None]:
    def on_signal(number: int, _frame: object) -> None:
        if interrupt.signal is not None:
            raise KeyboardInterrupt
        interrupt.signal = number
        progress.note("stopping after this block; once more stops at once")

    try:
        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
