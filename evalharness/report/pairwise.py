"""The pairwise report: pairwise.json, pairs.jsonl, a Markdown page and the table for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from evalharness.analysis.pair_panels import PairSeats, Seat
from evalharness.analysis.pairwise import Contest, Duel, PairwiseAnalysis, Ranked, Tally
from evalharness.core.canonical import Json
from evalharness.core.scores import Column
from evalharness.core.text import log_safe, one_line
from evalharness.report.figures import interval, number, percent
from evalharness.report.safe import markdown_text
from evalharness.stats.estimate import Estimate

SCHEMA_VERSION = 1
HALF = "a win rate of 0.5 is no difference"


def pairwise_json(analysis: PairwiseAnalysis) -> str:
    """The text of pairwise.json; equal results give equal bytes."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "systems": list(analysis.systems),
        "groups": analysis.groups,
        "pairs": analysis.pairs,
        "without_partner": analysis.alone,
        "partial": analysis.partial,
        "contests": [_contest(contest) for contest in analysis.contests],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _contest(contest: Contest) -> Json:
    column = contest.column
    return {
        "scorer": column.scorer,
        "rubric": column.rubric,
        "criterion": column.criterion,
        "signature": column.signature,
        "verdicts": _tally(contest.tally),
        "duels": [_duel(duel) for duel in contest.duels],
        "ranking": [
            {"system": row.system, "ability": _estimate(row.ability), "chance_of_best": row.best}
            for row in contest.ranking
        ],
        "unranked": contest.unranked or None,
        "order_effect": _estimate(contest.order_effect),
        "panel": None if contest.panel is None else _panel(contest.panel),
    }


def _panel(panel: PairSeats) -> Json:
    return {
        "disagreement": panel.disagreement,
        "members": [
            {
                "name": seat.name,
                "pairs": seat.pairs,
                "split_by_order": seat.split,
                "without_verdict": seat.missing,
                "as_panel": seat.as_panel,
            }
            for seat in panel.members
        ],
    }


def _tally(tally: Tally) -> Json:
    return {
        "asked": tally.asked,
        "scored": tally.scored,
        "failed": dict(tally.failed),
        "skipped": dict(tally.skipped),
        "pending": tally.pending,
    }


def _duel(duel: Duel) -> Json:
    swaps = duel.swaps
    return {
        "systems": list(duel.systems),
        "pairs": duel.pairs,
        "wins": duel.wins,
        "losses": duel.losses,
        "ties": duel.ties,
        "split_by_order": duel.split,
        "one_order_only": duel.one_sided,
        "win_rate": _estimate(duel.win_rate),
        "win_rate_at_equal_length": _estimate(duel.controlled),
        "length_effect": _estimate(duel.length_effect),
        "inconsistent": _estimate(swaps.inconsistent),
        "kappa_between_orders": _estimate(duel.order_kappa),
        "favours_first": swaps.first_count,
        "favours_second": swaps.second_count,
        "to_or_from_tie": swaps.tie_count,
    }


def _estimate(estimate: Estimate) -> Json:
    return {
        "value": estimate.value,
        "se": estimate.se,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
        "method": estimate.method,
        "n": estimate.n,
        "groups": estimate.groups,
        "undefined": estimate.undefined,
    }


def pairwise_text(analysis: PairwiseAnalysis) -> str:
    """The summary for a terminal: one block per judge and criterion, at most 80 columns wide where names allow."""
    return "\n".join(_lines(analysis))


def _lines(analysis: PairwiseAnalysis) -> Iterator[str]:
    yield f"{len(analysis.systems)} systems · {analysis.pairs:,} pairs · {analysis.groups:,} groups · both orders"
    if analysis.alone:
        yield f"{analysis.alone:,} replies or dialogues have no partner and are left out"
    if analysis.partial:
        yield f"PARTIAL: {one_line(analysis.partial)}"
    for contest in analysis.contests:
        yield ""
        yield log_safe(f"{contest.column.criterion} · {contest.column.scorer}")
        if contest.column.note:
            yield f"  note: {one_line(contest.column.note)}"
        yield from (f"  {line}" for line in _contest_lines(contest))
    if analysis.few_groups:
        yield ""
        yield f"only {analysis.groups} groups: the intervals are wide and rough"


def _contest_lines(contest: Contest) -> Iterator[str]:
    yield f"verdicts: {_tally_words(contest.tally)}"
    if contest.panel is not None:
        yield from (f"  {one_line(seat.name, 30)}: {_seat_words(seat)}" for seat in contest.panel.members)
    for duel in contest.duels:
        yield from _duel_lines(duel)
    if contest.ranking:
        yield "ranking (Bradley-Terry, log odds above the mean):"
        yield from (f"  {_rank_line(place, row)}" for place, row in enumerate(contest.ranking, 1))
        yield f"advantage of standing first: {interval(contest.order_effect)} log odds"
    else:
        yield f"no ranking: {contest.unranked}"


def _seat_words(seat: Seat) -> str:
    """What a member of a panel said, in words."""
    parts = [f"split by order {seat.split} of {seat.pairs}"]
    if seat.missing:
        parts.append(f"no vote on {seat.missing}")
    if seat.as_panel is not None:
        parts.append(f"as the panel {percent(seat.as_panel)}")
    return ", ".join(parts)


def _tally_words(tally: Tally) -> str:
    lost = [f"{name} {count}" for name, count in (*tally.failed, *tally.skipped)]
    parts = [f"{tally.scored:,} of {tally.asked:,} scored", *lost]
    if tally.pending:
        parts.append(f"pending {tally.pending:,}")
    return ", ".join(parts)


