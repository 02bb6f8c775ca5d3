"""What stands beside a run's own scores: the last gate, the agreement with humans, and how they are put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evalharness.analysis.agreement.types import LEAVE_ONE_OUT, LENGTH, Agreement, CriterionReport, Kind, Row
from evalharness.core.scores import Column
from evalharness.report.agreement.selection import Line, lines_of, statistics_of, title
from evalharness.report.figures import interval, number

ItemName = tuple[str, int | None]
"""A dialogue's id, and the turn (None for the whole dialogue)."""


@dataclass(frozen=True, slots=True)
class GateCriterion:
    """What a gate says of one criterion; differences are positive where the run is better."""

    scorer: str
    rubric: str
    criterion: str
    verdict: str
    value: float | None
    lower: float | None
    upper: float | None
    margin: float | None
    reasons: tuple[str, ...] = ()
    new_failures: tuple[ItemName, ...] = ()


@dataclass(frozen=True, slots=True)
class GateSummary:
    """The last gate of a run. ``verdict`` is pass, fail or inconclusive; ``demands`` are those not met, with why."""

    verdict: str
    baseline: str
    created: str
    confidence: float
    criteria: tuple[GateCriterion, ...]
    demands: tuple[tuple[str, str], ...] = ()

    def of(self, column: Column) -> GateCriterion | None:
        """What it says of a column."""
        return next((row for row in self.criteria if _named(row) == _named(column)), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run folder holds beside the scores. The notes say why something is not shown although it is there."""

    gate: GateSummary | None = None
    agreement: Agreement | None = None
    gate_note: str = ""
    agreement_note: str = ""

    @property
    def marks(self) -> Mapping[str, frozenset[ItemName]]:
        """Items worth reading for what gate and labels say of them: ``new`` failures, ``human`` disagreement."""
        new = {item for row in (self.gate.criteria if self.gate else ()) for item in row.new_failures}
        human = {(row.dialogue, row.turn) for row in (self.agreement.disagreements if self.agreement else ())}
        return {"new": frozenset(new), "human": frozenset(human)}


NOTHING_BESIDE = Standing()


@dataclass(frozen=True, slots=True)
class Versus:
    """The change of a criterion since the baseline, as it is written; ``kind`` is ``better``, ``worse`` or nothing."""

    text: str
    bounds: str
    kind: str
    title: str
    new_failures: int = 0


@dataclass(frozen=True, slots=True)
class Agrees:
    """How far a scorer agrees with humans, one rater with the others, and reply length with humans."""

    figure: str
    humans: str
    length: str
    statistic: str
    usable: str
    """``yes``, ``no`` or ``unsure``."""
    words: str
    counts: str


def versus_of(gate: GateSummary | None, column: Column) -> Versus | None:
    """The cell of the table: an arrow, the change and its bounds."""
    row = None if gate is None else gate.of(column)
    if gate is None or row is None or row.value is None:
        return None
    kind = "worse" if row.verdict == "fail" else "better" if (row.lower or 0) > 0 else ""
    arrow = "▲" if row.value > 0 else "▼" if row.value < 0 else "="
    bounds = "" if row.lower is None or row.upper is None else f"[{signed(row.lower)}, {signed(row.upper)}]"
    allowed = "" if row.margin is None else f"; a drop of {number(row.margin)} is tolerated"
    level = f"one-sided bounds at {100 * gate.confidence:g} %"
    told = f"{row.verdict or 'not gating'}; {level}{allowed}; newly failing: {len(row.new_failures):,}"
    return Versus(f"{arrow} {signed(row.value)}", bounds, kind, told, len(row.new_failures))


def gate_lines(gate: GateSummary) -> Iterator[tuple[GateCriterion | None, str]]:
    """What decided, in a few words each, with the criterion where it is about one."""
    for row in gate.criteria:
        if row.verdict != gate.verdict or gate.verdict == "pass":
            continue
        bounds = (
            "" if row.lower is None or row.upper is None else f" [{signed(row.lower)}, {signed(row.upper)}]"
        )
        change = "" if row.value is None else f" {signed(row.value)}{bounds}"
        allowed = "" if row.margin is None else f", tolerated {signed(-row.margin)}"
        yield row, f"{_label(row.criterion)}{change}{allowed}"
    yield from ((None, f"{name}: {why}" if why else name) for name, why in gate.demands)


def agrees_of(agreement: Agreement | None, column: Column) -> Agrees | None:
    """The cells of the table; None where no label was about this column."""
    for report in agreement.criteria if agreement is not None else ():
        if agreement is None or report.criterion != column.criterion or report.unit is not column.unit:
            continue
        lines = lines_of(agreement, report)
        own = next(
            (line for line in lines if (line.scorer, line.rubric) == (column.scorer, column.rubric)), None
        )
        if own is not None:
            return _agrees(report, lines, own)
    return None


def _agrees(report: CriterionReport, lines: list[Line], own: Line) -> Agrees:
    names = [name for name in statistics_of(report) if name in own.figures]
    first = own.figures[names[0]]
    usable, words = _judged(report, own)
    return Agrees(
        interval(first.estimate),
        _value(lines, LEAVE_ONE_OUT, names),
        _value(lines, LENGTH, names),
        title(names[0]),
        usable,
        words,
        f"{first.estimate.n:,} labelled {report.unit.value}s",
    )


def _value(lines: list[Line], scorer: str, names: list[str]) -> str:
    """The figure of a ceiling or baseline by the first of these statistics that it has; named where it is another."""
    line = next((line for line in lines if line.scorer == scorer), None)
    for place, name in enumerate(names if line is not None else ()):
        row: Row | None = None if line is None else line.figures.get(name)
        if row is not None and row.estimate.value is not None:
            return number(row.estimate.value) + (f" ({title(name)})" if place else "")
    return ""


_SAID = (
    ("inverted", "no", "polarity looks inverted"),
    ("undefined", "unsure", "agreement is undefined"),
    ("not_above_length", "no", "no better than reply length"),
    ("chance", "no", "agreement may be chance"),
    ("prevalence", "no", "accurate only because one answer is common"),
    ("length_unclear", "unsure", "not shown to beat reply length"),
    ("below_human", "unsure", "agrees less than one rater does"),
    ("above_human", "yes", "agrees more than one rater does"),
    ("like_human", "yes", "like one rater"),
)


def _judged(report: CriterionReport, own: Line) -> tuple[str, str]:
    """Whether a scorer can be used, and the gravest that is said of it."""
    verdict = next((v for v in report.verdicts if (v.scorer, v.rubric) == (own.scorer, own.rubric)), None)
    if verdict is None:
        return ("unsure", "a metric") if own.kind is Kind.METRIC else ("unsure", "nothing is said of it")
    few = " (few labels)" if "few_items" in verdict.codes else ""
    for code, usable, words in _SAID:
        if code in verdict.codes:
            return ("unsure" if few and usable == "yes" else usable), words + few
    return (
        "unsure" if few else "yes"
    ), "beats reply length" + few if "above_length" in verdict.codes else few.strip()


def signed(value: float | None) -> str:
    """A difference with its sign."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def _label(criterion: str) -> str:
    return "overall" if criterion == "_overall" else criterion


def _named(row: GateCriterion | Column) -> tuple[str, str, str]:
    return row.scorer, row.rubric, row.criterion
