"""Work in copies of this process, for what is many times the same and has to be quick.

A copy has everything that this process had in memory, so nothing is handed over but its results. It must not use a
database that was open when it was made (a rule of SQLite), writes nothing, and dies with this process. Where processes
can't be copied safely there are no copies, and callers do the work themselves.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

Work = Callable[[Callable[[Any], None]], None]
"""What a copy does; it is given the way to send a result."""

WORTH = 2_000
"""Items or dialogues from which copying the process is worth its while."""

_PR_SET_PDEATHSIG = 1


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def can_copy() -> bool:
    """Whether copies are made here: on Linux, where there is more than one processor for them."""
    return sys.platform == "linux" and processors() > 1


class Copies:
    """Copies of this process at work."""

    def __init__(self, works: Sequence[Work]) -> None:
        self._running: dict[Connection, int] = {}
        for work in works:
            self._start(work)

    def results(self) -> Iterator[Any]:
        """What the copies send, as it comes, until all of them have ended."""
        while self._running:
            for ready in wait(list(self._running)):
                assert isinstance(ready, Connection)
                try:
                    result = ready.recv()
                except (EOFError, OSError):  # the second: it died in the middle of a result
                    self._ended(ready)
                else:
                    yield result

    def stop(self) -> None:
        """End the copies, whatever they are doing."""
        for connection, process in list(self._running.items()):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            self._ended(connection)

    def _start(self, work: Work) -> None:
        """Make a copy; where the system allows no more of them, its work is missing from the results."""
        parent = os.getpid()
        with suppress(OSError), ExitStack() as opened:
            receiver, sender = map(opened.enter_context, Pipe(duplex=False))
            process = _fork()
            if process == 0:
                _copy(work, sender, parent)
            sender.close()
            self._running[receiver] = process
            opened.pop_all()

    def _ended(self, connection: Connection) -> None:
        connection.close()
        os.waitpid(self._running.pop(connection), 0)


@contextmanager
def copies(works: Sequence[Work]) -> Iterator[Copies]:
    """Copies that do these works; they are stopped when the block ends."""
    started = Copies(works)
    try:
        yield started
    finally:
        started.stop()


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # threads of libraries, which the copy does not use
        return os.fork()


def _copy(work: Work, sender: Connection, parent: int) -> NoReturn:
    """The whole life of a copy. What it could not do is missing from its results, and its parent does it."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, too, and decides
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            work(sender.send)
            status = 0
    finally:
        os._exit(status)
