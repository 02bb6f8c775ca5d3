"""The first screen: what was scored by what, how good it is, whether to trust it, what to read next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalharness.analysis.types import Analysis, RunFacts
from evalharness.core.text import one_line
from evalharness.report.console import masked_line
from evalharness.report.figures import number
from evalharness.report.html.columns import ColumnSet, label_of
from evalharness.report.html.criteria import Counts, CriterionView, GroupView
from evalharness.report.html.links import dialogue_link, filter_link
from evalharness.report.html.selection import Chosen
from evalharness.report.html.standing import Standing
from evalharness.report.html.strips import Execution, Part, Shown, Strip, noun, plural, strips

_MOST_LEADING = 4
_MOST_PARTS = 6
_MOST_LINKS = 6


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that must be known before any figure is read. ``kind`` is ``warning`` or ``note``."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Something to read next; ``count`` where it is known."""

    text: str
    href: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class FirstItem:
    """One of the lowest items: whose it is, how it begins, and how low it is."""

    dialogue: str
    text: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a scorer was to score it has scored."""

    scorer: str
    rubric: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Headline:
    """The content of the first screen above the table of criteria."""

    counts: tuple[Part, ...]
    strips: tuple[Strip, ...]
    alerts: tuple[Alert, ...]
    leading: tuple[CriterionView, ...]
    parts: tuple[CriterionView, ...]
    leading_note: str
    coverage: tuple[Coverage, ...]
    doubts: tuple[str, ...]
    reading: tuple[Link, ...]
    first: tuple[FirstItem, ...]


def headline(
    analysis: Analysis,
    groups: Sequence[GroupView],
    chosen: Chosen,
    columns: ColumnSet,
    options: Shown,
) -> Headline:
    """The first screen of a run."""
    rows = [row for group in groups for row in group.rows]
    judged = [row for row in rows if row.judged]
    coverage = tuple(_coverage(rows))
    return Headline(
        counts=tuple(_counts(analysis.run, coverage, options.execution)),
        strips=tuple(strips(rows, options)),
        alerts=tuple(_alerts(analysis.run, chosen, options)),
        leading=_leading(rows),
        parts=_parts(rows),
        leading_note="" if judged else _metrics_note(rows),
        coverage=coverage if len(coverage) > 1 else (),
        doubts=tuple(_doubts(analysis, judged, options.standing)),
        reading=tuple(_reading(rows, chosen, options.standing)),
        first=tuple(_first_items(chosen, columns)),
    )


def _counts(run: RunFacts, coverage: Sequence[Coverage], execution: Execution | None) -> Iterator[Part]:
    yield Part(plural(run.dialogues, "dialogue"), filter_link(rows="dialogues"))
    yield Part(plural(run.turns, "reply"))
    if run.groups != run.dialogues:
        yield Part(plural(run.groups, "group"))
    if len(run.systems) > 1:
        yield Part(plural(len(run.systems), "system"))
    elif run.systems:
        yield Part(f"system {one_line(run.systems[0], 40)}")
    if len(coverage) == 1:
        yield from _outcomes(coverage[0].counts)
    if execution is None:
        return
    if execution.requests:
        yield Part(plural(execution.requests, "request"))
        yield Part("cost unknown" if execution.cost is None else f"${number(execution.cost)}")
    if execution.seconds is not None:
        yield Part(duration(execution.seconds))


def _outcomes(counts: Counts) -> Iterator[Part]:
    """Scored, failed by cause, skipped by reason, of the only judge."""
    yield Part(f"{counts.scored.number:,} scored", counts.scored.href)
    for count, word, why, kind in (
        (counts.failed, "failed", counts.causes, "bad"),
        (counts.skipped, "skipped", counts.reasons, ""),
    ):
        if count.number:
            told = ", ".join(f"{cause.title} {cause.number:,}" for cause in why)
            yield Part(f"{count.number:,} {word} ({told})", count.href, kind)
    if counts.pending:
        yield Part(f"{counts.pending:,} pending")


def duration(seconds: float) -> str:
    """``8 s``, ``4 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _alerts(run: RunFacts, chosen: Chosen, options: Shown) -> Iterator[Alert]:
    if run.partial:
        text = f"{one_line(run.partial, 300)}. The figures cover what was scored so far; the same command goes on."
        yield Alert("warning", "Incomplete run", text)
    for judge in run.toy_judges:
        text = "It is there for trying things out: don't base decisions on its scores."
        yield Alert("warning", f"{one_line(judge, 60)} is a toy judge", text)
    if run.rejected:
        text = "They could not be read and are not part of any figure; rejected.jsonl holds them."
        yield Alert("warning", f"{plural(run.rejected, 'bad line')} set aside", text)
    for note in (options.standing.gate_note, options.standing.agreement_note):
        if note:
            yield Alert("note", "Not shown", note)
    if options.textless:
        text = (
            "Messages, documents, rationales, evidence and metadata in words are not in this file; ids are."
        )
        yield Alert("note", "Dialogue text was left out", text)
    if options.masked is not None:
        text = "Masked as this report was written; the run folder holds the originals."
        yield Alert("note", f"M{masked_line(sorted(options.masked.items()))[1:]}", text)
    if run.masked is not None:
        text = "Masked before anything was scored, sent or stored. Masking finds much and not everything."
        yield Alert("note", f"M{masked_line(run.masked[1])[1:]}", text)
    if not chosen.complete:
        text = (
            "The figures cover all of them. This page holds those with failures, the lowest values and the widest "
            "disagreement, then a random sample, so lists show fewer than the figures count; scores.jsonl has all."
        )
        yield Alert("note", f"{chosen.held:,} of {chosen.dialogues:,} dialogues are in this page", text)


