"""The lines under the page's title: what the gate said, whether to trust the judge, which slice is worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalharness.core.text import one_line
from evalharness.report.html.criteria import CriterionView
from evalharness.report.html.links import filter_link
from evalharness.report.html.slices import Slices
from evalharness.report.html.standing import NOTHING_BESIDE, GateCriterion, GateSummary, Standing, gate_lines


@dataclass(frozen=True, slots=True)
class JudgeCost:
    """What a judge took on a rubric. ``faults`` are counts by cause; costs are texts, empty if a price is unknown."""

    judge: str
    rubric: str
    requests: int
    answered: int
    faults: tuple[tuple[str, int], ...]
    unknown: int
    unknown_most: str
    in_batches: int
    from_cache: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    cost: str
    time: str


@dataclass(frozen=True, slots=True)
class Execution:
    """What making the run took. ``cost`` is in USD, None when any request has no known price."""

    seconds: float | None = None
    requests: int = 0
    from_cache: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    warnings: tuple[str, ...] = ()
    version: str = ""
    judges: tuple[JudgeCost, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What the first screen says beside the run's own figures.

    ``masked`` counts what was masked as the page was written, None where nothing was asked for; ``textless``: the page
    holds no dialogue text.
    """

    slices: Slices
    execution: Execution | None = None
    standing: Standing = NOTHING_BESIDE
    masked: Mapping[str, int] | None = None
    textless: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some words of a line, with what they lead to and how they are marked: ``good``, ``bad`` or nothing."""

    text: str
    href: str = ""
    kind: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """A line under the title: a word on what it is about, its verdict where it has one, and its parts."""

    name: str
    kind: str
    verdict: str
    parts: tuple[Part, ...]


_GATES = {"pass": ("good", "passed"), "fail": ("bad", "regressed"), "inconclusive": ("warn", "undecided")}


def strips(rows: Sequence[CriterionView], options: Shown) -> Iterator[Strip]:
    """The lines under the title: the gate, whether to trust the judge, the worst slice."""
    if options.standing.gate is not None:
        yield _gate_strip(options.standing.gate, rows)
    if any(row.judged for row in rows):
        yield _trust_strip(rows)
    if options.slices.compared:
        yield _slice_strip(options.slices)


def _gate_strip(gate: GateSummary, rows: Sequence[CriterionView]) -> Strip:
    numbers = {(row.scorer, row.rubric, row.name): row.number for row in rows}
    kind, verdict = _GATES.get(gate.verdict, ("warn", gate.verdict))
    parts = [Part(one_line(line, 200), _newly_failing(row, numbers)) for row, line in gate_lines(gate)]
    return Strip("Gate", kind, verdict, (*parts, Part(f"against {one_line(gate.baseline, 60)}")))


def _newly_failing(row: GateCriterion | None, numbers: Mapping[tuple[str, str, str], int]) -> str:
    """The items that fail newly by a criterion; the table where there are none."""
    if row is None or not row.new_failures:
        return "#criteria"
    number = numbers.get((row.scorer, row.rubric, row.criterion))
    return filter_link(c=number, flag="new", rows="items", sort="worst")


def _trust_strip(rows: Sequence[CriterionView]) -> Strip:
    agreed = [(row, row.agrees) for row in rows if row.judged and row.agrees is not None]
    several = len({row.scorer for row in rows if row.judged}) > 1
    if not agreed:
        hint = "Label 50 replies: evalharness label RUN, then evalharness agree RUN --labels FILE"
        return Strip("Trust", "warn", "unchecked", (Part(hint),))
    words = {"yes": "usable", "no": "NOT usable", "unsure": "with care"}
    parts = [
        Part(
            f"{row.name}{f' ({row.scorer})' if several else ''} {words[found.usable]}"
            f"{f': {found.words}' if found.words else ''}",
            "#agreement",
            {"yes": "good", "no": "bad", "unsure": ""}[found.usable],
            f"{found.statistic} {found.figure}, {found.counts}",
        )
        for row, found in agreed
    ]
    unchecked = sum(row.judged and row.agrees is None and not row.overall for row in rows)
    parts += [Part(f"{plural(unchecked, 'criterion')} unchecked")] if unchecked else []
    worst = {found.usable for _, found in agreed}
    return Strip(
        "Trust", "bad" if "no" in worst else "warn" if "unsure" in worst else "good", "", tuple(parts)
    )


def _slice_strip(slices: Slices) -> Strip:
    worst = slices.worst
    if worst is None:
        text = f"none stands out ({plural(slices.compared, 'comparison')})"
        return Strip("Worst slice", "", "", (Part(text, "#slices"),))
    text = f"{one_line(worst.key, 40)} = {one_line(worst.value, 40)}"
    said = f"{worst.criterion} {worst.difference} {worst.bounds} against the rest (n = {worst.scored:,})"
    return Strip("Worst slice", "bad", "", (Part(text, worst.href, "bad"), Part(said, "#slices")))


def plural(count: int, word: str) -> str:
    """``1 dialogue``, ``2 dialogues``, ``2 replies``."""
    return f"{count:,} {noun(count, word)}"


def noun(count: int, word: str) -> str:
    """``dialogue`` or ``dialogues``, as the count wants it."""
    if count == 1:
        return word
    if word == "criterion":
        return "criteria"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
