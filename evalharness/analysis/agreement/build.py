"""From scores and joined labels to the Agreement of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant, contests, unchecked_columns
from evalharness.analysis.agreement.drawing import notes_of
from evalharness.analysis.agreement.extras import confusion_of
from evalharness.analysis.agreement.humans import alt_rows, alt_verdict, ceiling_note, human_rows, judge_rows
from evalharness.analysis.agreement.joining import WHOLE, Joined
from evalharness.analysis.agreement.pairs import check_judges, pair_rows
from evalharness.analysis.agreement.rows import (
    comparison_rows,
    entrant_rows,
    leading,
    sample_rows,
    slice_rows,
)
from evalharness.analysis.agreement.table import ScoreTable, ratings_of
from evalharness.analysis.agreement.types import (
    Agreement,
    AltVerdict,
    ConfusionTable,
    CriterionReport,
    Disagreement,
    Kind,
    Reliability,
    Row,
    Scatter,
    Verdict,
)
from evalharness.analysis.agreement.words import summary, verdict_of
from evalharness.core.scores import criterion_title
from evalharness.stats.calibration import reliability_bins, usual_bins
from evalharness.stats.ceiling import rater_mean

_MOST_DISAGREEMENTS = 20
_MOST_POINTS = 400

_Comments: TypeAlias = Mapping[tuple[str, int | None, str], Sequence[str]]


def agreement_of(table: ScoreTable, joined: Joined, options: AgreeOptions) -> Agreement:
    """Everything that is stated about scores and labels; deterministic."""
    check_judges(joined.pairs, options)
    labels = ratings_of(joined.labels, joined.dialogues)
    held = contests(table, labels, joined.dialogues, options)
    rows: list[Row] = []
    reports = []
    worst: list[Disagreement] = []
    comments = _comments(joined)
    for contest in held:
        alt = {}
        for judge in contest.judges:
            verdict = alt_verdict(contest, judge, options)
            if verdict is not None:
                alt[judge.scorer, judge.rubric] = verdict
        rows += _rows(contest, options, alt)
        reports.append(_report(contest, options, tuple(alt.values())))
        worst += _disagreements(contest, comments)
    rows += pair_rows(table, joined.pairs, joined.dialogues, options)
    unchecked = unchecked_columns(table, held)
    counts = {
        "labels": len(joined.labels),
        "pair_labels": len(joined.pairs),
        "labels_of_other_raters": joined.other_raters,
    }
    return Agreement(
        summary=summary(reports, unchecked) if reports or not joined.pairs else _pairs_summary(rows),
        criteria=tuple(reports),
        rows=tuple(rows),
        disagreements=tuple(worst),
        unchecked=unchecked,
        counts=counts,
        notes=tuple(notes_of([(contest.criterion, contest.drawing) for contest in held])),
    )


def _pairs_summary(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.statistic == "pair_agreement_without_ties" and not row.slice]
    parts = [
        f"{_pair_judge(row)} agrees in {row.estimate.value:.0%} ({row.reason})"
        for row in judged
        if row.estimate.value is not None
    ]
    return (
        f"Preferences between two replies: {'; '.join(parts[:4])}."
        if parts
        else "No preference could be compared."
    )


def _pair_judge(row: Row) -> str:
    """Who prefers: a judge of single replies by its scores on one of its criteria."""
    by = row.criterion.rpartition(" by ")[2] if row.rubric and row.kind is Kind.JUDGE else ""
    return f"{row.scorer} (by {criterion_title(by)})" if by else row.scorer


def _rows(contest: Contest, options: AgreeOptions, alt: dict[tuple[str, str], AltVerdict]) -> Iterator[Row]:
    yield from human_rows(contest, options)
    for entrant in contest.entrants:
        yield from entrant_rows(contest, entrant, options)
    for judge in contest.judges:
        yield from judge_rows(contest, judge, options)
        yield from sample_rows(contest, judge, options)
        if (judge.scorer, judge.rubric) in alt:
            yield from alt_rows(contest, judge, alt[judge.scorer, judge.rubric])
    yield from comparison_rows(contest, options)
    yield from slice_rows(contest, options)


def _report(contest: Contest, options: AgreeOptions, alt: tuple[AltVerdict, ...]) -> CriterionReport:
    verdicts = tuple(_with_alt(verdict_of(contest, judge, options), alt) for judge in contest.judges)
    return CriterionReport(
        criterion=contest.criterion,
        label=contest.labels.criterion,
        unit=contest.labels.unit,
        scale=contest.scale,
        raters=len(contest.labels.raters),
        labels=contest.labels.count,
        labelled=len(contest.items),
        unscored=contest.unscored,
        unlabelled=contest.unlabelled,
        shown=leading(contest, options),
        scorers=tuple((e.scorer, e.rubric, e.kind) for e in contest.entrants),
        verdicts=verdicts,
        ceiling_note=ceiling_note(contest),
        confusions=tuple(_confusions(contest)),
        scatters=tuple(_scatters(contest)),
        reliability=tuple(_reliability(contest, options)),
        alt_tests=alt,
        sliced_by=tuple(contest.slices),
        notes=contest.notes,
    )


def _with_alt(verdict: Verdict, alt: Sequence[AltVerdict]) -> Verdict:
    found = next((a for a in alt if (a.scorer, a.rubric) == (verdict.scorer, verdict.rubric)), None)
    return verdict if found is None else replace(verdict, sentences=(*verdict.sentences, found.sentence))


def _confusions(contest: Contest) -> Iterator[ConfusionTable]:
    for judge in contest.judges:
        found = confusion_of(contest.sides(judge))
        if found is not None and len(found.categories) <= 20:
            names = tuple(judge.scale.name(level) for level in found.categories)
            yield ConfusionTable(judge.scorer, judge.rubric, names, found.table)


def _scatters(contest: Contest) -> Iterator[Scatter]:
    for judge in contest.judges:
        if judge.scale.nominal:
            continue
        sides = contest.sides(judge).complete
        n = sides.judge.size
        chosen = np.linspace(0, n - 1, min(n, _MOST_POINTS)).astype(int) if n else np.zeros(0, dtype=int)
        points = tuple((float(sides.judge[i]), float(sides.human[i])) for i in chosen)
        yield Scatter(judge.scorer, judge.rubric, points, n)


def _reliability(contest: Contest, options: AgreeOptions) -> Iterator[Reliability]:
    """For each judge on the labels' own bounded scale."""
    for judge in contest.judges:
        low, high = judge.low, judge.high
        sides = contest.sides(judge).complete
        if judge.scale.nominal or not judge.scale.same or low is None or high is None or not sides.judge.size:
            continue
        found = reliability_bins(
            sides.judge,
            sides.human,
            sides.groups,
            weights=sides.copies,
            bins=usual_bins(sides.judge.size),
            level=options.level,
        )
        bins = tuple(
            (b.predicted, float(b.observed.value or 0.0), b.observed.low, b.observed.high, b.n) for b in found
        )
        yield Reliability(judge.scorer, judge.rubric, low, high, bins)


