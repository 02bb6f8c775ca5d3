"""The judge card: what an audit comes to, in words and rows that every format prints.

It is made from audit.json, so that a report can show an audit that was made at another time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.report.audit.open_questions import (
    OpenQuestion,
    criterion_name,
    open_note,
    open_questions,
)
from evalharness.report.figures import interval, number, percent
from evalharness.stats.estimate import Estimate

_TITLES = {
    "bias": "Should not matter",
    "sensitivity": "Should lower the score, mildest first",
    "injection": "Attacks on the judge",
    "undefended": "The same attacks with the defences taken off the prompt",
}
_ROWS_ON_PAPER = 36
_FLAGGED, _OK, _UNCLEAR = "flagged", "ok", "unclear"
MARKS = {_OK: "ok", _FLAGGED: "FLAGGED", _UNCLEAR: "unclear"}


@dataclass(frozen=True, slots=True)
class Line:
    """One effect: ``criterion`` is empty where it is the headline's; ``also`` names criteria flagged as well.

    ``flips`` is the share of verdicts that it flips, ``lost`` counts pairs without a score on either side.
    """

    name: str
    what: str
    criterion: str
    figure: str
    detail: str
    finding: str
    words: str
    also: str = ""
    flips: str = ""
    lost: str = ""

    @property
    def mark(self) -> str:
        """The finding as it is printed."""
        return MARKS[self.finding]


@dataclass(frozen=True, slots=True)
class Block:
    """Effects of one kind; ``kind`` names it for machines, ``note`` is a sentence about all of them."""

    kind: str
    title: str
    lines: tuple[Line, ...]
    note: str = ""

    @property
    def flips(self) -> bool:
        """Whether any of its lines knows what passes."""
        return any(line.flips for line in self.lines)


@dataclass(frozen=True, slots=True)
class Card:
    """What the judge card says, in the order in which it says it."""

    judge: str
    rubric: str
    verdict: str
    facts: tuple[str, ...]
    alerts: tuple[str, ...]
    good: tuple[str, ...]
    fails: tuple[str, ...]
    unsettled: tuple[OpenQuestion, ...]
    unsettled_note: str
    agreement: tuple[tuple[str, str, str, str, str], ...]
    blocks: tuple[Block, ...]
    noise: tuple[tuple[str, ...], ...]
    detector: str
    not_measured: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    signature: str

    @property
    def dense(self) -> bool:
        """Whether it takes small type to get all of it onto one printed page."""
        rows = sum(len(block.lines) + 2 for block in self.blocks) + len(self.agreement) + len(self.noise)
        return rows + len(self.unsettled) // 2 > _ROWS_ON_PAPER


@dataclass(frozen=True, slots=True)
class AuditSection:
    """An audit in the report of a run: its card, and where its page lies from there (empty if nowhere).

    ``problem`` says why there is no card.
    """

    card: Card | None
    link: str
    problem: str = ""


def card_of(document: Mapping[str, Any]) -> Card:
    """The card of an audit.json of this version."""
    effects = _headline(document)
    measures = document["measures"]
    unsettled = tuple(open_questions(effects, measures))
    cost = document["cost_usd"]
    things = "pairs, each in both orders," if document["compares_pairs"] else "dialogues"
    return Card(
        judge=document["judge"],
        rubric=document["rubric"],
        verdict=_verdict(effects, measures),
        facts=(
            document["date"],
            f"{document['items']} {things} in {document['groups']} groups",
            f"tolerated shift {percent(document['margin'])} of a scale",
            f"cost {'unpriced' if cost is None else f'${cost:.4f}'}",
        ),
        alerts=tuple(_alerts(document)),
        good=tuple(_good(effects, measures, document["severity"])) or _nothing_shown(len(unsettled)),
        fails=tuple(_fails(effects, measures)),
        unsettled=unsettled,
        unsettled_note=open_note(document, effects, measures),
        agreement=tuple(_agreement(document["agreement"])),
        blocks=tuple(_blocks(document, effects)),
        noise=tuple(_noise(document)),
        detector=detector_words(document["detector"]),
        not_measured=tuple(_not_measured([*document["not_measured"], *_without_pairs(effects)])),
        notes=tuple(_notes(document)),
        signature=document["signature"],
    )


def _headline(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One effect per probe: on the overall, which every criterion counts towards, degradations by severity."""
    last = document["criteria"][-1] if document["criteria"] else ""
    rows = [row for row in document["effects"] if row["criterion"] == last]
    return sorted(rows, key=lambda row: row["severity"])


