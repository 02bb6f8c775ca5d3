"""Who chooses the dialogues of report.html: this process, or of large runs a copy of it, while all else is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from evalharness.core.scores import Column
from evalharness.data.ledger.store import Ledger
from evalharness.engine.forks import WORTH, can_copy, copies
from evalharness.report.html.joining import Joined, join
from evalharness.report.html.selection import Chosen, Selector
from evalharness.report.page import PageOptions, page_data, page_selector

Page = tuple[Chosen, Sequence[str]]
"""What the page holds, without its entries, and the pieces of the page that hold them."""


class Choosing(Protocol):
    """Chooses the dialogues of the page."""

    def offer(self, joined: Joined) -> None:
        """Take a dialogue into account."""
        ...

    def page(self) -> Page:
        """What the page holds."""
        ...


@dataclass(frozen=True, slots=True)
class _Here:
    """The choice is made by this process."""

    selector: Selector
    columns: Mapping[int, tuple[Column, ...]]
    options: PageOptions

    def offer(self, joined: Joined) -> None:
        """Take a dialogue into account."""
        self.selector.offer(joined)

    def read(self, ledger: Ledger) -> Page:
        """Take all dialogues of a ledger into account."""
        for joined in join(ledger.sorted_dialogues(), ledger.outcomes(self.columns)):
            self.selector.offer(joined)
        return self.page()

    def page(self) -> Page:
        """What the page holds."""
        chosen = self.selector.chosen()
        return replace(chosen, entries=()), list(page_data(self.columns, chosen, self.options))


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """The choice is made by a copy of this process; here, after all, where that fails."""

    results: Iterator[Page]
    here: Callable[[], Page]

    def offer(self, joined: Joined) -> None:
        """The copy reads the ledger itself."""

    def page(self) -> Page:
        """What the page holds."""
        return next(self.results, None) or self.here()


@contextmanager
def choosing_page(
    ledger: Ledger, columns: Mapping[int, tuple[Column, ...]], options: PageOptions
) -> Iterator[Choosing]:
    """Who chooses the dialogues of the page: of large runs another process, at the same time as all else is made."""

    def here() -> _Here:
        return _Here(page_selector(columns, options), columns, options)

    if ledger.dialogue_count() < WORTH or not can_copy():
        yield here()
        return

    def work(send: Callable[[Page], None]) -> None:
        with Ledger(ledger.path, again=True) as own:
            send(here().read(own))

    with ExitStack() as stack:
        with ledger.closed():
            running = stack.enter_context(copies([work]))
        yield _Elsewhere(running.results(), lambda: here().read(ledger))
