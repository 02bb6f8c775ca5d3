"""How a gate's result is put into words, for every form alike."""

from __future__ import annotations

from evalharness.core.scores import Column
from evalharness.core.text import one_line
from evalharness.gate.types import Comparison, Difference, Failing, GateResult, Standing, Unpaired, Verdict
from evalharness.report.figures import NOTHING, number

MARK = {Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.INCONCLUSIVE: "INCONCLUSIVE"}


def name_of(column: Column) -> str:
    """A criterion with its judge where it has one."""
    return one_line(f"{column.criterion} · {column.scorer}" if column.rubric else column.criterion, 70)


def first_line(result: GateResult) -> str:
    """The verdict with what it rests on, in a line."""
    rows = result.gating
    failing = [name_of(row.column) for row in rows if row.verdict is result.verdict]
    failing += [one_line(row.name, 60) for row in result.demands if row.verdict is result.verdict]
    head = f"{MARK[result.verdict]}: {one_line(result.run, 60)} against {one_line(result.baseline, 60)}"
    if result.verdict is Verdict.PASS:
        same = "; nothing changed" if result.identical else ""
        return f"{head}, {len(rows)} criteria within their tolerated drop{same}"
    return f"{head} ({', '.join(failing[:5])}{' …' if len(failing) > 5 else ''})"


def change(row: Comparison) -> str:
    """``−0.21 [−0.33, …]``: the estimate with both one-sided bounds."""
    return change_text(row.difference)


def change_text(found: Difference) -> str:
    """A difference with both one-sided bounds."""
    if found.value is None:
        return NOTHING
    if found.lower is None or found.upper is None:
        return signed(found.value)
    return f"{signed(found.value)} [{signed(found.lower)}, {signed(found.upper)}]"


def signed(value: float | None) -> str:
    """A difference with its sign."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def reasons(row: Comparison) -> str:
    """Why a criterion has its verdict, and what would decide."""
    parts = list(row.reasons)
    if row.verdict is Verdict.INCONCLUSIVE and row.difference.paired:
        advice = _advice(row)
        parts += [advice] if advice else []
    if row.verdict is None and row.not_gating:
        parts.append(f"not gating: {row.not_gating}")
    return "; ".join(parts)


def _advice(row: Comparison) -> str:
    ways = []
    if row.reach.groups is not None and row.reach.groups > row.difference.groups:
        what = "scenarios" if row.judge_difference is None else "labelled scenarios"
        ways.append(f"{row.reach.groups:,} {what} (now {row.difference.groups:,})")
    if row.reach.samples is not None:
        ways.append(f"{row.reach.samples} judge samples per item")
    return f"an unchanged system would pass with {' or '.join(ways)}" if ways else ""


def failure_text(item: Failing) -> str:
    """The verdicts behind a failure, and what follows from them."""
    bad, asked = item.verdicts
    own = f"{bad} of {asked} verdicts fail"
    if item.again is None:
        return own if item.standing is Standing.CONFIRMED else f"{own}, not confirmed"
    again = item.again
    result = {
        Standing.CONFIRMED: "confirmed",
        Standing.REFUTED: "refuted, does not count",
        Standing.OPEN: "undecided",
    }
    return f"{own}; asked again: {again.failing} fail, {again.passing} pass of {again.asked}: {result[item.standing]}"


def unpaired_text(found: Unpaired) -> str:
    """What could not be compared, by why."""
    parts = [
        (found.only_baseline, "only in the baseline"),
        (found.only_run, "only in the run"),
        (found.no_verdict_baseline, "without a verdict in the baseline"),
        (found.no_verdict_run, "without a verdict in the run"),
        (found.skipped, "skipped on one side"),
    ]
    return ", ".join(f"{count:,} {why}" for count, why in parts if count)


def paired_text(row: Comparison) -> str:
    """What was compared, and what was not, with the bounds that it leaves open."""
    found = row.difference
    text = f"{found.n:,} pairs in {found.groups:,} groups" if found.paired else f"{found.n:,} items, unpaired"
    if row.judge_difference is not None and found.value is not None:
        alone = change_text(row.judge_difference)
        text = f"{found.method.split(', ')[0]} in {found.groups:,} groups; the judge alone says {alone}"
    if row.by_means:
        text += f", {row.by_means:,} of them scenario means (reply numbers differ)"
    if row.unpaired.total:
        text += f"; not compared: {unpaired_text(row.unpaired)}"
    if found.bounds is not None:
        text += (
            f", the change lies within {signed(found.bounds[0])}…{signed(found.bounds[1])} whatever they are"
        )
    return text


def detectable(row: Comparison) -> str:
    """The smallest drop that would be found with 80 % probability."""
    return number(row.reach.detectable)
