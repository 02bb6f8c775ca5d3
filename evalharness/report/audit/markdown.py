"""The judge card in Markdown: one page that says what the judge can be trusted with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalharness.audit.types import Audit
from evalharness.core.text import one_line
from evalharness.report.audit.card import Block, Card, card_of
from evalharness.report.audit.document import audit_document
from evalharness.report.figures import NOTHING
from evalharness.report.safe import markdown_text


def audit_markdown(audit: Audit) -> str:
    """The text of judge-card.md."""
    return "\n".join(_card(card_of(audit_document(audit)))) + "\n"


def _card(card: Card) -> Iterator[str]:
    yield f"# Judge card: {markdown_text(card.judge)} on {markdown_text(card.rubric)}"
    yield ""
    yield f"**{markdown_text(card.verdict)}**"
    yield ""
    for alert in card.alerts:
        yield f"{markdown_text(alert[:1].upper() + alert[1:])}."
        yield ""
    yield " · ".join(card.facts)
    yield from _listed("Good for", card.good)
    yield from _listed("Where it fails", card.fails)
    yield from _listed("Not settled", [f"{entry.name}: {entry.why}" for entry in card.unsettled])
    if card.unsettled_note:
        yield ""
        yield markdown_text(card.unsettled_note)
    if card.agreement:
        yield from _table(
            "Agreement with people",
            ("criterion", "statistic", "judge [95 %]", "one person against the others", "on"),
            [(markdown_text(row[0]), *row[1:]) for row in card.agreement],
        )
    for block in card.blocks:
        yield from _block(block)
    if card.noise:
        head = (
            "criterion",
            "asked twice, mean difference [95 %]",
            "the same",
            "mean",
            "SD",
            "commonest score",
        )
        yield from _table(
            "Noise and use of the scale", head, [(markdown_text(row[0]), *row[1:]) for row in card.noise]
        )
    yield from _listed("Detector of attacks", [f"{card.detector[:1].upper()}{card.detector[1:]}."])
    yield from _listed("Not measured", [f"{what}: {why}" for what, why in card.not_measured])
    yield from _listed("Notes", card.notes)
    yield ""
    signature = one_line(card.signature, 1000).replace("`", "'")
    yield f"Signature: `{signature}`"


def _block(block: Block) -> Iterator[str]:
    measures = block.kind == "measure"
    rows = [
        (
            line.name,
            markdown_text(line.criterion) if measures else line.what,
            line.figure,
            *([line.flips or NOTHING] if block.flips else []),
            line.detail,
            f"{line.mark}: {line.words}" + (f" (also on {markdown_text(line.also)})" if line.also else ""),
        )
        for line in block.lines
    ]
    flipped = ("verdicts flipped [95 %]",) if block.flips else ()
    head = ("measure", "criterion") if measures else ("probe", "what changes")
    yield from _table(block.title, (*head, "effect [95 %]", *flipped, "on", "finding"), rows)
    if block.note:
        yield ""
        yield block.note


def _listed(title: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield ""
        yield f"## {title}"
        yield ""
        yield from (f"- {markdown_text(entry)}" for entry in entries)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are safe already."""
    yield ""
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