def _verdict(effects: Sequence[Mapping[str, Any]], measures: Sequence[Mapping[str, Any]]) -> str:
    """What the audit comes to, in a sentence or two."""
    flagged = {kind: _names(effects, kind, _FLAGGED) for kind in _TITLES}
    parts = []
    if followed := _names(_raised(effects), "injection", _FLAGGED):
        parts.append(f"follows attacks ({followed})")
    if punished := _names(_lowered(effects), "injection", _FLAGGED):
        parts.append(f"scores lower where a dialogue attacks it ({punished})")
    if flagged["bias"]:
        parts.append(f"is moved by what should not matter ({flagged['bias']})")
    if flagged["sensitivity"]:
        parts.append(f"does not see {flagged['sensitivity']}")
    parts += _grouped(measures)
    if parts:
        return f"This judge {'; '.join(parts)}."
    rows = [r for r in (*effects, *measures) if r.get("kind") != "undefended" and r.get("pairs", 1)]
    if not rows:
        return "Nothing was measured: no changed reply has a score beside its original's."
    unclear = sum(row["finding"] == _UNCLEAR for row in rows)
    if unclear:
        settled = f"{unclear} of {len(rows)} effects are not settled"
        return f"Nothing is flagged, but {settled}: use more dialogues (--size)."
    return "Nothing is flagged: effects stay within the margin and degradations are seen."


def _grouped(measures: Sequence[Mapping[str, Any]]) -> list[str]:
    """What flagged measures say, each sentence once with its criteria."""
    said: dict[str, list[str]] = {}
    for row in measures:
        if row["finding"] == _FLAGGED:
            said.setdefault(_as_verb(row["words"]), []).append(criterion_name(row["criterion"]))
    return [f"{words} ({', '.join(criteria)})" for words, criteria in said.items()]


def _as_verb(words: str) -> str:
    return f"is {words}" if words.startswith("more ") else words


def _names(rows: Sequence[Mapping[str, Any]], kind: str, finding: str) -> str:
    return ", ".join(row["probe"] for row in rows if row["kind"] == kind and row["finding"] == finding)


