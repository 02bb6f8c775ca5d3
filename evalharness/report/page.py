"""report.html: the run in one file that opens offline anywhere.

The first screen and all tables are written here and work without scripts. The dialogues stand in the file as data; the
page's script shows them. See ``report.html`` for the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from evalharness.analysis.agreement.types import Agreement
from evalharness.analysis.types import Analysis
from evalharness.core.scores import Column
from evalharness.data.ledger.store import OutcomeRow, StoredDialogue
from evalharness.report.agreement.page import Part, parts_of
from evalharness.report.agreement.selection import title
from evalharness.report.audit.card import AuditSection
from evalharness.report.figures import number
from evalharness.report.html.assets import policy, script, style
from evalharness.report.html.between import between_of
from evalharness.report.html.columns import ColumnSet
from evalharness.report.html.criteria import cause_rows, criterion_groups
from evalharness.report.html.headline import headline
from evalharness.report.html.islands import data_blocks
from evalharness.report.html.joining import join
from evalharness.report.html.links import dialogue_link
from evalharness.report.html.pool import Cap
from evalharness.report.html.rendering import environment
from evalharness.report.html.selection import Chosen, Selector
from evalharness.report.html.slices import slices_of
from evalharness.report.html.standing import NOTHING_BESIDE, Standing
from evalharness.report.html.strips import Execution, Shown

__all__ = ["Cap", "Execution", "PageOptions", "report_page"]

_SPLIT = "<!--dialogues-->"


@dataclass(frozen=True, slots=True)
class PageOptions:
    """``title`` is the run's name, ``execution`` what it took, ``cap`` how much of the dialogues the page may hold.

    ``standing`` is what gate and labels say of the run. ``masked`` counts what is masked while dialogues and outcomes
    are read, None where nothing is; ``textless`` says that they come without their texts; ``audits`` is what is known
    of the run's judges.
    """

    title: str = "Dialogue scores"
    execution: Execution | None = None
    cap: Cap = field(default_factory=Cap)
    standing: Standing = NOTHING_BESIDE
    masked: Mapping[str, int] | None = None
    textless: bool = False
    audits: tuple[AuditSection, ...] = ()


def report_page(
    analysis: Analysis,
    columns: Mapping[int, tuple[Column, ...]],
    dialogues: Iterable[StoredDialogue],
    outcomes: Iterable[OutcomeRow],
    options: PageOptions | None = None,
) -> Iterator[str]:
    """The pieces of report.html, equal for equal input.

    ``dialogues`` and ``outcomes`` come sorted by cluster and dialogue id, outcomes then by turn and scorer; both are
    read once. Memory is bounded by ``options.cap``. Outcomes out of order are a ``ValueError``.
    """
    options = options or PageOptions()
    selector = page_selector(columns, options)
    for one in join(dialogues, outcomes):
        selector.offer(one)
    chosen = selector.chosen()
    yield from page_of(analysis, columns, chosen, page_data(columns, chosen, options), options)


def page_selector(columns: Mapping[int, tuple[Column, ...]], options: PageOptions) -> Selector:
    """What chooses the dialogues of a page while something else reads them, too; its choice is for :func:`page_of`."""
    return Selector(ColumnSet.of(columns), options.cap, options.standing.marks)


def page_data(
    columns: Mapping[int, tuple[Column, ...]], chosen: Chosen, options: PageOptions
) -> Iterator[str]:
    """The pieces of report.html that hold the chosen dialogues."""
    return data_blocks(chosen, ColumnSet.of(columns), options.cap, textless=options.textless)


def page_of(
    analysis: Analysis,
    columns: Mapping[int, tuple[Column, ...]],
    chosen: Chosen,
    data: Iterable[str],
    options: PageOptions,
) -> Iterator[str]:
    """The pieces of report.html with :func:`page_data`; of what was chosen all else than the entries is used."""
    before, after = _frame(analysis, ColumnSet.of(columns), chosen, options).split(_SPLIT)
    yield before
    yield from data
    yield after


def _frame(analysis: Analysis, columns: ColumnSet, chosen: Chosen, options: PageOptions) -> str:
    """Everything of the page but the data, with a mark where the data goes."""
    numbers = {column: number for number, column in enumerate(columns.flat)}
    groups = criterion_groups(analysis, numbers, options.standing)
    slices = slices_of(analysis.slices, numbers)
    shown = Shown(slices, options.execution, options.standing, options.masked, options.textless)
    return (
        environment()
        .get_template("page.html")
        .render(
            title=options.title,
            policy=policy(),
            style=_ours(style()),
            script=_ours(script()),
            split=_ours(_SPLIT),
            head=headline(analysis, groups, chosen, columns, shown),
            run=analysis.run,
            groups=groups,
            causes=cause_rows(groups),
            slices=slices,
            between=between_of(analysis.between, numbers),
            agreement=options.standing.agreement,
            agreed=agreed_parts(options.standing.agreement),
            address=dialogue_link,
            titled=title,
            corpus=analysis.corpus,
            number=number,
            execution=options.execution,
            chosen=chosen,
            audits=options.audits,
        )
    )


def agreed_parts(agreement: Agreement | None) -> list[Part]:
    """The agreement with humans by criterion, as its own page has it."""
    return [] if agreement is None else parts_of(agreement)


def _ours(text: str) -> Markup:
    """Text of this package, printed as it stands: the policy names it by the hash of these very bytes."""
    return Markup(text)  # noqa: S704