def _disagreements(contest: Contest, comments: _Comments) -> list[Disagreement]:
    """For each judge the items where it and the humans differ most, the largest gaps first."""
    found: list[Disagreement] = []
    for judge in contest.judges:
        if judge.scale.nominal or not judge.scale.same:
            continue
        gap = judge.values - rater_mean(judge.ratings)
        order = np.argsort(-np.abs(np.where(np.isnan(gap), 0.0, gap)), kind="stable")[:_MOST_DISAGREEMENTS]
        found += [_disagreement(contest, judge, int(i), float(gap[i])) for i in order if gap[i] not in (0.0,)]
    return [_with_comments(row, contest, comments) for row in found if not np.isnan(row.gap)]


def _disagreement(contest: Contest, judge: Entrant, place: int, gap: float) -> Disagreement:
    item = contest.items[place]
    turn = None if item.turn == WHOLE else item.turn
    value = float(judge.values[place])
    return Disagreement(
        judge.scorer, judge.rubric, contest.criterion, item.dialogue, turn, value, value - gap, gap
    )


def _with_comments(row: Disagreement, contest: Contest, comments: _Comments) -> Disagreement:
    key = (row.dialogue, row.turn, contest.labels.criterion.casefold())
    return replace(row, comments=tuple(sorted(comments.get(key, ()))))


def _comments(joined: Joined) -> _Comments:
    """What raters wrote beside their labels, by dialogue, turn and criterion."""
    found: dict[tuple[str, int | None, str], list[str]] = defaultdict(list)
    for entry in joined.labels:
        if entry.label.comment:
            turn = None if entry.item.turn == WHOLE else entry.item.turn
            key = (entry.item.dialogue, turn, entry.label.criterion.casefold())
            found[key].append(f"{entry.label.rater}: {entry.label.comment}")
    return found
