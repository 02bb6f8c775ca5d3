"""An audit in a terminal: what was found first, then every effect on the overall (or only) score."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from evalharness.audit.types import Audit
from evalharness.core.text import log_safe, one_line
from evalharness.report.audit.card import Block, Card, Line, card_of
from evalharness.report.audit.document import audit_document

_WIDTH = 80
_NAME = 20
_BARELY = "barely uses the scale"
_MANY, _ENOUGH = 0.8, 10


def audit_text(audit: Audit) -> str:
    """The summary, within 80 columns where names allow."""
    card = card_of(audit_document(audit))
    return "\n".join(log_safe(line) for line in _lines(card, audit))


def _lines(card: Card, audit: Audit) -> Iterator[str]:
    yield f"{one_line(card.judge, 60)} on {one_line(card.rubric, 40)}: {card.facts[1]}"
    yield from (one_line(alert) for alert in card.alerts)
    yield from _wrapped(one_line(card.verdict, 1000))
    for block in card.blocks:
        yield ""
        yield f"{block.title}:"
        yield from (row for line in block.lines for row in _line(block, line))
        yield from _wrapped(block.note, "  ", "  ")
    if card.agreement:
        yield ""
        yield "Agreement with people:"
        for criterion, statistic, judge, people, counts in card.agreement:
            yield f"  {one_line(criterion, _NAME):<{_NAME}} {statistic} {judge}"
            yield f"  {'':<{_NAME}} {people if people[:1] == 'n' else f'people {people}'}; {counts}"
    yield from _unsettled(card)
    yield ""
    yield from _noise(card, audit)
    yield from _wrapped(card.detector)
    for what, why in card.not_measured:
        yield from _wrapped(f"not measured: {what}: {why}")
    for note in card.notes:
        yield from _wrapped(one_line(note, 1000))


def _unsettled(card: Card) -> Iterator[str]:
    if card.unsettled:
        yield ""
        yield "Not settled:"
        for entry in card.unsettled:
            yield from _wrapped(f"{one_line(entry.name, 60)}: {entry.why}", "  ", "    ")
        yield from _wrapped(card.unsettled_note, "  ")


def _wrapped(text: str, first: str = "", indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def _line(block: Block, line: Line) -> Iterator[str]:
    if block.kind == "measure":
        name = one_line(f"{line.name} · {line.criterion}", 46)
        yield f"  {name:<46} {line.figure:<22} {line.mark}".rstrip()
        return
    told = f"  {line.name:<{_NAME}} {line.figure:<24} {line.mark:<7} {line.flips and f'flips {line.flips}'}"
    lost = f", {line.lost}" if line.flips and line.lost else line.lost
    if len(told) + len(lost) <= _WIDTH:
        yield f"{told}{lost}".rstrip()
    else:
        yield told.rstrip()
        yield f"  {'':<{_NAME}} {line.lost}"


def _noise(card: Card, audit: Audit) -> Iterator[str]:
    for criterion, difference, same, *_ in card.noise:
        if difference != "–":
            name = one_line(criterion, 40)
            yield from _wrapped(f"asked twice, {name} differs by {difference} on average, {same} the same")
    for spread in audit.spread:
        if spread.modal_share is not None and spread.modal_share > _MANY and spread.items >= _ENOUGH:
            name = one_line(spread.criterion, 40)
            yield from _wrapped(f"{name}: {spread.modal_share:.0%} of scores are the same: it {_BARELY}")