def _duel_lines(duel: Duel) -> Iterator[str]:
    first, second = (one_line(name, 40) for name in duel.systems)
    yield f"{first} against {second}: win rate {interval(duel.win_rate)}"
    yield f"  {duel.wins} won, {duel.losses} lost, {duel.ties} tied in both orders; {duel.split} split by order"
    swaps = duel.swaps
    if swaps.inconsistent.value is not None:
        yield (
            f"  order changes {percent(swaps.inconsistent.value)} of verdicts "
            f"(first {swaps.first_count}, second {swaps.second_count}, tie {swaps.tie_count})"
        )
        if duel.order_kappa.value is not None:
            yield f"  kappa between the orders {interval(duel.order_kappa)}"
    yield f"  at equal length: {_or_reason(duel.controlled)}"
    if duel.one_sided:
        yield f"  {duel.one_sided} pairs have a verdict in one order only and don't count"
    if duel.win_rate.value is not None:
        yield f"  {verdict_words(duel)}"


def _or_reason(estimate: Estimate) -> str:
    """The figure with its interval, or the reason why there is none."""
    lacking = _lacking(estimate)
    return f"{interval(estimate)} ({lacking})" if lacking else interval(estimate)


def _lacking(estimate: Estimate) -> str:
    """Why there is no figure, or no interval to it; empty where there are both."""
    if estimate.undefined:
        return estimate.undefined
    return "" if estimate.low is not None else f"no interval: {estimate.method.removeprefix('none: ')}"


def verdict_words(duel: Duel) -> str:
    """What the win rate means, in a sentence."""
    first, second = (one_line(name, 40) for name in duel.systems)
    rate = duel.win_rate
    if duel.pairs and duel.split > duel.pairs / 2:
        return "the order shown decides most verdicts: this judge can't tell the two apart"
    if rate.low is None or rate.high is None:
        lacking = "every group says the same" if rate.se == 0.0 else "too few groups to say which is better"
        return f"no interval: {lacking}"
    if rate.low > 0.5:
        return f"{first} is preferred"
    if rate.high < 0.5:
        return f"{second} is preferred"
    return "neither is preferred with confidence"


def _rank_line(place: int, row: Ranked) -> str:
    chance = "" if row.best is None else f"  best with {percent(row.best)} chance"
    return f"{place}. {one_line(row.system, 40)} {interval(row.ability)}{chance}"


def pairwise_markdown(analysis: PairwiseAnalysis) -> str:
    """The report as Markdown; names are escaped."""
    rows = [
        "# Pairwise comparison",
        "",
        f"{len(analysis.systems)} systems, {analysis.pairs:,} pairs in {analysis.groups:,} groups, each shown in both "
        f"orders; {HALF}.",
    ]
    if analysis.partial:
        rows += ["", f"**Partial:** {markdown_text(analysis.partial)}"]
    for contest in analysis.contests:
        rows += ["", *_markdown(contest)]
    return "\n".join(rows) + "\n"


def _markdown(contest: Contest) -> Iterator[str]:
    yield f"## {markdown_text(contest.column.criterion)} · {markdown_text(contest.column.scorer)}"
    yield ""
    yield f"Verdicts: {_tally_words(contest.tally)}."
    yield ""
    yield "| systems | win rate [95 %] | at equal length | won | lost | tied | split by order |"
    yield "|---|---|---|---|---|---|---|"
    for duel in contest.duels:
        names = " against ".join(markdown_text(name) for name in duel.systems)
        figures = f"{interval(duel.win_rate)} | {interval(duel.controlled)}"
        yield f"| {names} | {figures} | {duel.wins} | {duel.losses} | {duel.ties} | {duel.split} |"
    yield from _reasons(contest.duels)
    if contest.panel is not None:
        yield ""
        yield "| member | what it said |"
        yield "|---|---|"
        for seat in contest.panel.members:
            yield f"| {markdown_text(seat.name)} | {_seat_words(seat)} |"
    yield ""
    if not contest.ranking:
        yield f"No ranking: {markdown_text(contest.unranked)}."
        return
    yield "| rank | system | ability (log odds) [95 %] | chance of being best |"
    yield "|---|---|---|---|"
    for place, row in enumerate(contest.ranking, 1):
        best = number(None) if row.best is None else percent(row.best)
        yield f"| {place} | {markdown_text(row.system)} | {interval(row.ability)} | {best} |"


def _reasons(duels: Iterable[Duel]) -> Iterator[str]:
    """Below the table: why a duel has no win rate at equal length, or none with an interval."""
    for duel in duels:
        if lacking := _lacking(duel.controlled):
            names = " against ".join(markdown_text(name) for name in duel.systems)
            yield ""
            yield f"{names} at equal length: {markdown_text(lacking)}."


def preference_lines(rows: Iterable[tuple[Column, dict[str, Json]]]) -> Iterator[str]:
    """The lines of pairs.jsonl: one verdict each."""
    for column, facts in rows:
        line: dict[str, Json] = {
            **{name: facts.pop(name) for name in _PLACE},
            "scorer": column.scorer,
            "rubric": column.rubric,
            "criterion": column.criterion,
            **facts,
            "signature": column.signature,
        }
        yield json.dumps(line, ensure_ascii=True, allow_nan=False) + "\n"


_PLACE = ("dialogue_a", "dialogue_b", "turn", "turn_b", "order", "group", "system_a", "system_b")