def _leading(rows: Sequence[CriterionView]) -> tuple[CriterionView, ...]:
    """The overall of every judge, else its criteria, else metrics of which one end is better."""
    for choice in (
        [row for row in rows if row.overall],
        [row for row in rows if row.judged],
        [row for row in rows if row.figure.marks is not None and row.better is not None],
    ):
        if choice:
            return tuple(choice[:_MOST_LEADING])
    return ()


def _parts(rows: Sequence[CriterionView]) -> tuple[CriterionView, ...]:
    """The criteria of a single overall, below it."""
    if sum(row.overall for row in rows) != 1:
        return ()
    return tuple(row for row in rows if row.judged and not row.overall)[:_MOST_PARTS]


def _metrics_note(rows: Sequence[CriterionView]) -> str:
    if not rows:
        return "Nothing was scored."
    if not _leading(rows):
        return "Unknown: these metrics describe replies and don't rate them. A judge with a rubric does."
    return "No judge was asked. These metrics say how close replies are to their references, not how good they are."


def _coverage(rows: Iterable[CriterionView]) -> Iterator[Coverage]:
    """One line for every judge and rubric: the counts of the criterion that it failed most often."""
    judged: dict[tuple[str, str], list[Counts]] = {}
    for row in rows:
        if row.judged and not row.overall:
            judged.setdefault((row.scorer, row.rubric), []).append(row.counts)
    for (scorer, rubric), counts in judged.items():
        yield Coverage(scorer, rubric, max(counts, key=lambda own: own.failed.number + own.pending))


def _doubts(analysis: Analysis, judged: Sequence[CriterionView], standing: Standing) -> Iterator[str]:
    if standing.agreement is not None:
        yield one_line(standing.agreement.summary, 1000)
    elif judged:
        yield (
            "No human labels have been compared: how far this judge agrees with people is unknown. Label 50 replies: "
            "evalharness label RUN, then evalharness agree RUN --labels FILE and evalharness report RUN."
        )
    elif analysis.columns:
        yield "Metrics are exact: the same text always gives the same number, by the signature in the table."
        yield "No human labels have been compared: how far they follow people's judgement is unknown."
    groups = analysis.run.groups
    if 0 < groups < 15:
        yield f"Only {plural(groups, 'group')}: the intervals are wide and rough."


def _reading(rows: Sequence[CriterionView], chosen: Chosen, standing: Standing) -> Iterator[Link]:
    for name, flag in (("newly failing", "new"), ("judge ≠ human", "human")):
        if standing.marks[flag]:
            yield Link(name, filter_link(flag=flag, rows="items"), len(standing.marks[flag]))
    yield from _extremes(rows)
    if chosen.uncertain:
        yield Link("uncertain", filter_link(flag="uncertain", rows="items"), chosen.uncertain)
    if chosen.failed:
        yield Link(noun(chosen.failed, "failed item"), filter_link(s="failed", rows="items"), chosen.failed)
    if _several_judges(rows):
        yield Link("judges disagree", filter_link(sort="disagreement", rows="items"))
    if chosen.unfound:
        text = f"{noun(chosen.unfound, 'item')} with evidence not found"
        yield Link(text, filter_link(flag="unfound", rows="items"), chosen.unfound)
    if chosen.hidden:
        text = f"{noun(chosen.hidden, 'dialogue')} with invisible characters"
        yield Link(text, filter_link(flag="invisible", rows="dialogues"), chosen.hidden)


def _extremes(rows: Sequence[CriterionView]) -> Iterator[Link]:
    """The worst of each criterion by its first judge, or the lowest of metrics that rate nothing."""
    drawn = [row for row in rows if row.figure.marks and row.judges]
    directed = [row for row in drawn if row.better is not None]
    for row in ([row for row in directed if row.judged] or directed or drawn)[:_MOST_LINKS]:
        by = f" of {row.rubric}" if row.overall else ""
        yield Link(f"{'highest' if row.better is False else 'lowest'} {row.name}{by}", row.worst_href)
    yield Link("longest dialogues", filter_link(sort="longest"))


def _first_items(chosen: Chosen, columns: ColumnSet) -> Iterator[FirstItem]:
    for lowest in chosen.lowest:
        column = columns.flat[lowest.low.column]
        yield FirstItem(
            lowest.dialogue,
            lowest.text,
            f"{label_of(column)} {number(lowest.low.value)}",
            dialogue_link(lowest.dialogue, lowest.low.turn),
        )


def _several_judges(rows: Iterable[CriterionView]) -> bool:
    scorers: dict[str, set[str]] = {}
    for row in rows:
        if row.judged:
            scorers.setdefault(row.name, set()).add(row.scorer)
    return any(len(judges) > 1 for judges in scorers.values())