def _raised(effects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The effects that move scores to the better."""
    return [row for row in effects if (row["shift"]["value"] or 0.0) > 0]


def _lowered(effects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The effects that move scores to the worse."""
    return [row for row in effects if (row["shift"]["value"] or 0.0) < 0]


def _alerts(document: Mapping[str, Any]) -> Iterator[str]:
    if document["toy"]:
        yield "a toy judge: for trying things out, not for decisions"
    if document["partial"]:
        yield f"PARTIAL: {document['partial']}"


def _good(
    effects: Sequence[Mapping[str, Any]],
    measures: Sequence[Mapping[str, Any]],
    severity: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    if seen := _names(effects, "sensitivity", _OK):
        yield f"It sees {seen}."
    if seen and severity and severity[-1]["monotone"] and severity[-1]["finding"] == _OK:
        yield "Its scores fall further the worse a reply was made."
    if calm := _names(effects, "bias", _OK):
        yield f"It is not moved by {calm}."
    if firm := _names(effects, "injection", _OK):
        yield f"It does not follow attacks ({firm})."
    if held := [row for row in measures if row["finding"] == _OK]:
        listed = ", ".join(f"{row['measure']} ({criterion_name(row['criterion'])})" for row in held)
        yield f"Within the margin: {listed}."


def _nothing_shown(unsettled: int) -> tuple[str, ...]:
    """What stands in the place of what a judge is good for where nothing of it is shown."""
    if not unsettled:
        return ()
    questions = "1 question stayed open" if unsettled == 1 else f"{unsettled} questions stayed open"
    return (f"Nothing is shown so far: {questions}, listed under Not settled.",)


def _fails(effects: Sequence[Mapping[str, Any]], measures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if followed := _names(_raised(effects), "injection", _FLAGGED):
        yield f"It follows attacks: {followed}."
    if punished := _names(_lowered(effects), "injection", _FLAGGED):
        yield f"It scores lower where a dialogue attacks it: {punished}."
    if moved := _names(effects, "bias", _FLAGGED):
        yield f"It is moved by {moved}."
    if blind := _names(effects, "sensitivity", _FLAGGED):
        yield f"It does not see {blind}."
    for words in _grouped(measures):
        yield f"It {words}."


def _agreement(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    for row in rows:
        people = "no two raters on an item" if row["people"] is None else interval(_estimate(row["people"]))
        yield (
            criterion_name(row["criterion"]),
            row["statistic"].replace("_", " "),
            interval(_estimate(row["judge"])),
            people,
            f"{row['items']} items, {row['raters']} rater{'s' if row['raters'] != 1 else ''}",
        )


def _blocks(document: Mapping[str, Any], effects: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    elsewhere: dict[str, list[str]] = {}
    last = document["criteria"][-1] if document["criteria"] else ""
    several = len(document["criteria"]) > 2
    for row in document["effects"]:
        if several and row["criterion"] != last and row["finding"] == _FLAGGED:
            elsewhere.setdefault(row["probe"], []).append(row["criterion"])
    for kind, title in _TITLES.items():
        lines = [
            _effect_line(row, elsewhere.get(row["probe"], ()))
            for row in effects
            if row["kind"] == kind and row["pairs"]
        ]
        if lines:
            yield Block(kind, title, tuple(lines), _note(kind, document, last))
    if document["measures"]:
        title = "Order, length and author" if document["compares_pairs"] else "Beside people, and over time"
        lines = [_measure_line(row) for row in document["measures"]]
        yield Block("measure", title, tuple(lines))


def _effect_line(row: Mapping[str, Any], also: Sequence[str]) -> Line:
    flips = _flips(row)
    counts = {name: row.get(name, 0) for name in ("failed", "skipped")}
    lost = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    detail = f"{row['pairs']} pairs"
    return Line(
        row["probe"],
        row["what"],
        "",
        interval(_estimate(row["shift"])),
        f"{detail}, {lost}" if lost else detail,
        row["finding"],
        row["words"],
        ", ".join(also),
        flips,
        lost,
    )


def _flips(row: Mapping[str, Any]) -> str:
    """The share of verdicts that a probe flips, with its interval in per cent where the audit kept one."""
    if row["flips"] is None:
        return ""
    kept = row.get("flips_estimate")
    if kept is None or kept["low"] is None:
        return percent(row["flips"])
    low, high = (percent(kept[side]).removesuffix(" %") for side in ("low", "high"))
    return f"{percent(row['flips'])} [{low}, {high}]"


def _measure_line(row: Mapping[str, Any]) -> Line:
    figure = interval(_estimate(row["estimate"]))
    detail = row["unit"]
    if row["judge"] is not None and row["beside"] is not None:
        detail += f"; judge {number(row['judge'])}, {row['beside_what']} {number(row['beside'])}"
    return Line(
        row["measure"],
        row["unit"],
        criterion_name(row["criterion"]),
        figure,
        detail,
        row["finding"],
        row["words"],
    )


def _note(kind: str, document: Mapping[str, Any], last: str) -> str:
    if kind == "sensitivity":
        row = next((row for row in document["severity"] if row["criterion"] == last), None)
        return "" if row is None else severity_words(row)
    if kind == "undefended":
        saved = [row for row in document["defences"] if row["criterion"] == last]
        parts = [f"{row['placement']} {interval(_estimate(row['saved']))}" for row in saved]
        return f"What the defences take off the lift: {', '.join(parts)}." if parts else ""
    return ""


def severity_words(row: Mapping[str, Any]) -> str:
    """Whether scores fall with severity, in a sentence."""
    slope = _estimate(row["slope"])
    if slope.value is None:
        return ""
    steps = ", ".join(f"{entry['severity']}: {number(entry['shift'])}" for entry in row["means"])
    order = "each step lower than the one before" if row["monotone"] else "not in order"
    return f"Per step of severity {interval(slope)}; means by step {steps} ({order})."


def _noise(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    spreads = {row["criterion"]: row for row in document["spread"]}
    for row in document["stability"]:
        spread = spreads[row["criterion"]]
        yield (
            criterion_name(row["criterion"]),
            interval(_estimate(row["difference"])),
            percent(row["same"]),
            number(spread["mean"]),
            number(spread["deviation"]),
            percent(spread["modal_share"]),
        )


def _not_measured(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What was not measured, what shares a reason together."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["why"], []).append(row["what"])
    return ((", ".join(names), why) for why, names in by_reason.items())


def _without_pairs(effects: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Probes whose copies were judged, none beside an original with a score."""
    for row in effects:
        counts = {name: row.get(name, 0) for name in ("failed", "skipped")}
        if not row["pairs"] and any(counts.values()):
            told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            yield {
                "what": row["probe"],
                "why": f"no changed reply has a score beside its original's ({told})",
            }


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    yield from document["notes"]
    if document["left_out"]:
        listed = ", ".join(f"{name} {count}" for name, count in document["left_out"].items())
        yield f"dialogues that a probe could not change: {listed}"


def detector_words(found: Mapping[str, Any]) -> str:
    """How the detector of attacks does, in words."""
    alarms = f"{found['false_alarms']} of {found['clean']} unchanged dialogues raise it"
    if not found["attacks"]:
        return f"detector of attacks: none were planted; {alarms}"
    return f"detector of attacks: finds {found['found']} of {found['attacks']} planted; {alarms}"


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(**row)
