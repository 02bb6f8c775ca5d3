"""Progress on stderr: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from evalharness.core.text import one_line
from evalharness.engine.progress import TIED, Lane, Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, TaskID

_EVERY = 5.0
_ROOM_FOR_BARS = 110
"""Narrower terminals get figures without the bar."""
_ROOM_FOR_COLUMNS = 72
"""In narrower terminals columns would leave failures and cost a few characters: they get one running text."""
_RUNNING_TEXT = (
    "{task.description} {task.completed:.0f}/{task.total:.0f} {task.fields[rate]} {task.fields[facts]}"
)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Progress]:
    """A watcher that fits where stderr goes."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield BarProgress(bars)
    else:
        plain = PlainProgress()
        yield plain
        plain.finish()


@dataclass(slots=True)
class _Count:
    """What is known of one scorer's progress."""

    total: int
    done: int
    first: int
    started: float = field(default_factory=time.monotonic)
    failures: Counter[str] = field(default_factory=Counter)
    cost: float | None = 0.0
    lane: Lane | None = None

    def add(self, items: int, failures: Iterable[str], cost: float | None) -> None:
        self.done += items
        self.failures.update(failures)
        if self.cost is not None and cost is not None:
            self.cost += cost

    @property
    def rate(self) -> float:
        """Items a second since this process began."""
        return (self.done - self.first) / max(1e-9, time.monotonic() - self.started)

    def facts(self) -> str:
        """Failures by cause and cost, as far as there are any; items whose answers are tied stand apart."""
        tied = self.failures[TIED]
        failed = self.failures.total() - tied
        parts = [f"{cause} {count}" for cause, count in self.failures.most_common(4) if cause != TIED][:3]
        text = f"failed {failed} ({', '.join(parts)})" if parts else ""
        undecided = f"undecided {tied} (answers tied)" if tied else ""
        cost = f"${self.cost:.4f}" if self.cost else ""
        return "  ".join(part for part in (self.flight(), cost, text, undecided) if part)

    def flight(self) -> str:
        """Requests in flight of how many may be, and why nothing moves when nothing does."""
        now = self.lane() if self.lane is not None and self.done < self.total else None
        if now is None:
            return ""
        told = {
            "paused": "  paused by the provider",
            "broken": "  no answer, trying now and then",
        }.get(now.state, "")
        return f"{now.in_flight}/{now.limit} in flight{told}"


class BarProgress:
    """Bars by rich: done / total, rate, time left, requests in flight and their limit, cost, failures by cause."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, _Count] = {}

    def start(self, name: str, total: int, done: int, lane: Lane | None = None) -> None:
        """Show a bar."""
        self._counts[name] = _Count(total, done, done, lane=lane)
        self._tasks[name] = self._bars.add_task(
            _bar_name(name), total=total, completed=done, facts="", rate=""
        )

    def advance(
        self, name: str, items: int = 1, failures: Iterable[str] = (), cost: float | None = None
    ) -> None:
        """Move a bar."""
        count = self._counts[name]
        count.add(items, failures, cost)
        self._bars.update(self._tasks[name], advance=items, facts=count.facts(), rate=f"{count.rate:.1f}/s")

    def tick(self) -> None:
        """Show what is in flight, also when nothing moves."""
        for name, count in self._counts.items():
            if count.lane is not None:
                self._bars.update(self._tasks[name], facts=count.facts())

    def note(self, text: str) -> None:
        """Print above the bars."""
        self._bars.console.print(one_line(text, 500), markup=False, highlight=False)


class PlainProgress:
    """A line every few seconds, and one at the end of each scorer."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._last = time.monotonic()

    def start(self, name: str, total: int, done: int, lane: Lane | None = None) -> None:
        """Begin to count; say so when part of it is done already."""
        self._counts[name] = _Count(total, done, done, lane=lane)
        if done:
            click.echo(f"{_short(name)}: resuming, {done} of {total} done", err=True)

    def advance(
        self, name: str, items: int = 1, failures: Iterable[str] = (), cost: float | None = None
    ) -> None:
        """Count, and print now and then."""
        count = self._counts[name]
        count.add(items, failures, cost)
        if self._due() and count.done < count.total:
            self._line(name, count)

    def tick(self) -> None:
        """Print now and then what is in flight, also when nothing moves."""
        waiting = [(name, c) for name, c in self._counts.items() if c.lane is not None and c.done < c.total]
        if waiting and self._due():
            for name, count in waiting:
                self._line(name, count)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < _EVERY:
            return False
        self._last = now
        return True

    def note(self, text: str) -> None:
        """Print a line."""
        click.echo(one_line(text, 500), err=True)

    def finish(self) -> None:
        """Print how each scorer ended."""
        for name, count in self._counts.items():
            self._line(name, count)

    def _line(self, name: str, count: _Count) -> None:
        left = (count.total - count.done) / count.rate if count.rate > 0 else 0.0
        ending = f"  {left:.0f} s left" if count.done < count.total else ""
        facts = f"  {count.facts()}" if count.facts() else ""
        click.echo(f"{_short(name)}: {count.done}/{count.total}  {count.rate:.1f}/s{ending}{facts}", err=True)


@contextmanager
def _bars() -> Iterator[Bars]:
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    with Bars(*columns_for(console.width), console=console, transient=False, expand=True) as bars:
        yield bars


def columns_for(width: int) -> list[ProgressColumn]:
    """The columns of progress in a terminal of that many characters a line."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    whole = Column(no_wrap=True)
    left = TimeRemainingColumn(compact=True, table_column=whole)
    if width < _ROOM_FOR_COLUMNS:
        return [left, TextColumn(_RUNNING_TEXT, markup=False, table_column=Column(ratio=1, overflow="fold"))]
    columns: list[ProgressColumn] = [
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=28, overflow="ellipsis")
        ),
        BarColumn(bar_width=24),
        MofNCompleteColumn(table_column=whole),
        TextColumn("{task.fields[rate]}", table_column=whole),
        left,
        TextColumn("{task.fields[facts]}", markup=False, table_column=Column(ratio=1, overflow="fold")),
    ]
    if width < _ROOM_FOR_BARS:
        del columns[1]
    return columns


def _bar_name(name: str) -> str:
    """A scorer's name without its address, for a narrow column."""
    short = name.removeprefix("judge ")
    head, at, address = short.partition("@http")
    return one_line(f"{head} on {address.rpartition(' on ')[2]}" if at else short, 28)


def _short(name: str) -> str:
    return one_line(name, 60)
