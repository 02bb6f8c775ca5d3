"""gate.md: the verdict in the first line, a table, and the worst dialogues; every text shown literally."""

from __future__ import annotations

from collections.abc import Iterator

from evalharness.gate.types import Comparison, GateResult, Verdict, Worst
from evalharness.report.figures import number, percent
from evalharness.report.gate.words import (
    MARK,
    change,
    detectable,
    failure_text,
    first_line,
    name_of,
    paired_text,
    reasons,
)
from evalharness.report.safe import markdown_text

_ICON = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INCONCLUSIVE: "❔", None: "·"}
_WORST = 5


def gate_markdown(result: GateResult) -> str:
    """The text of gate.md."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: GateResult) -> Iterator[str]:
    yield f"**{_ICON[result.verdict]} {markdown_text(first_line(result))}**"
    yield ""
    level = f"{100 * result.policy.confidence:g} %"
    yield f"| criterion | verdict | baseline | run | change [{level} bounds] | tolerated | detectable | pairs |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in result.comparisons:
        yield _row(row)
    yield ""
    yield from _details(result)
    yield from _worst(result)
    for note in result.notes:
        yield f"- Note: {markdown_text(note)}"
    yield f"- Baseline of {markdown_text(result.baseline_created)}."


def _row(row: Comparison) -> str:
    verdict = f"{_ICON[row.verdict]} {MARK[row.verdict] if row.verdict else 'not gating'}"
    tolerated = "–" if row.margin is None or row.verdict is None else f"−{number(row.margin)}"
    cells = (
        markdown_text(name_of(row.column)), verdict, number(row.baseline_mean.value), number(row.run_mean.value),
        change(row), tolerated, detectable(row), f"{row.difference.n:,}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _details(result: GateResult) -> Iterator[str]:
    for row in result.gating:
        why = reasons(row)
        text = f"{why}. {paired_text(row)}" if why else paired_text(row)
        yield f"- **{markdown_text(name_of(row.column))}**: {markdown_text(text)}"
        if row.min_pass_rate is not None and row.pass_rate is not None:
            yield f"  - pass rate {percent(row.pass_rate.value)}, at least {percent(row.min_pass_rate)} demanded"
        for item in row.new_failures[:_WORST]:
            yield f"  - new failure: {markdown_text(item.dialogue)} ({failure_text(item)})"
        for part in row.slices:
            if part.dropped:
                where = markdown_text(f"{part.key}={part.value}")
                yield f"  - drop in slice {where}: {number(part.difference.value)} (p {number(part.p_adjusted)})"
    for demand in result.demands:
        text = f"{MARK[demand.verdict]}, {demand.reason}"
        yield f"- **{markdown_text(demand.name)}**: {markdown_text(text)}"
    yield ""


def worst_dialogues(result: GateResult) -> tuple[tuple[str, Worst], ...]:
    """The largest drops over all gating criteria, as shares of the scale where it has bounds; criterion and pair."""
    rows = [(row, item) for row in result.gating for item in row.worst]
    rows.sort(key=lambda pair: (-_share(*pair), pair[1].dialogue))
    return tuple((name_of(row.column), item) for row, item in rows[:_WORST])


def _share(row: Comparison, item: Worst) -> float:
    column = row.column
    size = abs(item.run - item.baseline)
    return size if column.low is None or column.high is None else size / (column.high - column.low)


def _worst(result: GateResult) -> Iterator[str]:
    worst = worst_dialogues(result)
    if not worst:
        return
    yield "| largest drops | dialogue | reply | baseline | run |"
    yield "|---|---|---|---|---|"
    for name, item in worst:
        reply = "all" if item.reply is None else str(item.reply)
        cells = (
            markdown_text(name),
            markdown_text(item.dialogue),
            reply,
            number(item.baseline),
            number(item.run),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
